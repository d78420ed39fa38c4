package labelmap

import _ "embed"

// A contour shifts by columns from one row to the next. The lean of a crack tells the class of the last shift, in the low
// bits, and the sign of the one before.
const (
	leanBits = 4
	border   = 2<<leanBits | 14 // the lean of the border: far to the left, again
	corner   = 15               // in place of a lean: the level cracks began at a corner
	reach    = 8                // columns that the distance of a corner is counted one by one
	oldest   = 7                // age of a run
)

// Where the models of each question begin; the package documentation says what they tell apart.
const (
	askTop     = 0
	askSide    = askTop + spans
	askCorner  = askSide + 3
	askFarther = askCorner + 8*(border+1)
	askTurn    = askFarther + 8*spans*(reach-1)
	askFork    = askTurn + 96*7
	askDown    = askFork + 12*3
	askOnward  = askDown + 72*8
	askLeave   = askOnward + 3*spans
	askCross   = askLeave + 96*8
	askBoth    = askCross + 4
	questions  = askBoth + 4
)

// magnitudes are the classes of shifts by 0, 1, 2, … columns; those to the left are 7 more.
var magnitudes = [15]uint8{0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7}

// nears are classes of shifts with what is above three taken together: 1 to 3 to the right, 4 to 6 to the left. signs tell 1 to
// the right and 2 to the left.
var (
	nears = [16]uint8{0, 1, 2, 3, 3, 3, 3, 3, 4, 5, 6, 6, 6, 6, 6, 7}
	signs = [16]uint8{0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 1}
)

func near(lean int) int { return int(nears[lean&15]) }

func sign(lean int) int { return int(signs[lean&15]) }

// lengths are the classes of 1, 2, 3, … columns, which span tells.
var lengths = [23]uint8{0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 8}

const spans = 9

func span(n int) int { return int(lengths[min(n, len(lengths))-1]) }

// leaning is the lean of a crack after a shift from one with another lean.
func leaning(before, shift int) int {
	if shift < 0 {
		return sign(before)<<leanBits | 7 + int(magnitudes[min(-shift, 14)])
	}
	return sign(before)<<leanBits | int(magnitudes[min(shift, 14)])
}

// priors are the models that contours begin with, a character each: how likely, then how sure. Train made them of the superpixels of
// 383 photos, of BSDS500 and the smaller ones of coco128, with 400 or 800 regions for 640x480 pixels, in both qualities. The command
// deploy/priors trains on these photos, and its priors make maps of others as large, within 0.3 %.
//
//go:embed priors.txt
var priors string

const (
	firstPrior = '!'
	evenPrior  = 15 // how many steps of likely there are below an even chance, and above
	lastPrior  = firstPrior + 3*(2*evenPrior+1) - 1
)

// likely are the probabilities from an even chance upwards, in 1/2^probBits: their log odds grow by 11/30. sure are the bits
// that a probability rests on.
var (
	likely = [evenPrior + 1]uint16{16384, 19355, 22136, 24585, 26626, 28251, 29499, 30431, 31112, 31602, 31951, 32198, 32371, 32492, 32576, 32635}
	sure   = [3]uint8{4, 12, 36}
)

// prior is the model of a character.
func prior(char byte) model {
	v := int(char) - firstPrior
	step := v/3 - evenPrior
	p := model(likely[max(step, -step)])
	if step < 0 {
		p = 1<<probBits - p
	}
	return p<<memoryBits | model(sure[v%3])
}

// trained are the models of the questions.
var trained = func() (t [questions]model) {
	for i := range t {
		t[i] = prior(priors[i])
	}
	return t
}()

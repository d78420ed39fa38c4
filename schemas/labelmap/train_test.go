package labelmap

import (
	"flag"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var train = flag.String("train", "", "folder of label maps, as gleaner superpixel writes them, to train priors.txt on")

// TestTrain writes the models that contours begin with: those by which a map of the folder takes the fewest bits on average.
func TestTrain(t *testing.T) {
	if *train == "" {
		t.Skip("trains priors.txt, and tests nothing: it needs -train DIR")
	}
	names, err := filepath.Glob(filepath.Join(*train, "*.png"))
	if err != nil || len(names) == 0 {
		t.Fatalf("label maps in %s: %v", *train, err)
	}
	asked := make([][][]bool, questions) // of each model, what came in each map
	for _, name := range names {
		w, h, labels := readPNG(t, name)
		c := newContours(newWriter(nil), w, h, labels)
		of := make([][]bool, questions)
		for y := range h {
			if err := c.next(y); err != nil {
				t.Fatal(err)
			}
			for _, a := range c.asked {
				if a.model != plainModel {
					of[a.model] = append(of[a.model], a.bit)
				}
			}
			c.asked = c.asked[:0]
		}
		for i, bits := range of {
			if bits != nil {
				asked[i] = append(asked[i], bits)
			}
		}
	}
	var b strings.Builder
	for _, maps := range asked {
		b.WriteByte(cheapest(maps))
	}
	if err := os.WriteFile("priors.txt", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// cheapest is the prior by which the bits of some maps are the shortest.
func cheapest(maps [][]bool) byte {
	best, least := byte(firstPrior+3*evenPrior), math.Inf(1)
	if maps == nil {
		return best
	}
	for char := byte(firstPrior); char <= lastPrior; char++ {
		cost := 0.0
		for _, bits := range maps {
			m := prior(char)
			for _, bit := range bits {
				p := m >> memoryBits
				if !bit {
					p = 1<<probBits - p
				}
				cost += costs[p]
				m = m.after(number(bit))
			}
		}
		if cost < least {
			best, least = char, cost
		}
	}
	return best
}

// costs are the bits that it takes to write what has a probability in 1/2^probBits.
var costs = func() (t [1 << probBits]float64) {
	for p := range t {
		t[p] = probBits - math.Log2(float64(p))
	}
	return t
}()

func readPNG(t *testing.T, name string) (w, h int, labels []uint16) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	gray, ok := img.(*image.Gray16)
	if !ok {
		t.Fatalf("%s is no 16-bit label map", name)
	}
	w, h = gray.Rect.Dx(), gray.Rect.Dy()
	for i := range w * h {
		labels = append(labels, gray.Gray16At(i%w, i/w).Y)
	}
	return w, h, labels
}

package rows

import "encoding/binary"

// Slack is how many bytes of any value a row has beyond its pixels where Columns read it, since they read many at once.
const Slack = 32

// Columns resize rows of RGB sideways: every output pixel is mixed of two neighbors. They are for one goroutine at a time.
type Columns struct {
	at      []int    // the byte of a row where the first of two neighbors begins
	weights []uint32 // of the second neighbor, up to One, in the upper 16 bits, and what is left of One in the lower
	vectors columnVectors
}

// NewColumns places n output pixels: each is mixed of the pixel at, which is not before that of the one before, and the one after it, which
// has the weight second, 0..One.
func NewColumns(n int, place func(i int) (at int, second uint16)) *Columns {
	c := &Columns{at: make([]int, n), weights: make([]uint32, n)}
	for i := range n {
		at, second := place(i)
		c.at[i], c.weights[i] = 3*at, uint32(second)<<16|One-uint32(second)
	}
	c.vectors = c.newVectors()
	return c
}

// Blend resizes a row and writes each channel, times its gain*One and plus its bias, both in the order red, green, blue, to a row of
// its own.
func (c *Columns) Blend(red, green, blue []float32, row []uint8, gain, bias [3]float32) {
	n := len(c.at)
	red, green, blue = red[:n], green[:n], blue[:n]
	for i := c.blendVectors(red, green, blue, row, gain, bias); i < n; i++ {
		at, weight := c.at[i], uint64(c.weights[i]>>16)
		pair := binary.LittleEndian.Uint64(row[at : at+8 : at+8])
		p := spread(pair)
		p = p<<8 + (spread(pair>>24)-p)*weight // lanes as in Mix
		// Converted again, so that the product is rounded before the sum everywhere.
		red[i] = float32(float32(int32(p&0xffff))*gain[0]) + bias[0]
		green[i] = float32(float32(int32(p>>32))*gain[1]) + bias[1]
		blue[i] = float32(float32(int32(p>>16&0xffff))*gain[2]) + bias[2]
	}
}

// spread sets the three low bytes of v, red, green and blue, 16 bits apart: red, blue, green.
func spread(v uint64) uint64 { return v&0xff00ff | v&0xff00<<24 }

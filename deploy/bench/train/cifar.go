package main

import (
	"math/rand/v2"

	"gleaner/deploy/bench/cifar"
	"gleaner/trainers/classify"
)

const side = cifar.Side

// cifar is a split of CIFAR-10, read once.
func (b *bench) cifar(split string) (classify.Images, error) {
	if had, ok := b.splits[split]; ok {
		return had, nil
	}
	im, err := cifar.Read(b.ctx, split)
	if err == nil {
		b.splits[split] = im
	}
	return im, err
}

// batch is what a training step reads.
type batch struct {
	images []float32 // [N, 3, side, side]
	labels []int64
}

func (b batch) shape() []int64 { return []int64{int64(len(b.labels)), 3, side, side} }

// batches draws batches of n images, normalized by channel.
func batches(im classify.Images, n, count int, seed uint64) []batch {
	r := rand.New(rand.NewPCG(seed, 5))
	normal := im.Measure()
	size := 3 * side * side
	out := make([]batch, count)
	for i := range out {
		for range n {
			k := r.IntN(im.Len())
			for j, v := range im.Pixels[k*size : (k+1)*size] {
				c := j / (side * side)
				out[i].images = append(out[i].images, (float32(v)-normal.Mean[c])/normal.Std[c])
			}
			out[i].labels = append(out[i].labels, int64(im.Labels[k]))
		}
	}
	return out
}

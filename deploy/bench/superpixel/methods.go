package main

import (
	"syscall"
	"time"

	"gleaner/stages/superpixel"
)

// method is a way to divide a picture, ours or a peer's.
type method struct {
	name   string
	divide func(pic *picture, k float64, labels bool) (division, error)
}

// division is what a method made of a picture.
type division struct {
	labels  []uint16 // [h*w]; a peer's only when asked for
	regions int
	took    time.Duration // processor time, from RGB to final labels
	phases  []superpixel.Phase
}

// The names of ours.
const (
	oursFast = "ours, fast"
	oursFine = "ours, fine"
)

func (b *bench) ours(name string, p superpixel.Params) method {
	return method{name, func(pic *picture, k float64, _ bool) (division, error) {
		p.Regions = int(k + 0.5)
		from := processorTime()
		m, phases := b.segmenter.SegmentTimed(pic.img.Pix, pic.img.W, pic.img.H, p)
		took := processorTime() - from
		return division{m.Labels, m.Counts()[0], took, phases}, nil
	}}
}

func (b *bench) methods() []method {
	peer := func(name string) method {
		return method{name, func(pic *picture, k float64, labels bool) (division, error) {
			return b.peers.divide(name, pic, k, labels)
		}}
	}
	return []method{
		b.ours(oursFast, superpixel.Params{Quality: superpixel.Fast, Threads: 1}),
		b.ours(oursFine, superpixel.Params{Quality: superpixel.Fine, Threads: 1}),
		peer(fastSLIC), peer(openCV), peer(scikitImage),
	}
}

// processorTime is that of this process so far, user and system, of all threads.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // cannot fail for this argument
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

package classify

import "context"

// prepared is a batch of inputs: of slots, more than images where these do not fill it; then others of the epoch, which only batch
// normalizations see, fill it up. Slots lie pass by pass, images go around the passes, so that each has about as many.
type prepared struct {
	inputs []float32 // [slots, 3, side, side]
	index  []int     // [slots], of the images
	size   int       // how many of them count; the others fill up
}

// slots is how many images a step has room for.
func (t *Trainer) slots() int { return t.parts * t.calls * t.size }

// slot is where the i-th image of a batch lies.
func (t *Trainer) slot(i int) int {
	passes := t.parts * t.calls
	return i%passes*t.size + i/passes
}

// prepare makes the batch of a step.
func (t *Trainer) prepare(step int, perm []int, into prepared) prepared {
	epoch, at := step/t.steps, step%t.steps*t.batch
	into.size = min(t.batch, len(perm)-at)
	size := 3 * t.train.Side * t.train.Side
	for i := range into.index {
		k, slot := perm[(at+i)%len(perm)], t.slot(i)
		into.index[i] = k
		v := t.cfg.Augment.view(t.cfg.Seed, epoch, k, t.train.Side)
		t.cfg.Augment.render(into.inputs[slot*size:(slot+1)*size], t.train.image(k), t.train.Side, v, t.levels)
	}
	return into
}

// batches prepares one batch ahead, from a step on, until ctx ends. What is taken is given back by sending it to free.
func (t *Trainer) batches(ctx context.Context, step, until int) (ready <-chan prepared, free chan<- prepared) {
	out, back := make(chan prepared, 1), make(chan prepared, 2)
	for range cap(back) {
		back <- prepared{inputs: make([]float32, t.slots()*3*t.train.Side*t.train.Side), index: make([]int, t.slots())}
	}
	go func() {
		defer close(out)
		var perm []int
		for ; step < until; step++ {
			if perm == nil || step%t.steps == 0 {
				perm = order(t.cfg.Seed, step/t.steps, t.train.Len())
			}
			select {
			case <-ctx.Done():
				return
			case b := <-back:
				select {
				case out <- t.prepare(step, perm, b):
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out, back
}

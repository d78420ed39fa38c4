package labeler

import "slices"

// Local search on tours: 2-opt and Or-opt (Bentley 1992, "Fast algorithms for geometric traveling salesman problems").

// improve makes one pass over the nodes and says whether the tour got shorter.
func (t *tour) improve() bool {
	better := false
	for a := range int32(len(t.nodes)) {
		for t.twoOpt(a) || t.orOpt(a) {
			better = true
		}
	}
	return better
}

// gain is the least that counts as shorter.
const gain = 1e-9

// twoOpt replaces two steps by two others, turning what lies between.
func (t *tour) twoOpt(a int32) bool {
	for _, s := range t.near[a] {
		c := s.to
		if b := t.after(a); s.cost < t.price(a, b) {
			d := t.after(c)
			if s.cost+t.price(b, d) < t.price(a, b)+t.price(c, d)-gain {
				t.turn(t.at[b], t.at[c])
				return true
			}
		}
		if b := t.before(a); s.cost < t.price(a, b) {
			d := t.before(c)
			if s.cost+t.price(b, d) < t.price(a, b)+t.price(c, d)-gain {
				t.turn(t.at[a], t.at[d])
				return true
			}
		}
	}
	return false
}

// turn reverses the cycle from one place to another.
func (t *tour) turn(from, to int32) {
	n := int32(len(t.order))
	count := (to - from + n) % n
	for i, j := from, to; count > 0; count -= 2 {
		t.order[i], t.order[j] = t.order[j], t.order[i]
		t.at[t.order[i]], t.at[t.order[j]] = i, j
		i, j = (i+1)%n, (j-1+n)%n
	}
}

// orOpt moves up to three nodes that begin at a to beside a near node.
func (t *tour) orOpt(a int32) bool {
	n := len(t.order)
	for size := 1; size <= 3 && size+2 < n; size++ {
		for _, forward := range []bool{true, false} {
			run := t.run(a, size, forward)
			first, last := run[0], run[size-1]
			if !forward {
				first, last = last, first
			}
			p, q := t.before(first), t.after(last)
			cut := t.price(p, first) + t.price(last, q) - t.price(p, q)
			if cut < gain {
				continue
			}
			tail := run[size-1] // the other end of the run than a
			for _, s := range t.near[a] {
				c := s.to
				if s.cost >= cut || slices.Contains(run, c) {
					continue
				}
				for _, d := range []int32{t.after(c), t.before(c)} {
					switch d { // the neighbor once the run is taken out
					case first:
						d = q
					case last:
						d = p
					}
					if d != c && s.cost+t.price(tail, d)-t.price(c, d) < cut-gain {
						t.move(run, c, d)
						return true
					}
				}
			}
		}
	}
	return false
}

// run is size nodes of the cycle from a on.
func (t *tour) run(a int32, size int, forward bool) []int32 {
	n := len(t.order)
	run := make([]int32, size)
	for i := range run {
		at := int(t.at[a]) + i
		if !forward {
			at = int(t.at[a]) - i + n
		}
		run[i] = t.order[at%n]
	}
	return run
}

// move takes a run out and puts it between two neighbors, its beginning beside c.
func (t *tour) move(run []int32, c, d int32) {
	rest := make([]int32, 0, len(t.order))
	for _, a := range t.order {
		if !slices.Contains(run, a) {
			rest = append(rest, a)
		}
	}
	at := slices.Index(rest, c)
	if rest[(at+1)%len(rest)] == d {
		t.order = slices.Insert(rest, at+1, run...)
	} else {
		turned := slices.Clone(run)
		slices.Reverse(turned)
		t.order = slices.Insert(rest, at, turned...)
	}
	t.place()
}

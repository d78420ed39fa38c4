package autograd

import "slices"

// Operators that move elements and keep them all.

func reshapeGrad(t *tape, n node, dy []value) ([]value, error) {
	return []value{t.reshape(dy[0], n.in[0].dims...)}, nil
}

func transposeGrad(t *tape, n node, dy []value) ([]value, error) {
	r := n.in[0].rank()
	inverse := make([]int64, r)
	for i := range inverse {
		inverse[i] = int64(r - 1 - i)
	}
	if a := n.attribute("perm"); a != nil {
		for i, p := range a.GetInts() {
			inverse[p] = int64(i)
		}
	}
	return []value{t.transpose(dy[0], inverse...)}, nil
}

func expandGrad(t *tape, n node, dy []value) ([]value, error) {
	return []value{t.sumTo(dy[0], n.in[0].dims)}, nil
}

// tileGrad sums over the copies of each axis.
func tileGrad(t *tape, n node, dy []value) ([]value, error) {
	var split, copies []int64
	for i, d := range n.in[0].dims {
		split = append(split, dy[0].dims[i]/d, d)
		copies = append(copies, int64(2*i))
	}
	return []value{t.sum(t.reshape(dy[0], split...), false, copies...)}, nil
}

// depthToSpaceGrad undoes the permutation of blocks, whose order the mode says: DCR, depth first, or CRD.
func depthToSpaceGrad(t *tape, n node, dy []value) ([]value, error) {
	x, size := n.in[0], n.int("blocksize", 1)
	batch, c := x.dims[0], x.dims[1]/size/size
	d := t.reshape(dy[0], batch, c, x.dims[2], size, x.dims[3], size)
	if n.text("mode", "DCR") == "CRD" {
		return []value{t.reshape(t.transpose(d, 0, 1, 3, 5, 2, 4), x.dims...)}, nil
	}
	return []value{t.reshape(t.transpose(d, 0, 3, 5, 1, 2, 4), x.dims...)}, nil
}

func spaceToDepthGrad(t *tape, n node, dy []value) ([]value, error) {
	x, size := n.in[0], n.int("blocksize", 1)
	d := t.reshape(dy[0], x.dims[0], size, size, x.dims[1], x.dims[2]/size, x.dims[3]/size)
	return []value{t.reshape(t.transpose(d, 0, 3, 4, 1, 5, 2), slices.Clone(x.dims)...)}, nil
}

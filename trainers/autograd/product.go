package autograd

// matmulGrad of vectors is that of the matrices that MatMul makes of them.
func matmulGrad(t *tape, n node, dy []value) ([]value, error) {
	x, y, d := n.in[0], n.in[1], dy[0]
	xm, ym, dd := x, y, append([]int64{}, d.dims...)
	if y.rank() == 1 {
		ym = t.reshape(y, y.dims[0], 1)
		dd = append(dd, 1)
	}
	if x.rank() == 1 {
		xm = t.reshape(x, 1, x.dims[0])
		dd = append(dd[:len(dd)-1:len(dd)-1], 1, dd[len(dd)-1])
	}
	d = t.reshape(d, dd...)
	dx := make([]value, 2)
	if t.needs(x) {
		dx[0] = t.reshape(t.sumTo(t.matmul(d, t.swapped(ym)), xm.dims), x.dims...)
	}
	if t.needs(y) && ym.rank() == 2 && xm.rank() > 2 { // one product over all rows
		cols := d.dims[d.rank()-1]
		inner := xm.dims[xm.rank()-1]
		flatX, flatD := t.reshape(xm, xm.size()/inner, inner), t.reshape(d, d.size()/cols, cols)
		dx[1] = t.reshape(t.gemm(flatX, flatD, true, false), y.dims...)
	} else if t.needs(y) {
		dx[1] = t.reshape(t.sumTo(t.matmul(t.swapped(xm), d), ym.dims), y.dims...)
	}
	return dx, nil
}

// gemmGrad is that of alpha·A'·B' + beta·C.
func gemmGrad(t *tape, n node, dy []value) ([]value, error) {
	a, b, d := n.in[0], n.in[1], dy[0]
	transA, transB := n.int("transA", 0) != 0, n.int("transB", 0) != 0
	alpha, beta := n.float("alpha", 1), n.float("beta", 1)
	dx := make([]value, len(n.in))
	if t.needs(a) {
		if transA {
			dx[0] = t.scale(t.gemm(b, d, transB, true), alpha)
		} else {
			dx[0] = t.scale(t.gemm(d, b, false, !transB), alpha)
		}
	}
	if t.needs(b) {
		if transB {
			dx[1] = t.scale(t.gemm(d, a, true, transA), alpha)
		} else {
			dx[1] = t.scale(t.gemm(a, d, !transA, false), alpha)
		}
	}
	if n.given(2) && t.needs(n.in[2]) {
		dx[2] = t.scale(t.sumTo(d, n.in[2].dims), beta)
	}
	return dx, nil
}

package vectors

// Group is how many vectors are multiplied at a time.
const Group = 4

// Queries are vectors to multiply with those of a Matrix, made ready for it. One goroutine at a time may use them.
type Queries struct {
	n, dim int
	data   [][Group]float32 // [groups, dim]; what is beyond n is zero
}

// Reset makes q hold n vectors of dim numbers, all zeros, and keeps its memory where that is enough.
func (q *Queries) Reset(n, dim int) {
	size := (n + Group - 1) / Group * dim
	if cap(q.data) < size {
		q.data = make([][Group]float32, size)
	}
	q.n, q.dim, q.data = n, dim, q.data[:size]
	clear(q.data)
}

// Len is the number of vectors.
func (q *Queries) Len() int { return q.n }

// Set copies a vector of dim numbers to place i.
func (q *Queries) Set(i int, v []float32) {
	to := q.group(i / Group)
	for d, x := range v[:q.dim] {
		to[d][i%Group] = x
	}
}

func (q *Queries) group(g int) [][Group]float32 { return q.data[g*q.dim : (g+1)*q.dim] }

// Take makes q hold the vectors of m at the given places.
func (q *Queries) Take(m *Matrix, places []int) {
	q.Reset(len(places), m.dim)
	for to, from := range places {
		q.copy(to, m, from)
	}
}

// TakeRange makes q hold the vectors of m from first to end, that one not included.
func (q *Queries) TakeRange(m *Matrix, first, end int) {
	q.Reset(end-first, m.dim)
	for from := first; from < end; from++ {
		q.copy(from-first, m, from)
	}
}

func (q *Queries) copy(to int, m *Matrix, from int) {
	dst := q.group(to / Group)
	for d, src := range m.panel(from / Panel) {
		dst[d][to%Group] = src[from%Panel]
	}
}

// Rows is the number of vectors rounded up to whole groups: how many rows Products writes.
func (q *Queries) Rows() int { return (q.n + Group - 1) / Group * Group }

// Products writes the products of the vectors q with those of the panels from first to end, that one not included: element
// [i*stride+j] of dst is the product of q's vector i and vector first*Panel+j. Those with what is beyond the last vector of either
// are 0. dst has q.Rows() rows of stride numbers.
func (m *Matrix) Products(dst []float32, stride int, q *Queries, first, end int) {
	if q.dim != m.dim {
		panic("vectors: products of vectors of different lengths")
	}
	for p := first; p < end; p++ { // a panel stays in the innermost caches while the queries pass by
		panel := m.panel(p)
		for g := range q.Rows() / Group {
			to, rows := dst[g*Group*stride+(p-first)*Panel:], q.group(g)
			if !productsVectors(to, stride, rows, panel) {
				products(to, stride, rows, panel)
			}
		}
	}
}

func products(dst []float32, stride int, rows [][Group]float32, panel [][Panel]float32) {
	for r := range Group {
		var sum [Panel]float32
		for d := range panel {
			x := rows[d][r]
			for l, y := range &panel[d] {
				sum[l] += float32(x * y) // the conversion keeps the two from being fused
			}
		}
		copy(dst[r*stride:], sum[:])
	}
}

// Transpose writes element [i,j] of src, which has rows and columns of whole Groups, to [j,i] of dst; strides are those of their rows.
func Transpose(dst []float32, dstStride int, src []float32, srcStride, rows, columns int) {
	for j := 0; j < columns; j += Group {
		for i := 0; i < rows; i += Group {
			to, from := dst[j*dstStride+i:], src[i*srcStride+j:]
			if transposeVectors(to, dstStride, from, srcStride) {
				continue
			}
			for r := range Group {
				for c := range Group {
					to[c*dstStride+r] = from[r*srcStride+c]
				}
			}
		}
	}
}

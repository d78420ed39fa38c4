//go:build !(amd64 && goexperiment.simd)

package forest

// add is addScalar: this build has no vectors.
func (f *Forest) add(sums *[lanes]float32, block [][lanes]float32) { f.addScalar(sums, block) }

//go:build !(amd64 && goexperiment.simd)

package prelabel

// These do nothing: this build has no vectors.

func bestVectors(_ []int, _, _ []float32) int { return 0 }

func aboveVectors([]float32, float32) (int, bool) { return 0, false }

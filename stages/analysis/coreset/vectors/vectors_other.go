//go:build !(amd64 && goexperiment.simd)

package vectors

// This build has no vector instructions: they do nothing of any work.

func productsVectors(_ []float32, _ int, _ [][Group]float32, _ [][Panel]float32) bool { return false }

func transposeVectors(_ []float32, _ int, _ []float32, _ int) bool { return false }

func gainVectors(_, _ []float32) (int64, int) { return 0, 0 }

func compressVectors(_ []float32, _ []int32, _, _ []float32) (int, int) { return 0, 0 }

func raiseVectors(_, _ []float32) int { return 0 }

func aboveVectors(_ []float32, _ float32) int { return 0 }

//go:build !(amd64 && goexperiment.simd)

package vectors

// This build has no vector instructions: they do nothing of any work.

func productsVectors(_ []float32, _ int, _ [][Group]float32, _ [][Panel]float32) bool { return false }

func gainVectors(_ *[Panel]float32, _, _ []float32) int { return 0 }

func raiseVectors(_, _ []float32) int { return 0 }

func aboveVectors(_ []float32, _ float32) int { return 0 }

//go:build !(amd64 && goexperiment.simd)

package prelabel

import "math"

// These do nothing: this build has no vectors.

func bestVectors(_ []int, _, _ []float32) int { return 0 }

func bestOfVectors([]float32) (done, at int, top float32) { return 0, 0, float32(math.Inf(-1)) }

func aboveVectors([]float32, float32) (int, uint64) { return 0, 0 }

func rankVectors(*ranks, []float32) int { return 0 }

func exponentialVectors([]float64) int { return 0 }

//go:build !(amd64 && goexperiment.simd)

package rows

// This build has no vectors: they do nothing of any row.

func lumaVectors(_, _ []uint8) int { return 0 }

func addWeightedVectors(_ []uint32, _, _ []uint8, _, _ uint32) int { return 0 }

func laplacianVectors(_, _, _ []uint8) (done, sum, squares int) { return 0, 0, 0 }

func (*Levels) addVectors(_ []uint8, _, _ uint8) int { return 0 }

func differenceVectors(_, _ []uint8) (done, sum int) { return 0, 0 }

func mixVectors(_, _, _ []uint8, _ uint16) int { return 0 }

func weighVectors(_ []uint16, _, _ []uint8) int { return 0 }

func doubleVectors(_ []uint8, _ []uint16) int { return 0 }

func rgbVectors(_, _, _, _ []uint8) int { return 0 }

type columnVectors struct{}

func (*Columns) newVectors() columnVectors { return columnVectors{} }

func (*Columns) blendVectors(_, _, _ []float32, _ []uint8, _, _ [3]float32) int { return 0 }

type spanVectors struct{}

func (*Spans) newVectors(_ int) spanVectors { return spanVectors{} }

func (*Spans) averageVectors(_ []uint8, _ []uint32) int { return 0 }

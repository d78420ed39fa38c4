package labelmap

// MaxPixels bounds the maps that are written and read: 64 megapixels.
const MaxPixels = 1 << 26

// MaxLevels bounds the levels above the finest.
const MaxLevels = 16

// Map is a label map with the coarser levels of its hierarchy.
//
// Where there are no Levels, Labels may have any ids. Regions need not be connected. Both cost bytes.
type Map struct {
	W, H   int
	Labels []uint16   // [H*W] row-major, the finest level: ids 0..n-1 in the order of first appearance
	Levels [][]uint16 // Levels[i][r] is the region of level i+1 that region r of level i is part of; ids 0..m-1 in the order of first appearance
}

// Counts is how many regions each level has, finest first: len(Levels)+1 numbers.
func (m *Map) Counts() []int {
	counts := []int{count(m.Labels)}
	for _, parents := range m.Levels {
		counts = append(counts, count(parents))
	}
	return counts
}

// count is how many ids there are when they are 0..n-1.
func count(ids []uint16) int {
	n := 0
	for _, id := range ids {
		n = max(n, int(id)+1)
	}
	return n
}

// At is the label map of a level: [H*W] row-major, ids 0..n-1 in the order of first appearance. Level 0 is Labels itself.
func (m *Map) At(level int) []uint16 {
	if level == 0 {
		return m.Labels
	}
	up := m.Levels[0]
	for _, parents := range m.Levels[1:level] {
		up = spread(up, parents)
	}
	return spread(m.Labels, up)
}

// spread is each region's parent.
func spread(regions, parents []uint16) []uint16 {
	out := make([]uint16, len(regions))
	for i, r := range regions {
		out[i] = parents[r]
	}
	return out
}

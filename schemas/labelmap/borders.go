package labelmap

// Borders marks the pixels whose right or lower neighbor belongs to another region: contours one pixel wide, for overlays.
//
// labels: [h*w] row-major; so is the result.
func Borders(labels []uint16, w, h int) []bool {
	border := make([]bool, w*h)
	for y := range h {
		for x := range w {
			i := y*w + x
			border[i] = x+1 < w && labels[i+1] != labels[i] || y+1 < h && labels[i+w] != labels[i]
		}
	}
	return border
}

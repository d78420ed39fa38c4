package rows

// Prefetch asks the processor for memory that is read soon, and does not wait for it. Its own guesses end with a page, which is a few
// rows of a picture.
func Prefetch(soon []uint8) {
	if len(soon) > 0 {
		prefetch(&soon[0], len(soon))
	}
}

//go:noescape
func prefetch(first *uint8, n int)

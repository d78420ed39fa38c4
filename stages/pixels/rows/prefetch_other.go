//go:build !amd64

package rows

// Prefetch does nothing on this processor.
func Prefetch(_ []uint8) {}

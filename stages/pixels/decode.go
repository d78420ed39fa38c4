package pixels

// Decoding: sniff the format by content, check the limits against the header, decode, convert, turn upright.

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"gleaner/schemas"
)

// Limits bound what Decode accepts. Peak memory of one call stays under about 20 bytes a pixel (a progressive JPEG's
// coefficients are most of it) plus the file's own size.
type Limits struct {
	MaxBytes  schemas.ByteSize `yaml:"max_bytes"`  // of the encoded image
	MaxPixels int64            `yaml:"max_pixels"` // width times height
	MaxSide   int              `yaml:"max_side"`   // pixels, of the longer side
}

// DefaultLimits admits photos of up to 50 megapixels in files of up to 32 MiB, the size limit of the raw topic.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 32 << 20, MaxPixels: 50_000_000, MaxSide: 20_000}
}

// Validate refuses limits that admit nothing.
func (l Limits) Validate() error {
	if l.MaxBytes <= 0 || l.MaxPixels <= 0 || l.MaxSide <= 0 {
		return fmt.Errorf("max_bytes %d, max_pixels %d and max_side %d must be positive", l.MaxBytes, l.MaxPixels, l.MaxSide)
	}
	return nil
}

// Reasons of an Error, and the units of its Measure and Threshold.
const (
	Empty       = "empty"       // no bytes at all
	Unsupported = "unsupported" // not an image, or of a format or variant that is not decoded
	TooLarge    = "too-large"   // bytes of the file against Limits.MaxBytes
	Bomb        = "bomb"        // pixels (or pixels of a side, or scans of a JPEG) that the header claims against the limit
	Truncated   = "truncated"   // the file ends before its image does
	Corrupt     = "corrupt"     // the file contradicts its format
)

// Error says why an image was not decoded. No retry mends it.
type Error struct {
	Reason             string  // one of the constants above
	Measure, Threshold float64 // for Bomb and TooLarge
	Err                error
}

func (e *Error) Error() string { return e.Reason + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Info is what Decode learned beside the pixels.
type Info struct {
	MediaType   string // by content: "image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"; else a guess
	W, H        int    // pixels, upright
	Orientation int    // EXIF orientation as stored, 1 to 8; the returned image is upright already
	Animated    bool   // more than one frame; the first was decoded (an APNG's default image)
}

// maxScans is how many scans a JPEG may have: each costs a pass over all blocks for a few bytes of file, which is how a
// small file keeps a decoder busy for hours. Real progressive files have about ten.
const maxScans = 500

type format struct {
	mediaType string
	config    func(io.Reader) (image.Config, error)
	decode    func(io.Reader) (image.Image, error)
}

func sniff(data []byte) (format, bool) {
	has := func(prefix string) bool { return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix }
	switch {
	case has("\xff\xd8\xff"):
		return format{"image/jpeg", jpeg.DecodeConfig, jpeg.Decode}, true
	case has("\x89PNG\r\n\x1a\n"):
		return format{"image/png", png.DecodeConfig, png.Decode}, true
	case has("GIF87a"), has("GIF89a"):
		return format{"image/gif", gif.DecodeConfig, gif.Decode}, true
	case len(data) >= 12 && has("RIFF") && string(data[8:12]) == "WEBP":
		return format{"image/webp", webp.DecodeConfig, webp.Decode}, true
	case has("II*\x00"), has("MM\x00*"):
		return format{"image/tiff", tiff.DecodeConfig, tiff.Decode}, true
	case has("BM"):
		return format{"image/bmp", bmp.DecodeConfig, bmp.Decode}, true
	}
	return format{}, false
}

// Decode turns an encoded image into upright RGB. The format is told by the content alone. It is safe for concurrent use
// and keeps nothing; every error is an *Error, and Info is filled as far as it was learned.
//
// Gray is repeated in the three channels. 16 bits a channel keep their upper 8. Transparency is composited over white, as
// a page shows it. CMYK is converted without its color profile, and profiles are ignored altogether. Chroma of JPEG and
// WebP is interpolated and converted as libjpeg and libwebp do, so that pixels agree with OpenCV's. Of several frames or
// pages the first is decoded; animated WebP is not supported.
//
// A file that ends early is an error, although its upper part could be shown, with these exceptions, which the formats
// cannot tell from a whole file: a progressive JPEG cut between two scans and closed with an end marker, and anything
// missing after the image data (a PNG's IEND is required, a GIF's trailer is not).
func Decode(data []byte, limits Limits) (img *Image, info Info, err error) {
	defer func() {
		// A decoder of outside bytes that panics has met bytes that are not what they should be.
		if r := recover(); r != nil {
			img, err = nil, &Error{Reason: Corrupt, Err: fmt.Errorf("decode %s: decoder failed: %v", info.MediaType, r)}
		}
	}()
	info.Orientation = 1
	if len(data) == 0 {
		return nil, info, &Error{Reason: Empty, Err: errors.New("no image bytes")}
	}
	f, known := sniff(data)
	if !known {
		info.MediaType = http.DetectContentType(data)
		return nil, info, &Error{Reason: Unsupported, Err: fmt.Errorf(
			"content looks like %s: want JPEG, PNG, WebP, GIF, BMP or TIFF", info.MediaType)}
	}
	info.MediaType = f.mediaType
	if err := limits.checkBytes(int64(len(data))); err != nil {
		return nil, info, err
	}
	info.Animated = animated(data, f.mediaType)
	if info.Animated && f.mediaType == "image/webp" {
		return nil, info, &Error{Reason: Unsupported, Err: errors.New("animated WebP: send its frames as still images")}
	}

	c, err := f.config(bytes.NewReader(data))
	if err != nil {
		return nil, info, refused(f.mediaType, "header", err)
	}
	info.W, info.H = c.Width, c.Height
	if err := limits.check(c.Width, c.Height); err != nil {
		return nil, info, err
	}
	if f.mediaType == "image/jpeg" {
		if n := bytes.Count(data, []byte{0xff, 0xda}); n > maxScans {
			return nil, info, &Error{Reason: Bomb, Measure: float64(n), Threshold: maxScans, Err: fmt.Errorf(
				"%d scans, the limit is %d", n, maxScans)}
		}
	}

	src, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, info, refused(f.mediaType, "pixels", err)
	}
	if b := src.Bounds(); b.Dx() > c.Width || b.Dy() > c.Height {
		return nil, info, &Error{Reason: Corrupt, Err: fmt.Errorf(
			"image of %dx%d in a file whose header says %dx%d", b.Dx(), b.Dy(), c.Width, c.Height)}
	}
	img = toRGB(src, c.Width, c.Height, f.mediaType == "image/webp")
	info.Orientation = orientation(sectionOf(data), f.mediaType)
	img = upright(img, info.Orientation)
	info.W, info.H = img.W, img.H
	return img, info, nil
}

// Size is the width and height, in pixels of the upright image, that an encoded image's header says. It reads little else of a file of
// size bytes. Errors are those of Decode, which may find others.
func Size(file io.ReaderAt, size int64, limits Limits) (w, h int, err error) {
	data := io.NewSectionReader(file, 0, size)
	head := part(data, 0, min(size, 512)) // what telling the format by content looks at
	if len(head) == 0 {
		return 0, 0, &Error{Reason: Empty, Err: errors.New("no image bytes")}
	}
	f, known := sniff(head)
	if !known {
		return 0, 0, &Error{Reason: Unsupported, Err: fmt.Errorf("content looks like %s: want JPEG, PNG, WebP, GIF, BMP or TIFF", http.DetectContentType(head))}
	}
	if err := limits.checkBytes(size); err != nil {
		return 0, 0, err
	}
	c, err := f.config(data)
	if err != nil {
		return 0, 0, refused(f.mediaType, "header", err)
	}
	if err := limits.check(c.Width, c.Height); err != nil {
		return 0, 0, err
	}
	if orientation(data, f.mediaType) >= 5 { // turned by a quarter
		return c.Height, c.Width, nil
	}
	return c.Width, c.Height, nil
}

func (l Limits) checkBytes(n int64) error {
	if n > int64(l.MaxBytes) {
		return &Error{Reason: TooLarge, Measure: float64(n), Threshold: float64(l.MaxBytes), Err: fmt.Errorf("%d bytes, the limit is %d", n, l.MaxBytes)}
	}
	return nil
}

func (l Limits) check(w, h int) error {
	if w <= 0 || h <= 0 {
		return &Error{Reason: Corrupt, Err: fmt.Errorf("the header says %dx%d pixels", w, h)}
	}
	if side := max(w, h); side > l.MaxSide {
		return &Error{Reason: Bomb, Measure: float64(side), Threshold: float64(l.MaxSide), Err: fmt.Errorf(
			"the header says %dx%d pixels, the limit is %d a side", w, h, l.MaxSide)}
	}
	if n := int64(w) * int64(h); n > l.MaxPixels {
		return &Error{Reason: Bomb, Measure: float64(n), Threshold: float64(l.MaxPixels), Err: fmt.Errorf(
			"the header says %dx%d, %d pixels, the limit is %d", w, h, n, l.MaxPixels)}
	}
	return nil
}

// refused classes a decoder's error. The decoders have no common error for a file that ends early, so the wording of
// theirs is looked at too.
func refused(mediaType, part string, err error) error {
	reason := Corrupt
	var unsupportedJPEG jpeg.UnsupportedError
	var unsupportedPNG png.UnsupportedError
	var unsupportedTIFF tiff.UnsupportedError
	msg := err.Error()
	switch {
	case strings.Contains(msg, "dimension overflow"):
		reason = Bomb
	case errors.As(err, &unsupportedJPEG), errors.As(err, &unsupportedPNG), errors.As(err, &unsupportedTIFF),
		errors.Is(err, bmp.ErrUnsupported):
		reason = Unsupported
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(msg, "EOF"),
		strings.Contains(msg, "not enough"), strings.Contains(msg, "short "),
		strings.Contains(msg, "missing 0xff00"): // a JPEG's next marker stands where image data should
		reason = Truncated
	}
	return &Error{Reason: reason, Err: fmt.Errorf("decode %s: %s: %w", mediaType, part, err)}
}

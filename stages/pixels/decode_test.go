package pixels_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"gleaner/deploy/e2e/realdata"
	"gleaner/stages/pixels"
)

// corners is 48x32: red top left, green top right, blue bottom left, gray bottom right, so that every turn shows.
func corners() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 48, 32))
	for y := range 32 {
		for x := range 48 {
			c := [4]color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {128, 128, 128, 255}}[x/24+y/16*2]
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func encode(t testing.TB, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	return encode(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, m, &jpeg.Options{Quality: 95}) })
}

func encodePNG(t testing.TB, m image.Image) []byte {
	return encode(t, func(b *bytes.Buffer) error { return png.Encode(b, m) })
}

func decode(t *testing.T, data []byte) (*pixels.Image, pixels.Info) {
	t.Helper()
	img, info, err := pixels.Decode(data, pixels.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if len(img.Pix) != 3*img.W*img.H || info.W != img.W || info.H != img.H {
		t.Fatalf("image %dx%d with %d bytes, info %+v", img.W, img.H, len(img.Pix), info)
	}
	if w, h, err := pixels.Size(bytes.NewReader(data), int64(len(data)), pixels.DefaultLimits()); w != img.W || h != img.H || err != nil {
		t.Fatalf("the header says %dx%d, %v; the image is %dx%d", w, h, err, img.W, img.H)
	}
	return img, info
}

func at(m *pixels.Image, x, y int) [3]uint8 { return [3]uint8(m.Pix[3*(y*m.W+x):]) }

func near(a, b [3]uint8, tolerance int) bool {
	for i := range a {
		if d := int(a[i]) - int(b[i]); d > tolerance || d < -tolerance {
			return false
		}
	}
	return true
}

func TestFormats(t *testing.T) {
	m := corners()
	palette := image.NewPaletted(m.Rect, color.Palette{
		color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}, color.NRGBA{128, 128, 128, 255},
	})
	deep := image.NewNRGBA64(m.Rect)
	for y := range 32 {
		for x := range 48 {
			palette.Set(x, y, m.At(x, y))
			deep.Set(x, y, m.At(x, y))
		}
	}
	for _, c := range []struct {
		name, mediaType string
		data            []byte
		tolerance       int
	}{
		{"jpeg", "image/jpeg", encodeJPEG(t, m), 4},
		{"png", "image/png", encodePNG(t, m), 0},
		{"16-bit png", "image/png", encodePNG(t, deep), 0},
		{"palette png", "image/png", encodePNG(t, palette), 0},
		{"gif", "image/gif", encode(t, func(b *bytes.Buffer) error { return gif.Encode(b, palette, nil) }), 0},
		{"bmp", "image/bmp", encode(t, func(b *bytes.Buffer) error { return bmp.Encode(b, m) }), 0},
		{"tiff", "image/tiff", encode(t, func(b *bytes.Buffer) error {
			return tiff.Encode(b, m, &tiff.Options{Compression: tiff.Deflate, Predictor: true})
		}), 0},
		{"16-bit tiff", "image/tiff", encode(t, func(b *bytes.Buffer) error { return tiff.Encode(b, deep, nil) }), 0},
		{"webp", "image/webp", readFile(t, "testdata/corners.webp"), 6},
		{"lossless webp", "image/webp", readFile(t, "testdata/lossless.webp"), 0},
		{"cmyk jpeg", "image/jpeg", readFile(t, "testdata/cmyk.jpg"), 6},
		{"progressive jpeg", "image/jpeg", readFile(t, "testdata/progressive.jpg"), 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, info := decode(t, c.data)
			if info.MediaType != c.mediaType || info.Orientation != 1 || info.Animated || img.W != 48 || img.H != 32 {
				t.Errorf("info %+v", info)
			}
			for i, want := range [][3]uint8{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {128, 128, 128}} {
				if got := at(img, 8+i%2*32, 8+i/2*16); !near(got, want, c.tolerance) {
					t.Errorf("corner %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGray(t *testing.T) {
	g := image.NewGray(image.Rect(0, 0, 3, 3))
	deep := image.NewGray16(g.Rect)
	for i := range g.Pix {
		g.Pix[i] = uint8(20 * i)
		deep.SetGray16(i%3, i/3, color.Gray16{uint16(20*i)<<8 | 0xff})
	}
	for _, m := range []image.Image{g, deep} {
		img, _ := decode(t, encodePNG(t, m))
		for i := range g.Pix {
			if v := uint8(20 * i); at(img, i%3, i/3) != [3]uint8{v, v, v} {
				t.Errorf("%T: pixel %d is %v, want %d", m, i, at(img, i%3, i/3), v)
			}
		}
	}
}

// TestTransparencyOverWhite checks straight alpha, a transparent palette entry, and a GIF frame smaller than its canvas.
func TestTransparencyOverWhite(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	m.SetNRGBA(0, 0, color.NRGBA{200, 100, 0, 255})
	m.SetNRGBA(1, 0, color.NRGBA{200, 100, 0, 0})
	m.SetNRGBA(2, 0, color.NRGBA{200, 100, 0, 51}) // a fifth
	img, _ := decode(t, encodePNG(t, m))
	for x, want := range [][3]uint8{{200, 100, 0}, {255, 255, 255}, {244, 224, 204}} {
		if at(img, x, 0) != want {
			t.Errorf("pixel %d is %v, want %v", x, at(img, x, 0), want)
		}
	}
	frame := image.NewPaletted(image.Rect(2, 1, 4, 3), color.Palette{color.NRGBA{9, 8, 7, 255}, color.NRGBA{}})
	frame.SetColorIndex(3, 2, 1)
	img, _ = decode(t, encode(t, func(b *bytes.Buffer) error {
		return gif.EncodeAll(b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 6, Height: 5}})
	}))
	if img.W != 6 || img.H != 5 {
		t.Fatalf("canvas is %dx%d, want 6x5", img.W, img.H)
	}
	for p, want := range map[[2]int][3]uint8{{0, 0}: {255, 255, 255}, {2, 1}: {9, 8, 7}, {3, 2}: {255, 255, 255}, {5, 4}: {255, 255, 255}} {
		if got := at(img, p[0], p[1]); got != want {
			t.Errorf("pixel %v is %v, want %v", p, got, want)
		}
	}
}

func TestAnimated(t *testing.T) {
	frame := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
	for n := 1; n <= 3; n++ {
		g := &gif.GIF{}
		for range n {
			g.Image, g.Delay = append(g.Image, frame), append(g.Delay, 10)
		}
		_, info := decode(t, encode(t, func(b *bytes.Buffer) error { return gif.EncodeAll(b, g) }))
		if info.Animated != (n > 1) {
			t.Errorf("GIF of %d frames: animated %v", n, info.Animated)
		}
	}
	still := encodePNG(t, corners())
	apng := append(append(bytes.Clone(still[:33]), pngChunk("acTL", make([]byte, 8))...), still[33:]...)
	if _, info := decode(t, apng); !info.Animated {
		t.Error("APNG was not noticed")
	}
}

// exifBlock is a minimal TIFF structure with one tag: the orientation.
func exifBlock(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order.String() == "BigEndian" {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, orientation)
	return append(b, 0, 0, 0, 0, 0, 0)
}

func withExif(jpg, exif []byte) []byte {
	body := append([]byte("Exif\x00\x00"), exif...)
	seg := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return append(append(append(bytes.Clone(jpg[:2]), seg...), body...), jpg[2:]...)
}

func pngChunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// TestOrientation stores the picture so that each tag value has to bring it upright.
func TestOrientation(t *testing.T) {
	want := corners()
	// stored maps an upright point to where a camera with that orientation stores it; w and h are the stored size.
	stored := [9]func(x, y, w, h int) (int, int){
		1: func(x, y, w, h int) (int, int) { return x, y },
		2: func(x, y, w, h int) (int, int) { return w - 1 - x, y },
		3: func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y },
		4: func(x, y, w, h int) (int, int) { return x, h - 1 - y },
		5: func(x, y, w, h int) (int, int) { return y, x },
		6: func(x, y, w, h int) (int, int) { return y, h - 1 - x }, // the upright top is the stored left side's bottom-to-top
		7: func(x, y, w, h int) (int, int) { return w - 1 - y, h - 1 - x },
		8: func(x, y, w, h int) (int, int) { return w - 1 - y, x },
	}
	for o := 1; o <= 8; o++ {
		w, h := 48, 32
		if o >= 5 {
			w, h = h, w
		}
		m := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range 32 {
			for x := range 48 {
				sx, sy := stored[o](x, y, w, h)
				m.Set(sx, sy, want.At(x, y))
			}
		}
		jpg, pngFile := encodeJPEG(t, m), encodePNG(t, m)
		for name, data := range map[string][]byte{
			"little-endian jpeg": withExif(jpg, exifBlock(binary.LittleEndian, uint16(o))),
			"big-endian jpeg":    withExif(jpg, exifBlock(binary.BigEndian, uint16(o))),
			"png":                append(append(bytes.Clone(pngFile[:33]), pngChunk("eXIf", exifBlock(binary.BigEndian, uint16(o)))...), pngFile[33:]...),
		} {
			img, info := decode(t, data)
			if info.Orientation != o || img.W != 48 || img.H != 32 {
				t.Fatalf("orientation %d, %s: image %dx%d, info %+v", o, name, img.W, img.H, info)
			}
			for i, c := range [][3]uint8{{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {128, 128, 128}} {
				if got := at(img, 8+i%2*32, 8+i/2*16); !near(got, c, 4) {
					t.Errorf("orientation %d, %s: corner %d is %v, want %v", o, name, i, got, c)
				}
			}
		}
	}
	for name, exif := range map[string][]byte{
		"nine": exifBlock(binary.LittleEndian, 9), "zero": exifBlock(binary.LittleEndian, 0), "empty": nil, "cut": exifBlock(binary.LittleEndian, 6)[:15],
		"offset past the end": []byte("II*\x00\xff\xff\xff\xff\x01\x00"), "no magic": []byte("XX*\x00\x08\x00\x00\x00"),
	} {
		if _, info := decode(t, withExif(encodeJPEG(t, want), exif)); info.Orientation != 1 {
			t.Errorf("EXIF that is broken (%s): orientation %d, want 1", name, info.Orientation)
		}
	}
}

// header files claim a size and hold next to nothing.
func pngHeader(w, h uint32) []byte {
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	return append([]byte("\x89PNG\r\n\x1a\n"), append(pngChunk("IHDR", append(ihdr, 8, 2, 0, 0, 0)), pngChunk("IDAT", nil)...)...)
}

func TestRefused(t *testing.T) {
	small := pixels.Limits{MaxBytes: 1 << 20, MaxPixels: 1000 * 1000, MaxSide: 4000}
	photo := encodeJPEG(t, corners())
	flat := encodePNG(t, corners())
	jpegHeader := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xea, 0x60, 0xea, 0x60, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff, 0xda, 0, 12}
	var zip bytes.Buffer
	z := zlib.NewWriter(&zip)
	_, _ = z.Write(make([]byte, 1<<22)) // four megabytes of zeros for an image of 10x10
	z.Close()
	ihdr := []byte{0, 0, 0, 10, 0, 0, 0, 10, 8, 2, 0, 0, 0}
	bomb := append([]byte("\x89PNG\r\n\x1a\n"), append(pngChunk("IHDR", ihdr), append(pngChunk("IDAT", zip.Bytes()), pngChunk("IEND", nil)...)...)...)
	scans := append(bytes.Clone(photo[:len(photo)-2]), bytes.Repeat([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0}, 600)...)
	webp := readFile(t, "testdata/corners.webp")
	anim := append([]byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x07\x00\x00"), "ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for _, c := range []struct {
		name               string
		data               []byte
		reason             string
		measure, threshold float64
	}{
		{"empty", nil, pixels.Empty, 0, 0},
		{"text", []byte("this is no photo\n"), pixels.Unsupported, 0, 0},
		{"svg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), pixels.Unsupported, 0, 0},
		{"animated webp", anim, pixels.Unsupported, 0, 0},
		{"many bytes", append(bytes.Clone(photo), make([]byte, 1<<20)...), pixels.TooLarge, float64(len(photo) + 1<<20), 1 << 20},
		{"png of 60000 a side", pngHeader(60000, 60000), pixels.Bomb, 60000, 4000},
		{"jpeg of 60000 a side", jpegHeader, pixels.Bomb, 60000, 4000},
		{"many pixels", pngHeader(2000, 2000), pixels.Bomb, 4e6, 1e6},
		{"png of 2^31 a side", pngHeader(math.MaxInt32, math.MaxInt32), pixels.Bomb, 0, 0}, // the decoder refuses the product
		{"png of no pixels", pngHeader(0, 7), pixels.Corrupt, 0, 0},
		{"more data than pixels", bomb, pixels.Corrupt, 0, 0},
		{"scans", scans, pixels.Bomb, 601, 500},
		{"cut jpeg", photo[:len(photo)*2/3], pixels.Truncated, 0, 0},
		{"jpeg without its end", photo[:len(photo)-2], pixels.Truncated, 0, 0},
		{"cut jpeg, closed again", append(bytes.Clone(photo[:len(photo)-40]), 0xff, 0xd9), pixels.Truncated, 0, 0},
		{"jpeg cut in its header", photo[:100], pixels.Truncated, 0, 0},
		{"cut png", flat[:len(flat)*2/3], pixels.Truncated, 0, 0},
		{"png without its end", flat[:len(flat)-12], pixels.Truncated, 0, 0},
		{"cut webp", webp[:len(webp)*2/3], pixels.Truncated, 0, 0},
		{"flipped bit in a png", flip(flat, 60), pixels.Corrupt, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, info, err := pixels.Decode(c.data, small)
			var e *pixels.Error
			if !errors.As(err, &e) || img != nil {
				t.Fatalf("image %v, error %v", img, err)
			}
			if e.Reason != c.reason || e.Measure != c.measure || e.Threshold != c.threshold {
				t.Errorf("%+v (info %+v), want reason %s, measure %g, threshold %g", e, info, c.reason, c.measure, c.threshold)
			}
		})
	}
}

func flip(data []byte, i int) []byte {
	data = bytes.Clone(data)
	data[i] ^= 4
	return data
}

// TestHeaderIsEnough checks that a refusal costs no memory for pixels.
func TestHeaderIsEnough(t *testing.T) {
	data := pngHeader(19_000, 19_000)
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, _, err := pixels.Decode(data, pixels.DefaultLimits()); err == nil {
				b.Fatal("decoded")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 64<<10 {
		t.Errorf("%d bytes were allocated to refuse a header", allocated)
	}
}

// counted counts the bytes that are read of a file.
type counted struct {
	*bytes.Reader
	n int
}

func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.Reader.ReadAt(b, at)
	c.n += n
	return n, err
}

// TestSizeReadsHeaders has files of much data, in which the orientation stands in front of it or behind.
func TestSizeReadsHeaders(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	jpg, pngFile, much, turned := encodeJPEG(t, m), encodePNG(t, m), make([]byte, 4<<20), exifBlock(binary.BigEndian, 6)
	end := len(pngFile) - 12
	for name, data := range map[string][]byte{
		"jpeg": append(withExif(jpg, turned), much...),
		"png":  slices.Concat(pngFile[:end], pngChunk("teXt", much), pngChunk("eXIf", turned), pngFile[end:]),
	} {
		file := &counted{Reader: bytes.NewReader(data)}
		w, h, err := pixels.Size(file, int64(len(data)), pixels.DefaultLimits())
		if w != 20 || h != 40 || err != nil || file.n > 16<<10 {
			t.Errorf("%s: %dx%d, %v, for which %d bytes were read", name, w, h, err, file.n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	m := corners()
	f.Add(encodeJPEG(f, m))
	f.Add(encodePNG(f, m))
	f.Add(withExif(encodeJPEG(f, m), exifBlock(binary.BigEndian, 6)))
	for _, name := range []string{"corners.webp", "lossless.webp", "cmyk.jpg", "progressive.jpg"} {
		f.Add(readFile(f, filepath.Join("testdata", name)))
	}
	f.Add(encode(f, func(b *bytes.Buffer) error { return bmp.Encode(b, m) }))
	f.Add(encode(f, func(b *bytes.Buffer) error { return tiff.Encode(b, m, &tiff.Options{Compression: tiff.Deflate}) }))
	f.Add(encode(f, func(b *bytes.Buffer) error { return gif.Encode(b, m, nil) }))
	limits := pixels.Limits{MaxBytes: 1 << 20, MaxPixels: 1 << 16, MaxSide: 1 << 10}
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		metrics.Read(allocated)
		before := allocated[0].Value.Uint64()
		img, info, err := pixels.Decode(data, limits)
		metrics.Read(allocated)
		w, h, sizeErr := pixels.Size(bytes.NewReader(data), int64(len(data)), limits)
		if err == nil && (sizeErr != nil || w != img.W || h != img.H) {
			t.Fatalf("the header says %dx%d, %v; the image is %dx%d", w, h, sizeErr, img.W, img.H)
		}
		// 20 bytes for each of the pixels, and what the decoders read ahead; TIFF's takes up to 10 MiB at a time.
		if n := allocated[0].Value.Uint64() - before; n > 32<<20+20<<16 {
			t.Errorf("%d bytes were allocated for a file of %d", n, len(data))
		}
		if err != nil {
			var e *pixels.Error
			if !errors.As(err, &e) || e.Reason == "" || img != nil {
				t.Fatalf("image %v, error %#v", img, err)
			}
			return
		}
		if img.W != info.W || img.H != info.H || len(img.Pix) != 3*img.W*img.H || img.W*img.H > 1<<16 || max(img.W, img.H) > 1<<10 {
			t.Fatalf("image %dx%d with %d bytes, info %+v", img.W, img.H, len(img.Pix), info)
		}
		if info.Orientation < 1 || info.Orientation > 8 {
			t.Fatalf("orientation %d", info.Orientation)
		}
	})
}

func coco(tb testing.TB) (files [][]byte, bytes int64) {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(realdata.Need(tb, "coco128", "images"), "*.jpg"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("%d photos, %v", len(names), err)
	}
	for _, name := range names {
		data := readFile(tb, name)
		files, bytes = append(files, data), bytes+int64(len(data))
	}
	return files, bytes
}

// BenchmarkDecode decodes all photos of coco128; the standard library's decoder alone, without conversion, stands beside it.
func BenchmarkDecode(b *testing.B) {
	files, size := coco(b)
	perPhoto := func(b *testing.B) {
		b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N*len(files)), "ms/photo")
	}
	b.Run("rgb", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			for _, data := range files {
				if _, _, err := pixels.Decode(data, pixels.DefaultLimits()); err != nil {
					b.Fatal(err)
				}
			}
		}
		perPhoto(b)
	})
	b.Run("planes-only", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			for _, data := range files {
				if _, err := jpeg.Decode(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		}
		perPhoto(b)
	})
}

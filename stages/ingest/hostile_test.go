package ingest_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"os"
	"testing"

	"gleaner/stages/ingest"
	"gleaner/stages/pixels"
)

func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// insert puts a chunk behind a PNG's header, or a segment behind a JPEG's start marker.
func insert(file []byte, at int, more []byte) []byte {
	return append(append(bytes.Clone(file[:at]), more...), file[at:]...)
}

func exif(orientation byte) []byte {
	body := append([]byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2)), body...)
}

// TestHostile sends what producers send by mistake or by malice; each ends where it should, with its reason.
func TestHostile(t *testing.T) {
	photo := encodeJPEG(t, texture(160, 120, 1), 90)
	flat := encodePNG(t, texture(160, 120, 2))
	deep := image.NewNRGBA64(image.Rect(0, 0, 96, 64))
	for src, i := texture(96, 64, 4), 0; i < 96*64; i++ {
		deep.Set(i%96, i/96, src.At(i%96, i/96))
	}
	cmyk, err := os.ReadFile("../pixels/testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	header := func(w, h uint32) []byte {
		ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return append([]byte("\x89PNG\r\n\x1a\n"), append(chunk("IHDR", append(ihdr, 8, 2, 0, 0, 0)), chunk("IDAT", nil)...)...)
	}
	var zip bytes.Buffer
	z, _ := zlib.NewWriterLevel(&zip, 9)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	z.Close()
	square := header(100, 100)
	bomb := append(append(bytes.Clone(square[:33]), chunk("IDAT", zip.Bytes())...), chunk("IEND", nil)...)
	brokenExif := insert(photo, 2, append([]byte{0xff, 0xe1, 0, 12}, "Exif\x00\x00XX\xff\xff"...))
	plain := func(c color.Color) []byte {
		m := image.NewNRGBA(image.Rect(0, 0, 100, 100))
		for i := range 100 * 100 {
			m.Set(i%100, i/100, c)
		}
		return encodePNG(t, m)
	}
	limits := pixels.DefaultLimits()

	for _, c := range []struct {
		name, reason       string
		data               []byte
		measure, threshold float64
		w, h               int
	}{
		{name: "empty", reason: pixels.Empty},
		{name: "text.jpg", reason: pixels.Unsupported, data: []byte("these are my notes\n")},
		{name: "html.png", reason: pixels.Unsupported, data: []byte("<html><body>404</body></html>")},
		{name: "truncated.jpg", reason: pixels.Truncated, data: photo[:len(photo)/2], w: 160, h: 120},
		{name: "truncated.png", reason: pixels.Truncated, data: flat[:len(flat)/2], w: 160, h: 120},
		{name: "60000.png", reason: pixels.Bomb, data: header(60000, 60000), measure: 60000, threshold: float64(limits.MaxSide), w: 60000, h: 60000},
		{name: "pixels.png", reason: pixels.Bomb, data: header(10000, 10000), measure: 1e8, threshold: float64(limits.MaxPixels), w: 10000, h: 10000},
		{name: "zip-bomb.png", reason: pixels.Corrupt, data: bomb, w: 100, h: 100},
		{name: "one.png", reason: ingest.TooSmall, data: encodePNG(t, texture(1, 1, 5)), measure: 1, threshold: 32, w: 1, h: 1},
		{name: "strip.png", reason: ingest.TooSmall, data: encodePNG(t, texture(500, 31, 5)), measure: 31, threshold: 32, w: 500, h: 31},
		{name: "black.png", reason: ingest.UnderExposed, data: plain(color.Black), measure: 1, threshold: 0.95, w: 100, h: 100},
		{name: "white.png", reason: ingest.OverExposed, data: plain(color.White), measure: 1, threshold: 0.95, w: 100, h: 100},
		{name: "gray.png", reason: ingest.NearUniform, data: plain(color.Gray{100}), threshold: 4, w: 100, h: 100},

		{name: "cmyk.jpg", data: cmyk, w: 48, h: 32},
		{name: "deep.png", data: encodePNG(t, deep), w: 96, h: 64},
		{name: "still.gif", data: encodeGIF(t, 1), w: 64, h: 64},
		{name: "animated.gif", data: encodeGIF(t, 3), w: 64, h: 64},
		{name: "turned.jpg", data: insert(photo, 2, exif(6)), w: 120, h: 160},
		{name: "broken-exif.jpg", data: brokenExif, w: 160, h: 120},
		{name: "long-text.png", data: insert(flat, 33, chunk("tEXt", append([]byte("Comment\x00"), bytes.Repeat([]byte("x"), 4<<20)...))), w: 160, h: 120},
		{name: "lying.png", data: encodeJPEG(t, texture(160, 120, 7), 90), w: 160, h: 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			s := step(t, w, nil)
			rec := raw(c.data, "dataset", "d", "unique-id", c.name)
			got := handle(t, s, w, rec)
			if got.reason != c.reason || got.reject.Measure != c.measure || got.reject.Threshold != c.threshold {
				t.Fatalf("reason %q, measure %g, threshold %g (%s); want %q, %g, %g",
					got.reason, got.reject.Measure, got.reject.Threshold, got.reject.Detail, c.reason, c.measure, c.threshold)
			}
			if got.sample.Image.W != c.w || got.sample.Image.H != c.h {
				t.Errorf("image is %dx%d, want %dx%d", got.sample.Image.W, got.sample.Image.H, c.w, c.h)
			}
			if c.reason != "" && got.reject.Detail == "" {
				t.Error("no detail for people")
			}
			// Taking it back lets in what was too bad, never what is not safe.
			back := handle(t, s, w, raw(c.data, "dataset", "d", "unique-id", c.name, "accept-rejected", "true"))
			switch c.reason {
			case ingest.TooSmall, ingest.UnderExposed, ingest.OverExposed, ingest.NearUniform:
				if back.reason != "" {
					t.Errorf("taken back: %q (%s)", back.reason, back.reject.Detail)
				}
			default:
				if back.reason != c.reason {
					t.Errorf("taken back: %q, want %q still", back.reason, c.reason)
				}
			}
		})
	}
	t.Run("lie is told", func(t *testing.T) {
		w := newWorld()
		got := handle(t, step(t, w, nil), w, raw(photo, "dataset", "d", "unique-id", "a.PNG"))
		if got.sample.Slices[ingest.DeclaredMediaType] != "image/png" || got.sample.Image.MediaType != "image/jpeg" {
			t.Errorf("slices %v, media type %s", got.sample.Slices, got.sample.Image.MediaType)
		}
	})
	t.Run("no animations", func(t *testing.T) {
		w := newWorld()
		s := step(t, w, func(c *ingest.Config) { c.Thresholds.RejectAnimated = true })
		for frames, reason := range map[int]string{1: "", 3: ingest.Animated} {
			if got := handle(t, s, w, raw(encodeGIF(t, frames), "dataset", "d")); got.reason != reason {
				t.Errorf("%d frames: reason %q, want %q", frames, got.reason, reason)
			}
		}
	})
}

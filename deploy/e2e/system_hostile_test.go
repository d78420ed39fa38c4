package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/connectors/web"
	"gleaner/deploy/wire"
	"gleaner/stages/ingest"
	"gleaner/stages/pixels"
)

// pushHostile pushes a folder of what producers send by mistake or by malice through the running system: each file ends where it
// should, with its reason, and no step minds.
func pushHostile(t *testing.T, s *instance, conn *wire.Connections) {
	const dataset = "hostile"
	photo := photoJPEG(t, 1)
	deep := image.NewNRGBA64(image.Rect(0, 0, 96, 64))
	for i, rng := 0, rand.New(rand.NewPCG(2, 2)); i < 96*64; i++ {
		deep.Set(i%96, i/96, color.NRGBA64{R: uint16(rng.Uint32()), G: uint16(rng.Uint32()), B: uint16(rng.Uint32()), A: 0xffff})
	}
	var animated bytes.Buffer
	frames := &gif.GIF{}
	for f := range uint64(3) {
		m := image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.Black, color.White, color.Gray{120}})
		for i, rng := 0, rand.New(rand.NewPCG(3, f)); i < len(m.Pix); i++ {
			m.Pix[i] = byte(rng.IntN(3))
		}
		frames.Image, frames.Delay = append(frames.Image, m), append(frames.Delay, 10)
	}
	if err := gif.EncodeAll(&animated, frames); err != nil {
		t.Fatal(err)
	}
	exif := append([]byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06"), 0, 0, 0, 0, 0, 0)
	turned := photoJPEG(t, 4)
	files := map[string]struct {
		data   []byte
		reason string // "": accepted
	}{
		"empty.jpg":     {nil, pixels.Empty},
		"text.jpg":      {[]byte("these are my notes\n"), pixels.Unsupported},
		"truncated.jpg": {photo[:len(photo)/2], pixels.Truncated},
		"60000.png":     {pngHeader(60_000, 60_000), pixels.Bomb},
		"one.png":       {encoded(t, image.NewNRGBA(image.Rect(0, 0, 1, 1))), ingest.TooSmall},
		"black.png":     {encoded(t, image.NewGray(image.Rect(0, 0, 100, 100))), ingest.UnderExposed},
		"cmyk.jpg":      {must(os.ReadFile("../../stages/pixels/testdata/cmyk.jpg"))(t), ""},
		"deep.png":      {encoded(t, deep), ""},
		"animated.gif":  {animated.Bytes(), ""},
		"turned.jpg":    {append(append(bytes.Clone(turned[:2]), exif...), turned[2:]...), ""},
		"photo.jpg":     {photo, ""},
		"photo-2.jpg":   {photo, ingest.Duplicate},
	}
	dir := t.TempDir()
	args := []string{"push", "--dataset", dataset}
	for name, f := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if f.reason != ingest.Duplicate {
			args = append(args, path)
		}
	}
	s.ok(t, args...)
	idle(t, conn)
	s.ok(t, "push", "--dataset", dataset, filepath.Join(dir, "photo-2.jpg")) // behind its original
	idle(t, conn)

	got := map[string]string{}
	for _, row := range s.sql(t, "SELECT unique_id, reason, detail FROM rejected FINAL WHERE dataset = 'hostile'") {
		cells := strings.SplitN(row, "\t", 3)
		got[cells[0]] = cells[1]
		if cells[2] == "" && cells[1] != ingest.Duplicate {
			t.Errorf("%s: rejected without a detail for people", cells[0])
		}
	}
	for name, f := range files {
		if got[name] != f.reason {
			t.Errorf("%s: reason %q, want %q", name, got[name], f.reason)
		}
	}
	onDesk := map[string]bool{}
	for _, task := range must(s.tasks(dataset, ""))(t) {
		onDesk[task.UniqueID] = true
	}
	for name, f := range files {
		if onDesk[name] != (f.reason == "") {
			t.Errorf("%s: on the desk is %v, and its reason to be rejected %q", name, onDesk[name], f.reason)
		}
	}
	if got := s.sql(t, "SELECT w, h FROM sample_latest WHERE dataset = 'hostile' AND unique_id = 'turned.jpg'"); len(got) != 1 || got[0] != "120\t160" {
		t.Errorf("the turned photo of 160x120 is %q, want 120 x 160", got)
	}
	for _, step := range decode[web.Status](t, s.installation, "status").Steps {
		if step.State != "running" {
			t.Errorf("step %s is %s: %s", step.Step, step.State, step.LastError)
		}
	}
}

// TestHostileModel gives the demo models, and labels beside the images, that it cannot use: it says why, before anything is pushed.
func TestHostileModel(t *testing.T) {
	t.Parallel()
	images := drawn(t, 2, 9)
	nameless := filepath.Join(t.TempDir(), "images")
	if err := errors.Join(os.CopyFS(nameless, os.DirFS(images)), os.Mkdir(filepath.Join(nameless, "labels"), 0o755),
		os.WriteFile(filepath.Join(nameless, "labels", "scene_000000.txt"), []byte("0 0.5 0.5 0.1 0.1\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	affine := must(os.ReadFile("../../connectors/onnx/testdata/affine.onnx"))(t)
	write("a/coco.names", []byte("person\ncar\n"))
	for name, c := range map[string]struct {
		flag, path string
		want       []string
	}{
		"wrong input":    {"--model", write("a/affine.onnx", affine), []string{"affine.onnx", "x float32[1,3] is neither an image"}},
		"no model":       {"--model", write("a/text.onnx", []byte("this is no model")), []string{"text.onnx", "not a model"}},
		"no class names": {"--model", write("b/affine.onnx", affine), []string{"affine.onnx", "*.names"}},
		"no such file":   {"--model", filepath.Join(dir, "a", "absent.onnx"), []string{"absent.onnx", "no such file"}},
		"nameless label": {"--images", nameless, []string{nameless, "the class names are missing", "data.yaml"}},
		"no folder":      {"--images", filepath.Join(dir, "nowhere"), []string{"nowhere is not a folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t)
			out, errs, code := i.run(t, "demo", "--once", "--images", images, c.flag, c.path)
			if code != 1 {
				t.Errorf("exit code %d, want 1\n%s", code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(errs, want) {
					t.Errorf("the error lacks %q:\n%s", want, errs)
				}
			}
			if _, err := os.Stat(filepath.Join(i.dir, "state", "pushed")); !os.IsNotExist(err) {
				t.Errorf("images were pushed all the same: %v", err)
			}
		})
	}
}

// photoJPEG is a picture of 160x120 with enough in it to pass.
func photoJPEG(t *testing.T, seed uint64) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, seed))
	m := image.NewNRGBA(image.Rect(0, 0, 160, 120))
	var tiles [12 * 16]color.NRGBA
	for i := range tiles {
		tiles[i] = color.NRGBA{R: uint8(rng.Uint32()), G: uint8(rng.Uint32()), B: uint8(rng.Uint32()), A: 255}
	}
	for y := range 120 {
		for x := range 160 {
			m.Set(x, y, tiles[y/10*16+x/10])
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encoded(t *testing.T, m image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pngHeader is the beginning of a PNG that says it has these sides.
func pngHeader(w, h uint32) []byte {
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), w), h)
	ihdr = append(ihdr, 8, 2, 0, 0, 0)
	out := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n"), uint32(len(ihdr)-4))
	return binary.BigEndian.AppendUint32(append(out, ihdr...), crc32.ChecksumIEEE(ihdr))
}

package cifar

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestOriginal reads two images, whose pixels are told by channel, and refuses labels that are not theirs.
func TestOriginal(t *testing.T) {
	dir := t.TempDir()
	all := image.NewRGBA(image.Rect(0, 0, Side*Side, 2))
	for i := range all.Pix {
		all.Pix[i] = 255
	}
	all.Set(Side+3, 1, color.RGBA{R: 10, G: 20, B: 30, A: 255}) // row 1, column 3 of the second image
	f, err := os.Create(filepath.Join(dir, "test_batch.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, all); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	label := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "test_lables.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	label("[3, 8]")
	im, err := Original(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	second := im.Pixels[3*Side*Side:]
	if got := []uint8{second[Side+3], second[Side*Side+Side+3], second[2*Side*Side+Side+3]}; !slices.Equal(got, []uint8{10, 20, 30}) {
		t.Error(got)
	}
	if im.Len() != 2 || im.Classes[im.Labels[1]] != "ship" || im.Samples[0] == im.Samples[1] {
		t.Error(im.Labels, im.Samples)
	}
	for _, wrong := range []string{"[3]", "[3, 10]", "{"} {
		label(wrong)
		if _, err := Original(dir, "test"); err == nil {
			t.Errorf("labels %s were taken", wrong)
		}
	}
}

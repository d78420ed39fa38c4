package e2e

import (
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gleaner/schemas"
)

// TestDemo runs the demo twice on one data folder: once around, and then on from there.
func TestDemo(t *testing.T) {
	t.Parallel()
	i := install(t)
	images := drawn(t, 40, 5)
	first := i.ok(t, "demo", "--once", "--images", images)
	for _, want := range []string{
		`40 in, 40 out: all accounted for`,
		`3\d labeled on the desk, 3\d of them now by the simulated labeler "simulated:labels-beside-images"|30 labeled on the desk, 30 of them now by the simulated labeler "simulated:labels-beside-images"`,
		`Labels beside the images: .*annotations\.json \(coco\)`,
		`run probe/\S+: \d+ boxes, \d classes, \d+ epochs, \d+ loss rows`,
		`forgetting .*of \d+ boxes`,
		`ClickHouse http://127\.0\.0\.1:\d+/play`,
		`Contact sheet: `,
	} {
		if !regexp.MustCompile(want).MatchString(first) {
			t.Errorf("the demo does not say %q:\n%s", want, first)
		}
	}
	sheet := filepath.Join(i.dir, "contact_sheet.png")
	f, err := os.Open(sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := png.Decode(f); err != nil || img.Bounds().Dx() < 320 {
		t.Errorf("contact sheet %s: %v", sheet, err)
	}

	second := i.ok(t, "demo", "--once", "--images", images)
	for _, want := range []string{
		"40 were pushed by an earlier run",
		"40 in, 40 out: all accounted for",
		"0 of them now by the simulated labeler",
		"these very labels were trained on before",
	} {
		if !strings.Contains(second, want) {
			t.Errorf("the second demo does not say %q:\n%s", want, second)
		}
	}
	places := regexp.MustCompile(`(?m)^ +\d+ (accepted|labeled on the desk|wait|rejected)|\d+ labels are back`)
	if a, b := places.FindAllString(first, -1), places.FindAllString(second, -1); len(a) != 5 || strings.Join(a, "\n") != strings.Join(b, "\n") {
		t.Errorf("where the images are, first %q, then %q", a, b)
	}
	forgetting := regexp.MustCompile(`of \d+ boxes.*`)
	if a, b := forgetting.FindString(first), forgetting.FindString(second); a != b {
		t.Errorf("forgetting of one run asked twice: %q, then %q", a, b)
	}
}

// TestDemoInterrupted ends a demo while it trains: the next one trains again and comes to its end.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	i := install(t)
	images := drawn(t, 16, 6)
	usual := must(os.ReadFile(i.config))(t)
	if err := os.WriteFile(i.config, append(usual, "probe: {epochs: 10000}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	s := i.start(t, "demo", "--once", "--images", images)
	eventually(t, patience, "losses arrive", func() bool {
		return s.sql(t, "SELECT count() > 0 FROM losses")[0] == "1"
	})
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if code := s.cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d after an interrupt, want 130", code)
	}
	s.orphans(t)
	if err := os.WriteFile(i.config, usual, 0o644); err != nil {
		t.Fatal(err)
	}
	out := i.ok(t, "demo", "--once", "--images", images)
	for _, want := range []string{"16 in, 16 out: all accounted for", "0 of them now by the simulated labeler", "loss rows in"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}

// TestDemoWithoutLabels runs the demo on images that nobody labeled, one of them under an id that ingest cannot take, and stays up for
// people; one image is erased then. The next demo says where each of them is, and waits for none that will not come.
func TestDemoWithoutLabels(t *testing.T) {
	t.Parallel()
	i := install(t)
	drawings, images := drawn(t, 12, 5), filepath.Join(t.TempDir(), "photos")
	long := filepath.Join(images, strings.Repeat(strings.Repeat("x", 250)+"/", 5))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	for n, name := range names(t, drawings) {
		dir := images
		if n == 0 {
			dir = long
		}
		if err := os.Rename(filepath.Join(drawings, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := i.start(t, "demo", "--images", images)
	waiting := func() []schemas.Task { return must(s.tasks("photos", schemas.TaskOpen))(t) }
	eventually(t, patience, "all but the one with the long id are through", func() bool {
		return s.sql(t, "SELECT countIf(stage = 'linted') + (SELECT uniq(sample_id) FROM rejected) FROM sample_latest")[0] == "11"
	})
	if out := i.ok(t, "replay", "--dry-run"); !strings.Contains(out, "bad-header") || !strings.Contains(out, "1 records would be sent back") {
		t.Errorf("the dead letters:\n%s", out)
	}
	i.ok(t, "erase", waiting()[0].UniqueID, "--dataset", "photos")
	left := len(waiting())
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	out := i.ok(t, "demo", "--once", "--images", images)
	for _, want := range []string{
		fmt.Sprintf("%4d wait for people", left), "   1 erased", "   1 set aside, since a step cannot handle them: gleaner replay --dry-run --data " + i.dir,
		"12 in, 12 out: all accounted for", "the desk waits for people", "Nothing was trained",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}

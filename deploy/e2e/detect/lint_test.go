package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/lint"
	"gleaner/stages/prelabel"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// yolo reads a label file of normalized class, center and size.
func yolo(t *testing.T, path string, names []string, w, h int) []schemas.Object {
	t.Helper()
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []schemas.Object
	for line := range strings.Lines(string(data)) {
		var class int
		var cx, cy, bw, bh float32
		if _, err := fmt.Sscan(line, &class, &cx, &cy, &bw, &bh); err != nil {
			t.Fatalf("%s: %q: %v", path, line, err)
		}
		x, y := float32(w), float32(h)
		out = append(out, schemas.Object{
			ID: fmt.Sprint(len(out)), Class: names[class], Source: "person:coco",
			Box: geometry.Box{X1: (cx - bw/2) * x, Y1: (cy - bh/2) * y, X2: (cx + bw/2) * x, Y2: (cy + bh/2) * y},
		})
	}
	return out
}

// TestLintFindsPlantedErrors plants errors in the labels of coco128 with the tools beside the real data, and has those
// tools judge the findings: the area under the ROC curve of each rule's scores.
func TestLintFindsPlantedErrors(t *testing.T) {
	exe, images := python(t), photos(t, 128)
	data, _ := realdata.Dir()
	tools := filepath.Join(filepath.Dir(data), "tools")
	if _, err := os.Stat(filepath.Join(tools, "label_noise.py")); err != nil {
		t.Skipf("SKIPPED, NOT PASSED: the tools beside the real data are absent: %v", err)
	}
	dir := t.TempDir()
	noisy := filepath.Join(dir, "labels")
	run(t, exe, filepath.Join(tools, "label_noise.py"), "--labels", realdata.Need(t, "coco128", "labels"),
		"--images", realdata.Need(t, "coco128", "images"), "--out", dir, "--seed", "1", "--rate", "0.05", "--groups", "coco")

	names := classes(t)
	labeler := step(t, prelabel.DefaultConfig(), prelabel.Fixed{recognize(t, load(t, "yolox_nano.onnx"), "yolox_nano.onnx")}, images...)
	linter, err := lint.New(lint.DefaultConfig(), lint.Deps{
		Classes: func(*schemas.Sample) []string { return names }, Taxonomy: &taxonomy.Registry{}, Demands: &rules.Registry{}, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, p := range images {
		s := sample(p)
		s.Rank = schemas.RankHuman
		s.Objects = yolo(t, filepath.Join(noisy, strings.TrimSuffix(p.name, ".jpg")+".txt"), names, p.img.W, p.img.H)
		out, err := linter.Process(t.Context(), process(t, labeler, s))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range out[0].Findings {
			if !(f.Score > 0 && f.Score <= 1) || !strings.HasSuffix(f.Why, ".") {
				t.Errorf("%s: %+v", p.name, f)
			}
			row := map[string]any{"image": p.name, "type": f.Type, "box": [4]float32{f.Box.X1, f.Box.Y1, f.Box.X2, f.Box.Y2}, "box_index": nil, "score": f.Score}
			switch f.Type {
			case schemas.FindingDegenerate, schemas.FindingDuplicate: // no such error was planted
				continue
			case schemas.FindingMissing:
			default:
				row["box_index"] = json.Number(f.ObjectID)
			}
			if err := json.NewEncoder(&lines).Encode(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	findings := filepath.Join(dir, "findings.jsonl")
	if err := os.WriteFile(findings, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	scores := filepath.Join(dir, "scores.json")
	report := run(t, exe, filepath.Join(tools, "lint_score.py"), "--truth", filepath.Join(dir, "truth.jsonl"), "--labels", noisy,
		"--findings", findings, "--images", realdata.Need(t, "coco128", "images"), "--json", scores)
	table, _, _ := strings.Cut(string(report), "{\"images\"")
	t.Log(table)
	var judged struct {
		Rows map[string]struct{ AUROC *float64 }
	}
	if data, err := os.ReadFile(scores); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(data, &judged); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"location", "loose", "tight", "shift", "swap", "spurious", "missing_image"} {
		if area := judged.Rows[row].AUROC; area == nil || !(*area > 0.6) {
			t.Errorf("%s: the area under the ROC curve is not above 0.6", row)
		}
	}
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, errs.Bytes())
	}
	return out
}

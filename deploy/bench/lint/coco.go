package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"gleaner/connectors/formats/yolo"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/schemas/labelmap"
	"gleaner/stages/lint"
	"gleaner/stages/lint/evidence"
	"gleaner/stages/pixels"
	"gleaner/stages/rules"
	"gleaner/stages/taxonomy"
)

// study is one way of putting errors into coco128 with the neutral tool.
type study struct {
	name  string
	types string // of errors; empty: the tool's usual ones
	rate  float64
}

var (
	usual  = study{"usual", "", 0.1}
	edges  = study{"edge", "missing,loose,tight,shift,swap,edge,spurious", 0.1}
	scarce = study{"scarce", "", 0.02}
)

// planted are labels with errors that the tool put there.
type planted struct {
	dir    string // with labels/ and truth.jsonl
	labels [][]schemas.Object
	truth  []mistake
}

// mistake is a line of the tool's truth.
type mistake struct {
	Image    string
	Type     schemas.FindingType
	BoxIndex *int `json:"box_index"`
	Box      [4]float32
	Original *struct {
		Box [4]float32
	}
}

func box(b [4]float32) geometry.Box { return geometry.Box{X1: b[0], Y1: b[1], X2: b[2], Y2: b[3]} }

func (b *bench) tool(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, b.python, append([]string{filepath.Join(filepath.Dir(b.data), "tools", name)}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, errs.Bytes())
	}
	return nil
}

// plant lets the tool put errors into coco128.
func (b *bench) plant(ctx context.Context, set []*picture, s study, seed int) (*planted, error) {
	p := &planted{dir: filepath.Join(b.scratch, fmt.Sprintf("%s-%d", s.name, seed))}
	coco := filepath.Join(b.data, "coco128")
	args := []string{
		"--labels", filepath.Join(coco, "labels"), "--images", filepath.Join(coco, "images"), "--out", p.dir,
		"--seed", fmt.Sprint(seed), "--rate", fmt.Sprint(s.rate), "--groups", "coco",
	}
	if s.types != "" {
		args = append(args, "--types", s.types)
	}
	if err := b.tool(ctx, "label_noise.py", args...); err != nil {
		return nil, err
	}
	for _, pic := range set {
		data, err := os.ReadFile(filepath.Join(p.dir, "labels", pic.stem+".txt"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		labels, err := yolo.Read(bytes.NewReader(data), b.classes, pic.img.W, pic.img.H)
		if err != nil {
			return nil, err
		}
		p.labels = append(p.labels, labels)
	}
	f, err := os.Open(filepath.Join(p.dir, "truth.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); d.More(); {
		var m mistake
		if err := d.Decode(&m); err != nil {
			return nil, err
		}
		p.truth = append(p.truth, m)
	}
	return p, nil
}

// shelf gives the pixels of pictures.
type shelf map[schemas.Hash]*pixels.Image

func (s shelf) Image(_ context.Context, ref schemas.ImageRef) (*pixels.Image, error) {
	return s[ref.SHA256], nil
}

// usuals are the habits of one dataset.
type usuals struct{ of *evidence.Habits }

func (u usuals) Habits(string) *evidence.Habits { return u.of }

// least is the score of findings that the scorer is given: it ranks all.
const least = 1e-4

func (b *bench) linter(set []*picture, labels [][]schemas.Object, w *lint.Weights, maps *labelmap.Recent, minScore float32) (*lint.Lint, error) {
	cfg := lint.DefaultConfig()
	cfg.Rules.MinScore = minScore
	images := shelf{}
	for _, p := range set {
		images[p.sample.Image.SHA256] = p.img
	}
	habits := habitsOf(set, func(int) bool { return true }, func(i int) []schemas.Object { return labels[i] })
	return lint.New(cfg, lint.Deps{
		Classes: func(*schemas.Sample) []string { return b.classes }, Taxonomy: &taxonomy.Registry{}, Demands: &rules.Registry{},
		Images: images, Maps: maps, Habits: usuals{habits}, Weights: w, Version: "bench",
	})
}

// found are findings of a planted set: [pictures].
func (b *bench) found(ctx context.Context, set []*picture, p *planted, v view, fold func(i int) *lint.Weights) ([][]schemas.Finding, error) {
	linters := map[*lint.Weights]*lint.Lint{}
	out := make([][]schemas.Finding, len(set))
	for i, pic := range set {
		w := fold(i)
		if linters[w] == nil {
			l, err := b.linter(set, p.labels, w, b.maps, least)
			if err != nil {
				return nil, err
			}
			linters[w] = l
		}
		s, err := b.seen(ctx, pic, v, p.labels[i])
		if err != nil {
			return nil, err
		}
		done, err := linters[w].Process(ctx, *s)
		if err != nil {
			return nil, err
		}
		out[i] = done[0].Findings
	}
	return out, nil
}

// score lets the scorer judge findings.
func (b *bench) score(ctx context.Context, set []*picture, p *planted, found [][]schemas.Finding, name string) (map[string]map[string]float64, error) {
	var lines bytes.Buffer
	for i, pic := range set {
		index := map[string]int{}
		for k, o := range p.labels[i] {
			index[o.ID] = k
		}
		for _, f := range found[i] {
			row := map[string]any{"image": pic.stem, "type": f.Type, "box": []float32{f.Box.X1, f.Box.Y1, f.Box.X2, f.Box.Y2}, "box_index": nil, "score": f.Score}
			switch f.Type {
			case schemas.FindingDuplicate, schemas.FindingDegenerate, schemas.FindingRule: // no such error is planted
				continue
			case schemas.FindingMissing:
			default:
				row["box_index"] = index[f.ObjectID]
			}
			if err := json.NewEncoder(&lines).Encode(row); err != nil {
				return nil, err
			}
		}
	}
	return b.judge(ctx, p, lines.Bytes(), name)
}

func (b *bench) judge(ctx context.Context, p *planted, lines []byte, name string) (map[string]map[string]float64, error) {
	findings, result := filepath.Join(p.dir, name+".jsonl"), filepath.Join(p.dir, name+".json")
	if err := os.WriteFile(findings, lines, 0o600); err != nil {
		return nil, err
	}
	if err := b.tool(ctx, "lint_score.py", "--truth", filepath.Join(p.dir, "truth.jsonl"), "--labels", filepath.Join(p.dir, "labels"),
		"--findings", findings, "--images", filepath.Join(b.data, "coco128", "images"), "--json", result); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(result)
	if err != nil {
		return nil, err
	}
	var all struct {
		Rows    map[string]map[string]*float64
		Missing map[string]*float64 `json:"missing_boxes"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	all.Rows["missing_boxes"] = all.Missing
	out := map[string]map[string]float64{}
	for row, m := range all.Rows {
		out[row] = map[string]float64{}
		for k, v := range m {
			if v != nil {
				out[row][k] = *v
			}
		}
	}
	return out, nil
}

// mean averages tables of the scorer.
func meanOf(tables []map[string]map[string]float64, row, measure string) float64 {
	sum := 0.0
	for _, t := range tables {
		sum += t[row][measure]
	}
	return sum / float64(len(tables))
}

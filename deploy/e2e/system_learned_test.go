package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/schemas/geometry"
	"gleaner/stages/prelabel"
)

// TestLearnedWhileRunning lets two models label photos while corrections come: as soon as the running system has learned from them,
// proposals are moved to where people draw boxes, and objects are fused.
func TestLearnedWhileRunning(t *testing.T) {
	photos, err := filepath.Glob(filepath.Join(realdata.Need(t, "coco128", "images"), "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	classes := realdata.Need(t, "models", "coco.names")
	i := install(t)
	s := i.up(t)
	for _, file := range []string{"yolox_nano", "FastestDet"} {
		i.ok(t, "model", "add", realdata.Need(t, "models", file+".onnx"), "--name", strings.ToLower(file), "--classes", classes)
	}
	i.ok(t, "model", "serve", "yolox_nano,fastestdet")
	conn := s.connect(t)
	push := func(n int) schemas.Sample {
		t.Helper()
		dir := t.TempDir()
		if err := os.Symlink(photos[n], filepath.Join(dir, filepath.Base(photos[n]))); err != nil {
			t.Fatal(err)
		}
		i.ok(t, "push", dir, "--dataset", "street")
		var out schemas.Sample
		eventually(t, patience, photos[n]+" is prelabeled", func() bool {
			for _, r := range all(t, conn.Kafka, schemas.Prelabeled) {
				if out, err = schemas.DecodeSample(r.Value); err != nil {
					t.Fatal(err)
				}
				if out.UniqueID == filepath.Base(photos[n]) {
					return true
				}
			}
			return false
		})
		return out
	}
	eventually(t, patience, "the models serve", func() bool { return strings.Contains(i.ok(t, "model", "list"), "yolox_nano@1, fastestdet@1") })
	for _, o := range push(0).Proposals {
		if o.Raw != (geometry.Box{}) {
			t.Fatalf("%+v is moved before there are corrections", o)
		}
	}

	names := must(prelabel.ReadClasses(classes))(t)
	var rows []schemas.Correction
	for n := range 40 {
		for k, name := range names {
			for m, model := range []string{"fastestdet@1", "yolox_nano@1"} {
				c := schemas.Correction{
					SampleID: schemas.NewSampleID("street", fmt.Sprint("corrected ", n), schemas.Hash{}), Dataset: "street", Revision: 1, ProposalID: fmt.Sprint("p", k, m),
					Source: model, Models: []string{"fastestdet@1", "yolox_nano@1"}, Class: name, Score: 0.5,
					Proposal: geometry.Box{X1: 100, Y1: 100, X2: 200, Y2: 200 + float32(n%5)}, W: 640, H: 480, Actor: "ana", At: time.Unix(int64(n), 0),
				}
				if n%2 == 0 { // it is there where both models find it, a fifth wider on the right
					c.Accepted, c.ObjectID, c.Labeled, c.Label = true, fmt.Sprint("o", k), c.Class, geometry.Box{X1: 100, Y1: 100, X2: 220, Y2: 202}
				} else if (n/2+k)%2 == m {
					continue
				}
				rows = append(rows, c)
			}
		}
	}
	if err := conn.DB.PutCorrections(t.Context(), "", rows); err != nil {
		t.Fatal(err)
	}
	moved, calibrated, fused := 0, 0, 0 // calibration and fusion are learned after conventions
	for n := 1; n < len(photos) && (moved == 0 || calibrated == 0 || fused == 0); n++ {
		sample := push(n)
		for _, o := range sample.Proposals {
			if o.Raw == (geometry.Box{}) {
				continue
			}
			moved++
			if o.RawScore != 0 && o.RawScore != o.Score {
				calibrated++
			}
			if wider := (o.Box.X2 - o.Raw.X2) / o.Raw.W(); o.Box.X1 != o.Raw.X1 || wider > 0.22 || wider < 0.18 && o.Box.X2 != float32(sample.Image.W) {
				t.Errorf("%+v is moved elsewhere than a fifth to the right", o)
			}
		}
		for _, o := range sample.Objects {
			if o.Source == "fastestdet@1+yolox_nano@1" {
				fused++
			}
		}
	}
	if moved == 0 || calibrated == 0 || fused == 0 {
		t.Errorf("%d proposals are moved, %d calibrated and %d objects fused in %d photos", moved, calibrated, fused, len(photos))
	}
}

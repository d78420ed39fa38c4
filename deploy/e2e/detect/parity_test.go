package detect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// dumped is one image's entry in the index that testdata/parity.py reads.
type dumped struct {
	Name       string  `json:"name"`
	W          int     `json:"w"`
	H          int     `json:"h"`
	Tensor     string  `json:"tensor"`
	Detections []found `json:"detections"` // before suppression
	Objects    []found `json:"objects"`    // after it
}

type found struct {
	Box   [4]float32 `json:"box"`
	Score float32    `json:"score"`
	Class string     `json:"class"`
}

func rows(objects []schemas.Object) []found {
	out := make([]found, len(objects))
	for i, o := range objects {
		out[i] = found{[4]float32{o.Box.X1, o.Box.Y1, o.Box.X2, o.Box.Y2}, o.Score, o.Class}
	}
	return out
}

// TestParity holds the detections against those of an independent decode in Python.
func TestParity(t *testing.T) {
	exe, images := python(t), photos(t, 128)
	for _, m := range models {
		t.Run(m.decoder, func(t *testing.T) {
			session := &recorder{Session: load(t, m.file)}
			detector := recognize(t, session, m.file)
			if got := detector.Model().Decode.Decoder; got != m.decoder {
				t.Fatalf("recognized as %s", got)
			}
			dir := t.TempDir()
			dump(t, dir, session, detector, images)
			cmd := exec.Command(exe, "testdata/parity.py", "--model", realdata.Need(t, "models", m.file), "--decoder", m.decoder,
				"--classes", realdata.Need(t, "models", "coco.names"), "--images", realdata.Need(t, "coco128", "images"),
				"--labels", realdata.Need(t, "coco128", "labels"), "--dump", dir)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Images, Detections, Disagree int
				AP50                         map[string]float64
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			agree := 1 - float64(got.Disagree)/float64(got.Detections)
			t.Logf("%s: same tensor: %d detections of both sides, %.4f %% agree; AP50 on coco128: %.2f here (own decoder, bilinear), "+
				"%.2f in Python of the same tensors, %.2f the whole way with cv2 INTER_LINEAR, %.2f with INTER_AREA", m.decoder, got.Detections, 100*agree,
				got.AP50["gleaner"], got.AP50["tensor"], got.AP50["linear"], got.AP50["area"])
			if got.Images != len(images) || got.Detections < 1000 {
				t.Errorf("%d images and %d detections were compared", got.Images, got.Detections)
			}
			if agree < 0.999 {
				t.Errorf("%d of %d detections disagree", got.Disagree, got.Detections)
			}
			if off := math.Abs(got.AP50["gleaner"] - got.AP50["tensor"]); !(off <= 0.05) {
				t.Errorf("on the same tensors AP50 differs by %.3f points", off)
			}
			if off := math.Abs(got.AP50["gleaner"] - got.AP50["linear"]); !(off <= 1) {
				t.Errorf("the whole way AP50 differs by %.2f points", off)
			}
		})
	}
}

func dump(t *testing.T, dir string, session *recorder, detector prelabel.Detector, images []photo) {
	t.Helper()
	// Objects down to the lowest score, for average precision.
	cfg := prelabel.DefaultConfig()
	cfg.Accept, cfg.ProposalIoU = cfg.Low, cfg.IoU
	labeler := step(t, cfg, prelabel.Fixed{detector}, images...)
	var index []dumped
	for _, p := range images {
		d := dumped{Name: p.name, W: p.img.W, H: p.img.H, Tensor: p.name + ".f32"}
		all, err := detector.Detect(t.Context(), p.img, cfg.Low)
		if err != nil {
			t.Fatal(err)
		}
		d.Detections = rows(all)
		var raw bytes.Buffer
		if err := binary.Write(&raw, binary.LittleEndian, session.input); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d.Tensor), raw.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		d.Objects = rows(process(t, labeler, sample(p)).Objects)
		index = append(index, d)
	}
	data, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

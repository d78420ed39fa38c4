package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"gleaner/connectors/formats/lossfile"
	"gleaner/connectors/onnx/onnxpb"
	"gleaner/connectors/web"
	"gleaner/schemas"
)

// striped draws noisy images of stripes, in a folder for each direction, and one file that is no image.
func striped(t *testing.T, count int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "stripes")
	r := rand.New(rand.NewPCG(7, 8))
	for i := range count {
		class := []string{"across", "diagonal", "down"}[i%3]
		img := image.NewRGBA(image.Rect(0, 0, 24, 16))
		for y := range 16 {
			for x := range 24 {
				level := uint8(60 + r.IntN(90))
				if ([]int{y, x + y, x}[i%3]+i/3)%4 < 2 {
					level += 60
				}
				img.Set(x, y, color.RGBA{level, level, level / 2, 255})
			}
		}
		var out bytes.Buffer
		if err := errors.Join(png.Encode(&out, img), os.MkdirAll(filepath.Join(dir, class), 0o755), os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)), out.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "down", "none.png"), []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// weights are a model file without its metadata, which say when it was trained.
func weights(t *testing.T, path string) []byte {
	t.Helper()
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(must(os.ReadFile(path))(t), &m); err != nil {
		t.Fatal(err)
	}
	m.MetadataProps = nil
	return must(proto.MarshalOptions{Deterministic: true}.Marshal(&m))(t)
}

// TestTrainClassify kills a training whose losses go to a running system, goes on with it, and wants the weights and the losses of
// one that was not disturbed; then it lets models prelabel and register, and trains on a dataset's objects.
func TestTrainClassify(t *testing.T) {
	t.Parallel()
	i := install(t)
	data := striped(t, 120)
	usual := string(must(os.ReadFile(i.config))(t))
	put := func(name, dataDir string) string {
		path := filepath.Join(filepath.Dir(i.config), name)
		if err := os.WriteFile(path, []byte(usual+"data_dir: "+dataDir+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	alone, beside := put("alone.yaml", t.TempDir()), put("beside.yaml", i.dir)
	out := t.TempDir()
	command := func(config, model string, more ...string) (*exec.Cmd, *lockedBuffer) {
		args := append([]string{
			"train", "classify", "--config", config, "--data", data, "--out", filepath.Join(out, model), "--side", "16", "--width", "8", "--epochs", "60",
			"--batch", "16", "--threads", "1",
		}, more...)
		cmd, said := exec.Command(i.bin, args...), &lockedBuffer{}
		cmd.Stdout, cmd.Stderr = said, said
		return cmd, said
	}
	checkpoint := func(cmd *exec.Cmd, said *lockedBuffer, model string) {
		t.Helper()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, patience, "a checkpoint is there", func() bool {
			_, err := os.Stat(filepath.Join(out, model+".checkpoint"))
			return err == nil || strings.Contains(said.String(), "gleaner:")
		})
	}

	undisturbed, said := command(alone, "undisturbed.onnx", "--losses", filepath.Join(out, "losses.parquet"))
	if err := undisturbed.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, want := range []string{"skipped: down/none.png", "of 3 classes", "epoch 60 of 60", "60 epochs in all; attempt 1: "} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, said.String())
		}
	}

	s := i.start(t, "demo", "--images", drawn(t, 24, 9), "--dataset", "scenes")
	killed, said := command(beside, "killed.onnx")
	checkpoint(killed, said, "killed.onnx")
	twice, refused := command(beside, "killed.onnx")
	if err := twice.Run(); err == nil || !strings.Contains(refused.String(), "killed.onnx is being written by another training") {
		t.Errorf("the same training twice at once: %v\n%s", err, refused.String())
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	if _, err := os.Stat(filepath.Join(out, "killed.onnx")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v: it ended before it was killed", err)
	}
	resumed, said := command(beside, "killed.onnx")
	if err := resumed.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	for _, want := range []string{"going on from step", "as attempt 2", "60 epochs in all; attempt 2: ", "losses go to the running system"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, said.String())
		}
	}
	if !bytes.Equal(weights(t, filepath.Join(out, "undisturbed.onnx")), weights(t, filepath.Join(out, "killed.onnx"))) {
		t.Error("other weights after the kill")
	}
	lossesAgree(t, s, filepath.Join(out, "losses.parquet"))
	for _, step := range decode[web.Status](t, i, "status").Steps {
		if step.LastError != "" || step.Dead > 0 {
			t.Errorf("losses of samples that nobody pushed: step %s: %+v", step.Step, step)
		}
	}

	interrupted, said := command(alone, "interrupted.onnx", "--epochs", "10000")
	checkpoint(interrupted, said, "interrupted.onnx")
	if err := interrupted.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _ = interrupted.Wait(); interrupted.ProcessState.ExitCode() != 130 || !strings.Contains(said.String(), "the same command goes on from there") {
		t.Errorf("exit code %d:\n%s", interrupted.ProcessState.ExitCode(), said.String())
	}
	other, said := command(alone, "interrupted.onnx", "--epochs", "10000", "--seed", "1")
	if err := other.Run(); err == nil || !strings.Contains(said.String(), "--resume=false to begin anew") {
		t.Errorf("another training went on from it: %v\n%s", err, said.String())
	}

	results := filepath.Join(out, "results.json")
	i.ok(t, "prelabel", filepath.Join(data, "across"), "--model", filepath.Join(out, "killed.onnx"), "--out", results)
	if found := bytes.Count(must(os.ReadFile(results))(t), []byte(`"category_id":1,`)); found < 35 {
		t.Errorf("of 40 images of stripes that run across, %d were found", found)
	}
	if m := decode[schemas.Model](t, i, "model", "add", filepath.Join(out, "killed.onnx")); m.Task != schemas.TaskClassify || !slices.Equal(m.Classes, []string{"across", "diagonal", "down"}) || m.Decode.Input.Resize != schemas.ResizeArea {
		t.Errorf("registered as %+v", m)
	}
	eventually(t, patience, "the simulated labeler's labels arrive", func() bool { return s.sql(t, "SELECT count() FROM label_latest")[0] == "18" })
	run := decode[schemas.Run](t, i, "train", "classify", "--dataset", "scenes", "--side", "16", "--width", "8", "--epochs", "2", "--out", filepath.Join(out, "crops.onnx"))
	if run.Attempt != 1 || !strings.HasPrefix(run.DatasetVersion, "scenes@") || run.Metrics["classes"] < 3 || float64(run.Rows) != 2*run.Metrics["train_images"] {
		t.Errorf("on the objects of a dataset: %+v", run)
	}
}

// lossesAgree wants the run in ClickHouse, without what its second attempt supersedes, to have the losses of a file.
func lossesAgree(t *testing.T, s *instance, file string) {
	t.Helper()
	want := map[string]string{}
	for table, err := range lossfile.Read(t.Context(), file, lossfile.Defaults{}) {
		if err != nil {
			t.Fatal(err)
		}
		for k := range table.Len() {
			want[fmt.Sprintf("%s %d", table.SampleID[k], table.Epoch[k])] = strconv.FormatFloat(float64(table.Loss[k]), 'g', 6, 32)
		}
	}
	const of = " WHERE run_id LIKE 'classify/stripes@%'"
	eventually(t, patience, "the losses and the end of the run arrive", func() bool {
		return s.sql(t, "SELECT count() FROM loss_latest"+of)[0] == strconv.Itoa(len(want)) && s.sql(t, "SELECT max(attempt) FROM runs"+of)[0] == "2"
	})
	got := map[string]string{}
	attempts := map[string]bool{}
	for _, row := range s.sql(t, "SELECT lower(hex(sample_id)), epoch, toFloat64(loss), attempt FROM loss_latest"+of) {
		part := strings.Split(row, "\t")
		loss := must(strconv.ParseFloat(part[2], 64))(t)
		got[part[0]+" "+part[1]] = strconv.FormatFloat(loss, 'g', 6, 32)
		attempts[part[3]] = true
	}
	if !maps.Equal(want, got) {
		t.Errorf("%d rows in ClickHouse differ from %d in the file", len(got), len(want))
	}
	if !attempts["1"] || !attempts["2"] || len(attempts) != 2 {
		t.Errorf("rows of attempts %v count, want those of 1 and 2", attempts)
	}
	if got := s.sql(t, "SELECT max(if(attempt = 1, epoch, 0)) < min(if(attempt = 2, epoch, 1000)) FROM loss_latest"+of)[0]; got != "1" {
		t.Error("a row of attempt 1 counts where attempt 2 has one")
	}
}

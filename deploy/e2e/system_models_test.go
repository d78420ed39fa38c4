package e2e

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleaner/deploy/e2e/realdata"
	"gleaner/schemas"
)

// TestModels goes through the life of models by the commands that people type, on a system that is killed meanwhile.
func TestModels(t *testing.T) {
	yolox, fast, names := realdata.Need(t, "models", "yolox_nano.onnx"), realdata.Need(t, "models", "FastestDet.onnx"), realdata.Need(t, "models", "coco.names")
	i := install(t)
	usual := must(os.ReadFile(i.config))(t)
	if err := os.WriteFile(i.config, append(usual, "prelabel: {model: "+yolox+"}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	s := i.up(t)
	model := func(args ...string) []string { return append([]string{"model"}, args...) }
	refused := func(code int, want string, args ...string) {
		t.Helper()
		if _, errs, got := i.run(t, model(args...)...); got != code || !strings.Contains(errs, want) {
			t.Errorf("gleaner model %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, errs)
		}
	}
	metrics := func() string {
		t.Helper()
		answer, err := http.Get(s.at.Web + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return string(must(io.ReadAll(answer.Body))(t))
	}
	// serves waits until the running system has loaded a model for a dataset.
	serves := func(dataset, id, role string) {
		t.Helper()
		eventually(t, patience, id+" serves "+dataset, func() bool {
			return strings.Contains(metrics(), `gleaner_model_serving{dataset="`+dataset+`",model="`+id+`",role="`+role+`"}`)
		})
	}
	// labeledBy pushes images and waits until all of them are stamped by these models.
	labeledBy := func(dataset string, seed uint64, want ...string) {
		t.Helper()
		images := drawn(t, 4, seed)
		i.ok(t, "push", images, "--dataset", dataset)
		conn := s.connect(t)
		eventually(t, patience, "the images of "+dataset+" are prelabeled", func() bool {
			found, rejected := 0, s.sql(t, "SELECT count() FROM rejected FINAL WHERE dataset = '"+dataset+"'")[0]
			err := conn.Kafka.Scan(t.Context(), schemas.Prelabeled, func(r schemas.Record) error {
				sample, err := schemas.DecodeSample(r.Value)
				if err != nil || sample.Dataset != dataset {
					return err
				}
				var by []string
				for _, stamp := range sample.Stamps {
					if stamp.Step == "prelabel" {
						by = append(by, stamp.Model)
					}
				}
				if !slices.Equal(by, want) {
					t.Errorf("%s of %s is labeled by %v, want %v", sample.UniqueID, dataset, by, want)
				}
				found++
				return nil
			})
			return err == nil && found > 0 && found+int(rejected[0]-'0') == 4
		})
	}

	serves("*", "yolox_nano@1", "models") // the configuration's
	labeledBy("street", 1, "yolox_nano@1")

	m := decode[schemas.Model](t, i, model("add", fast, "--name", "fast", "--license", "BSD-3-Clause", "--label-space", "coco@2017")...)
	if m.ID != "fast@1" || m.Task != schemas.TaskDetect || m.Decode.Decoder != "fastestdet" || len(m.Classes) != 80 || m.LabelSpace != "coco@2017" {
		t.Errorf("%+v", m)
	}
	if out := i.ok(t, model("add", fast, "--name", "fast")...); !strings.Contains(out, "was registered before: fast@1") {
		t.Errorf("added again: %s", out)
	}
	if out := i.ok(t, model("show", "fast")...); !strings.Contains(out, "BSD-3-Clause") || !strings.Contains(out, m.SHA256.String()) {
		t.Errorf("shown: %s", out)
	}
	registeredModelsArePlanned(t, i)
	results := filepath.Join(t.TempDir(), "results.json")
	i.ok(t, "prelabel", realdata.Need(t, "coco128", "images", "000000000009.jpg"), "--model", "fast@1", "--out", results)
	if data := must(os.ReadFile(results))(t); !strings.Contains(string(data), `"gleaner_source":"fast@1"`) {
		t.Errorf("results of a registered model: %s", data)
	}
	i.ok(t, "prelabel", realdata.Need(t, "coco128", "images", "000000000009.jpg"), "--model", "yolox_nano@1", "--taxonomy", "coco", "--label-space", "coco@darknet", "--wanted", "bowl", "--out", results)
	junk := filepath.Join(t.TempDir(), "junk.onnx")
	if err := os.WriteFile(junk, []byte("no model"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(1, "not a model that this runtime can load", "add", junk, "--classes", names)
	refused(1, "registered already, and entries never change", "add", yolox, "--name", "fast", "--version", "1")
	refused(1, "not a model that this runtime can load", "add", junk)
	refused(1, `model "slow" is not registered`, "serve", "slow")
	refused(2, "want one list of models", "serve")
	refused(2, "want a share between 0 and 100%", "serve", "fast", "--canary", "100%")
	refused(1, "nothing to roll back to", "rollback", "--dataset", "cells")
	refused(1, "yolox_nano@1 serves dataset *", "remove", "yolox_nano")

	i.ok(t, model("serve", "yolox_nano,fast", "--dataset", "cells")...)
	i.ok(t, model("serve", "fast,yolox_nano", "--dataset", "tissue")...)
	serves("cells", "fast@1", "models")
	labeledBy("cells", 2, "yolox_nano@1", "fast@1")
	i.ok(t, model("serve", "fast", "--canary", "20%")...)
	if !strings.Contains(metrics(), `gleaner_model_serving{dataset="*",model="fast@1",role="canary"}`) {
		t.Error("model serve ended before the canary was in force")
	}

	s.kill()
	s.orphans(t)
	s = i.up(t)
	serves("*", "fast@1", "canary")
	labeledBy("tissue", 3, "fast@1", "yolox_nano@1")
	if out := i.ok(t, model("rollback")...); !strings.Contains(out, "every dataset without models of its own: yolox_nano@1") {
		t.Errorf("rolled back: %s", out)
	}

	// A file that changed in the store does not serve, and people see why.
	path := filepath.Join(i.dir, "blobs", filepath.FromSlash(m.File.Key))
	for _, dataset := range []string{"cells", "tissue"} {
		i.ok(t, model("serve", "--none", "--dataset", dataset)...)
	}
	eventually(t, patience, "fast@1 is out of memory", func() bool { return !strings.Contains(metrics(), `model="fast@1",role=`) })
	if err := os.WriteFile(path, []byte("other bytes"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(1, "dataset roads: fast@1: refused, and what served before goes on: ", "serve", "fast", "--dataset", "roads")
	if out := i.ok(t, model("list")...); !strings.Contains(out, "dataset roads: fast@1; in force: no models of its own (model fast@1: ") {
		t.Errorf("list:\n%s", out)
	}
	eventually(t, patience, "the status says why", func() bool {
		return strings.Contains(i.ok(t, "status"), "holds other bytes than were registered")
	})
	labeledBy("roads", 4, "yolox_nano@1")

	t.Run("pull", func(t *testing.T) {
		server := httptest.NewTLSServer(http.FileServer(http.Dir(filepath.Dir(fast))))
		defer server.Close()
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSL_CERT_FILE", ca) // of the commands
		address, digest := server.URL+"/FastestDet.onnx", m.SHA256.String()
		refused(1, "not the one that was asked for", "pull", address, "--classes", names, "--sha256", strings.Repeat("0", 64))
		refused(1, "the limit is 1000", "pull", address, "--classes", names, "--sha256", digest, "--max-size", "1000")
		refused(1, "want an https address", "pull", strings.Replace(address, "https", "http", 1), "--classes", names, "--sha256", digest)
		refused(2, "--sha256: digest", "pull", address, "--classes", names)
		if got := decode[schemas.Model](t, i, model("pull", address, "--classes", names, "--sha256", digest, "--name", "fast", "--serve=roads")...); got.ID != "fast@1" {
			t.Errorf("pulled %+v", got)
		}
		serves("roads", "fast@1", "models") // the file is mended, and asked for again
	})
	i.ok(t, model("rollback", "--dataset", "roads")...)
	i.ok(t, model("serve", "--none", "--dataset", "roads")...)
	i.ok(t, model("remove", "fast")...)
	refused(1, "no version that was not removed: fast@1", "serve", "fast")
	refused(1, "fast@1 was removed by operator", "serve", "fast@1")
	if out := i.ok(t, model("list")...); !strings.Contains(out, "removed") || !strings.Contains(out, "every dataset without models of its own: yolox_nano@1") {
		t.Errorf("list:\n%s", out)
	}
}

// registeredModelsArePlanned plans with fast@1, whose label space is known, and yolox_nano@1, whose is not, by registered rules.
func registeredModelsArePlanned(t *testing.T, i *installation) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, errs, code := i.run(t, "taxonomy", "plan", "--dataset", "zoo"); code != 1 || !strings.Contains(errs, "no registered taxonomy maps dataset zoo") {
		t.Errorf("plan without a taxonomy: %d %s", code, errs)
	}
	table := i.ok(t, "taxonomy", "show", "coco", "--tsv") + "raccoon\tchild\tanimal\nzoo@1:coon\texact\traccoon\nzoo@1:cat\texact\tcat\n"
	i.ok(t, "taxonomy", "apply", write("zoo.tsv", table), "--name", "zoo")
	plan := i.ok(t, "taxonomy", "plan", "--dataset", "zoo")
	for _, want := range []string{"\ncoon ", "\ncat ", "fast@1", "animal, to be refined", "note: yolox_nano@1 cannot be planned with: whose class names it uses"} {
		if !strings.Contains(plan, want) {
			t.Errorf("plan without %q:\n%s", want, plan)
		}
	}
	id := decode[[]schemas.Taxonomy](t, i, "taxonomy", "list", "zoo")[0].ID
	for text, want := range map[string]string{
		"dataset: zoo\ntaxonomy: zoo@9\n":                                `rules of dataset zoo: taxonomy "zoo@9" is not registered`,
		"dataset: zoo\ntaxonomy: " + id + "\nobjects: [{class: lynx}]\n": `rules of dataset zoo: class "lynx" is neither one of zoo@1 nor a canonical one of taxonomy ` + id,
	} {
		if _, errs, code := i.run(t, "dataset", "apply", write("wrong.yaml", text)); code != 1 || !strings.Contains(errs, want) {
			t.Errorf("rules that no model can be translated by: %d %s\nwant %s", code, errs, want)
		}
	}
	i.ok(t, "dataset", "apply", write("lynx.yaml", "dataset: zoo\nobjects: [{class: lynx, canonical: cat}]\n"))
	if plan := i.ok(t, "taxonomy", "plan", "--dataset", "zoo", "--classes", "lynx"); !strings.Contains(plan, "lynx   fast@1  cat") {
		t.Errorf("plan of a class that the rules give its meaning:\n%s", plan)
	}
	if shown := i.ok(t, "dataset", "show", "zoo"); !strings.Contains(shown, "lynx   cat") {
		t.Errorf("show:\n%s", shown)
	}
	rules := write("zoo.yaml", "dataset: zoo\ntaxonomy: "+id+"\nobjects: [{class: coon}]\n")
	if _, errs, code := i.run(t, "dataset", "apply", rules); code != 0 || !strings.Contains(errs, "dataset zoo: model yolox_nano@1: its label space is not known") {
		t.Errorf("rules that the model that serves cannot be translated by: %d %s", code, errs)
	}
	if plan := i.ok(t, "taxonomy", "plan", "--dataset", "zoo"); strings.Contains(plan, "\ncat ") || !strings.Contains(plan, "\ncoon ") {
		t.Errorf("plan by the rules:\n%s", plan)
	}
}

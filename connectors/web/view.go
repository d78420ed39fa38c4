package web

// What the desk's references mean: the task with its sample, draft and addresses, as people and tools see it.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"

	"gleaner/schemas"
)

// taskView is a task with all that is needed to work on it but the pixels.
type taskView struct {
	Task    schemas.Task         `json:"task"`
	Sample  schemas.Sample       `json:"sample"`           // without superpixel bytes
	Draft   *schemas.Annotation  `json:"draft,omitempty"`  // unfinished work, of whoever held the task last
	Result  *schemas.Annotation  `json:"result,omitempty"` // what was submitted in an earlier round
	Classes []string             `json:"classes"`          // sorted; other names are allowed where wanted is empty
	Wanted  []schemas.ObjectRule `json:"wanted,omitempty"` // the classes of the dataset's rules
	URLs    sampleURLs           `json:"urls"`
}

// sampleURLs are paths on this server; superpixels is empty when there are none.
type sampleURLs struct {
	Image       string `json:"image"`
	Superpixels string `json:"superpixels,omitempty"`
}

func (s *Server) view(ctx context.Context, task schemas.Task) (taskView, error) {
	sample, err := s.body(ctx, task)
	if err != nil {
		return taskView{}, err
	}
	v := taskView{Task: task, Sample: slim(sample), Wanted: s.wanted(sample.Dataset), URLs: urls(sample)}
	v.Classes = s.classes(sample, v.Wanted)
	if v.Draft, err = s.annotation(ctx, task.Draft); err != nil {
		return taskView{}, fmt.Errorf("web: draft of task %s: %w", task.ID, err)
	}
	if v.Result, err = s.annotation(ctx, task.Result); err != nil {
		return taskView{}, fmt.Errorf("web: result of task %s: %w", task.ID, err)
	}
	return v, nil
}

// body is the task's sample as the labeler shall see it; 410 when it was erased.
func (s *Server) body(ctx context.Context, task schemas.Task) (schemas.Sample, error) {
	if err := s.notErased(ctx, task.SampleID); err != nil {
		return schemas.Sample{}, err
	}
	data, err := s.deps.Blobs.Get(ctx, task.Body.Key)
	if err != nil {
		return schemas.Sample{}, fmt.Errorf("web: body of task %s: %w", task.ID, err)
	}
	sample, err := schemas.DecodeSample(data)
	if err != nil {
		return schemas.Sample{}, fmt.Errorf("web: body of task %s: %w", task.ID, err)
	}
	return sample, nil
}

func (s *Server) annotation(ctx context.Context, ref *schemas.BlobRef) (*schemas.Annotation, error) {
	if ref == nil {
		return nil, nil
	}
	data, err := s.deps.Blobs.Get(ctx, ref.Key)
	if err != nil {
		return nil, err
	}
	var a schemas.Annotation
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("decode %s: %w", ref.Key, err)
	}
	a.Objects = emptyNotNull(a.Objects)
	return &a, nil
}

// notErased obeys tombstones: nothing of an erased sample is served.
func (s *Server) notErased(ctx context.Context, id schemas.SampleID) error {
	_, err := s.deps.Blobs.Get(ctx, schemas.TombstoneKey(id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("web: tombstone of sample %s: %w", id, err)
	}
	return problem(http.StatusGone, fmt.Sprintf("sample %s was erased", id), "nothing: it will not come back")
}

// sample finds a sample by the id in the path: as the desk shows it if it has a task, else as the catalog has it. So labeling
// goes on while the catalog is away.
func (s *Server) sample(r *http.Request) (schemas.Sample, error) {
	id, err := sampleID(r)
	if err != nil {
		return schemas.Sample{}, err
	}
	if task, ok := s.deps.Desk.Task(schemas.TaskID(id, "detect")); ok {
		return s.body(r.Context(), task)
	}
	return s.latest(r.Context(), id)
}

// latest is the catalog's record of a sample.
func (s *Server) latest(ctx context.Context, id schemas.SampleID) (schemas.Sample, error) {
	if err := s.notErased(ctx, id); err != nil {
		return schemas.Sample{}, err
	}
	if s.deps.Catalog == nil {
		return schemas.Sample{}, missing("catalog")
	}
	sample, ok, err := s.deps.Catalog.Sample(ctx, id)
	if err != nil {
		return schemas.Sample{}, fmt.Errorf("web: sample %s: %w", id, err)
	}
	if !ok {
		return schemas.Sample{}, problem(http.StatusNotFound, fmt.Sprintf("no sample %s", id), "wait if it was just pushed; `gleaner trace` shows its way")
	}
	return sample, nil
}

func (s *Server) getSample(w http.ResponseWriter, r *http.Request) error {
	id, err := sampleID(r)
	if err != nil {
		return err
	}
	sample, err := s.latest(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"sample": slim(sample), "urls": urls(sample)})
}

func sampleID(r *http.Request) (schemas.SampleID, error) {
	id, err := schemas.ParseSampleID(r.PathValue("id"))
	if err != nil {
		return id, problem(http.StatusBadRequest, err.Error(), "copy the id from a task or a label")
	}
	return id, nil
}

// slim leaves out the superpixel bytes and what is for lint alone, and makes lists of what is nil, for JSON.
func slim(sample schemas.Sample) schemas.Sample {
	sample.Superpixels.Data, sample.Candidates = nil, nil
	sample.Objects = emptyNotNull(sample.Objects)
	sample.Stamps = emptyNotNull(sample.Stamps)
	return sample
}

func urls(sample schemas.Sample) sampleURLs {
	u := sampleURLs{Image: "/api/samples/" + sample.ID.String() + "/image"}
	if sample.Superpixels.Count > 0 {
		u.Superpixels = "/api/samples/" + sample.ID.String() + "/superpixels"
	}
	return u
}

func (s *Server) wanted(dataset string) []schemas.ObjectRule {
	if s.deps.Rules == nil {
		return nil
	}
	rules, _ := s.deps.Rules.Rules(dataset)
	return rules.Objects
}

// classes are those that the dataset's rules name, or else all that are known.
func (s *Server) classes(sample schemas.Sample, wanted []schemas.ObjectRule) []string {
	names := []string{}
	if len(wanted) > 0 {
		for _, o := range wanted {
			names = append(names, o.Class)
		}
		slices.Sort(names)
		return names
	}
	if s.deps.Classes != nil {
		names = append(names, s.deps.Classes(sample.Dataset)...)
	}
	for _, list := range [][]schemas.Object{sample.Objects, sample.Proposals} {
		for _, o := range list {
			names = append(names, o.Class)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

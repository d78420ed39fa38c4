package schemas

import (
	"slices"
	"time"
)

// Sample is what travels from step to step: an image, where it came from, and everything that was found in it so far.
type Sample struct {
	ID       SampleID          `json:"id"`
	Dataset  string            `json:"dataset"`
	UniqueID string            `json:"unique_id,omitempty"`
	Task     string            `json:"task"` // default "detect"
	Image    ImageRef          `json:"image"`
	Slices   map[string]string `json:"slices,omitempty"` // producer's metadata: weather, night, source; discovered ones are in ClickHouse
	PHash    uint64            `json:"phash"`            // 64-bit DCT perceptual hash of the upright luma
	Group    SampleID          `json:"group"`            // near-duplicate group: the id of its first member; splits hash it
	Received time.Time         `json:"received"`         // when the producer's record reached the raw topic

	Stage    Stage  `json:"stage"`    // the last step that wrote it
	Revision uint64 `json:"revision"` // 0 from ingest; the desk's task version once people have submitted
	Rank     Rank   `json:"rank"`     // who made Objects

	Objects     []Object     `json:"objects"`
	Proposals   []Object     `json:"proposals,omitempty"`  // what each model saw at low thresholds, for lint: Score means the same as on Objects
	Candidates  []Candidates `json:"candidates,omitempty"` // what the models' cells say, for lint: of each model those of the whole image, and then those of its other looks
	Superpixels Superpixels  `json:"superpixels"`
	Findings    []Finding    `json:"findings,omitempty"`  // by lint; once people have submitted, and until lint has seen it, those that they were shown
	Overrides   []Override   `json:"overrides,omitempty"` // findings that people have settled
	Stamps      []Stamp      `json:"stamps"`              // provenance, oldest first: one a step, of prelabel one a model
	Actor       string       `json:"actor,omitempty"`     // who submitted: "alice", or "simulated:<name>"
}

// Models lists the ids of the models that looked for objects in the image, in the order of prelabel's stamps: other steps name what
// they work with too.
func (s *Sample) Models() []string {
	var ids []string
	for _, stamp := range s.Stamps {
		if stamp.Step == "prelabel" && stamp.Model != "" && !slices.Contains(ids, stamp.Model) {
			ids = append(ids, stamp.Model)
		}
	}
	return ids
}

// Stage orders the steps that write samples; of one revision, later stages replace earlier ones in the catalog. Lint sees a
// sample twice: once people have submitted it, what lint says comes after the submission.
type Stage uint8

// The stages, in the order of the flow.
const (
	StageSamples Stage = iota + 1
	StagePrelabeled
	StageSegmented
	StageLinted
	StageSubmitted
)

// Superpixels is a label map in the codec of schemas/labelmap. Count 0 means there is none.
type Superpixels struct {
	Count    int    `json:"count"`
	Encoding string `json:"encoding,omitempty"` // labelmap.Encoding
	Data     []byte `json:"data,omitempty"`
}

// Stamp says which step touched a sample, with what and when.
type Stamp struct {
	Step    string    `json:"step"`
	Version string    `json:"version"`         // of the binary
	Model   string    `json:"model,omitempty"` // name@version
	Hash    string    `json:"hash,omitempty"`  // SHA-256 of the model file, hex
	At      time.Time `json:"at"`              // when the step finished, UTC, microseconds
	Millis  float32   `json:"ms"`              // how long it took
}

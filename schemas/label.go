package schemas

import "time"

// Label is one accepted set of objects for one sample. The labels topic is append-only: readers keep, for each sample, the
// label with the highest (Rank, Revision).
type Label struct {
	SampleID  SampleID          `json:"sample_id"`
	Dataset   string            `json:"dataset"`
	UniqueID  string            `json:"unique_id,omitempty"`
	Task      string            `json:"task"`
	Image     ImageRef          `json:"image"`
	Group     SampleID          `json:"group"`
	Slices    map[string]string `json:"slices,omitempty"`
	Rank      Rank              `json:"rank"`
	Revision  uint64            `json:"revision"`
	Objects   []Object          `json:"objects"`
	Overrides []Override        `json:"overrides,omitempty"` // findings that people have settled
	Actor     string            `json:"actor"`               // "route" when automatic, else who submitted
	Stamps    []Stamp           `json:"stamps"`
	At        time.Time         `json:"at"`
}

// Better reports whether l replaces old as the label of its sample.
func (l Label) Better(old Label) bool {
	if l.Rank != old.Rank {
		return l.Rank > old.Rank
	}
	return l.Revision > old.Revision
}

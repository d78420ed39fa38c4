package schemas

import "time"

// Tombstone says that a sample was erased. It lies in the blob store under TombstoneKey. No store may serve the sample, and the
// steps at the edges of the flow (ingest, publish, route, catalog) drop it, counted, so that it reaches neither the desk nor the
// labels; those between only pass on what the topics before them hold.
type Tombstone struct {
	SampleID SampleID  `json:"sample_id"`
	Dataset  string    `json:"dataset"`
	Image    Hash      `json:"image"`
	Actor    string    `json:"actor"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

package schemas

import "time"

// Tombstone says that a sample was erased. It lies in the blob store under TombstoneKey; steps that meet the sample again
// drop it, counted, and no store may serve it.
type Tombstone struct {
	SampleID SampleID  `json:"sample_id"`
	Dataset  string    `json:"dataset"`
	Image    Hash      `json:"image"`
	Actor    string    `json:"actor"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
}

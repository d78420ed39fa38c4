package schemas

import "time"

// Distillate is a set of synthetic images that stands for one class of a dataset version, with the recipe that made it.
type Distillate struct {
	Dataset        string    `json:"dataset"`
	DatasetVersion string    `json:"dataset_version"`
	Class          string    `json:"class"`
	Version        string    `json:"version"`
	Recipe         string    `json:"recipe"` // method and parameters as canonical JSON
	Images         [][]byte  `json:"-"`      // encoded images
	MediaType      string    `json:"media_type"`
	At             time.Time `json:"at"`
}

// Package coco reads and writes the JSON of COCO object detection (Lin et al. 2014, cocodataset.org "Data format"): boxes
// are [x, y, width, height] in pixels from the top left corner.
package coco

// image, annotation and category are the records of the format. UniqueID, SampleID and the label's provenance are
// additions that other readers ignore.
type image struct {
	ID       int64  `json:"id"`
	FileName string `json:"file_name"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	SHA256   string `json:"sha256,omitempty"`
	SampleID string `json:"gleaner_sample_id,omitempty"`
	Rank     string `json:"gleaner_rank,omitempty"`
	Actor    string `json:"gleaner_actor,omitempty"`
}

type annotation struct {
	ID         int64             `json:"id"`
	ImageID    int64             `json:"image_id"`
	CategoryID int64             `json:"category_id"`
	Box        []float64         `json:"bbox"`
	Area       float64           `json:"area"`
	Crowd      int               `json:"iscrowd"`
	Source     string            `json:"gleaner_source,omitempty"`
	ObjectID   string            `json:"gleaner_object_id,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // as CVAT writes them
}

type category struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

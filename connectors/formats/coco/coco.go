// Package coco reads and writes the JSON of COCO object detection (Lin et al. 2014, cocodataset.org "Data format"): boxes
// are [x, y, width, height] in pixels from the top left corner.
package coco

import (
	"encoding/json"
	"fmt"
)

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
	ID         int64      `json:"id"`
	ImageID    int64      `json:"image_id"`
	CategoryID int64      `json:"category_id"`
	Box        []float64  `json:"bbox"`
	Area       float64    `json:"area"`
	Crowd      crowd      `json:"iscrowd"`
	Source     string     `json:"gleaner_source,omitempty"`
	ObjectID   string     `json:"gleaner_object_id,omitempty"`
	Attributes attributes `json:"attributes,omitempty"`
}

// crowd is 1 for a region of many things. Some write true and false.
type crowd int

// UnmarshalJSON implements json.Unmarshaler.
func (c *crowd) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true":
		*c = 1
		return nil
	case "false", "null":
		return nil
	}
	return json.Unmarshal(data, (*int)(c))
}

// attributes are an object with texts, as CVAT writes them. Read are numbers, true and false, too; lists and the like are left out.
type attributes map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (a *attributes) UnmarshalJSON(data []byte) error {
	var all map[string]any
	if json.Unmarshal(data, &all) != nil {
		return nil // they are no attributes
	}
	for name, value := range all {
		switch value.(type) {
		case string, bool, float64:
			if *a == nil {
				*a = attributes{}
			}
			(*a)[name] = fmt.Sprint(value)
		}
	}
	return nil
}

type category struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

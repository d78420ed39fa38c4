package schemas

import "gleaner/schemas/geometry"

// Candidates are the dense outputs of one detector for one image, before suppression: what its cells (anchors, queries) say, as
// lint needs it to judge labels without running the model again. Nothing is in them twice: a detection that became a proposal has
// its cell here too.
type Candidates struct {
	Model   string         `json:"model"`           // name@version
	Look    Look           `json:"look,omitempty"`  // what of the image it looked at
	Floor   float32        `json:"floor"`           // [0,1]: no cell that scores more is left out; of closer looks, none that says something of what they are at
	At      []geometry.Box `json:"at,omitempty"`    // of closer looks at what no label covers: what they are at
	Classes []string       `json:"classes"`         // names that ClassScore.Class counts, in the dataset's label space
	Cells   []Candidate    `json:"cells,omitempty"` // best first
}

// Look is a way in which a detector looks at an image.
type Look string

// Looks are at the whole image, at tiles of it, closer at each of its labels, and closer at what models propose and no label covers; of the
// latter two the cells say something about these alone.
const (
	LookWhole     Look = ""
	LookTiles     Look = "tiles"
	LookCloser    Look = "closer"
	LookUnlabeled Look = "unlabeled"
)

// Candidate is what one cell of a detector says.
type Candidate struct {
	Box    geometry.Box `json:"box"`             // pixels of the upright image, within it and not empty, where the dataset's convention has it
	Score  float32      `json:"score"`           // [0,1], of its best class, whether the dataset has a use for that or not
	Scores []ClassScore `json:"scores"`          // of its best classes that the dataset has a use for, best first; may be empty
	Sides  *Sides       `json:"sides,omitempty"` // where the model says how sure it is of each edge
}

// ClassScore is the score of one class.
type ClassScore struct {
	Class uint16  `json:"class"` // index in Candidates.Classes
	Score float32 `json:"score"` // [0,1], on the scale of detections
}

// Sides are the distributions of a box's four distances from the center of its cell, as models trained with distribution focal
// loss give them (generalized focal loss, Li et al. 2020). The left edge lies at X - d*StepX with the probability that bin d
// has, the bottom one at Y + d*StepY; between two bins probability is read off the line between theirs.
type Sides struct {
	X     float32 `json:"x"` // center of the cell, pixels of the upright image
	Y     float32 `json:"y"`
	StepX float32 `json:"step_x"` // pixels of one bin
	StepY float32 `json:"step_y"`
	P     []byte  `json:"p"` // [4, bins]: left, top, right, bottom; probability in 255ths
}

package schemas

// LossArrival counts what one batch of losses brought of a run.
type LossArrival struct {
	RunID   string
	Dataset string
	Attempt uint32 // highest
	Epoch   uint32 // highest of that attempt
	Rows    uint64
	Late    uint64 // rows of an epoch, or an attempt, before one that had come already
	NaN     uint64 // rows whose loss is not finite
}

package schemas

// Bounds are the offsets that one partition of a topic holds at some moment.
type Bounds struct {
	First int64 // of the oldest record that is still there
	End   int64 // of the next record to be written: First == End when there is none
}

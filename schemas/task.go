package schemas

import "time"

// Task is one piece of work for a person, as the desk's fold holds it.
type Task struct {
	ID       string    `json:"id"` // TaskID(sample, task)
	SampleID SampleID  `json:"sample_id"`
	Dataset  string    `json:"dataset"`
	UniqueID string    `json:"unique_id,omitempty"`
	Task     string    `json:"task"`
	Queue    string    `json:"queue"`
	Priority float64   `json:"priority"`
	Reason   string    `json:"reason"`
	State    TaskState `json:"state"`
	Version  uint64    `json:"version"` // increases with every effective change that an editor must know of
	Round    uint64    `json:"round"`   // 1 at first, incremented when the task is reopened
	Body     BlobRef   `json:"body"`
	Draft    *BlobRef  `json:"draft,omitempty"`
	Result   *BlobRef  `json:"result,omitempty"` // the Annotation submitted last
	Holder   string    `json:"holder,omitempty"`
	Lease    time.Time `json:"lease,omitzero"` // when the claim ends; zero: nobody has claimed it
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed"`
}

// TaskState is where a task stands.
type TaskState string

// The states of a task.
const (
	TaskOpen      TaskState = "open"
	TaskClaimed   TaskState = "claimed"
	TaskSubmitted TaskState = "submitted"
	TaskCanceled  TaskState = "canceled"
)

// TaskID names the one task that a sample has for a kind of work.
func TaskID(id SampleID, task string) string { return id.String() + "-" + task }

// TaskFilter picks tasks to list; empty fields do not restrict.
type TaskFilter struct {
	Queue string
	State TaskState
	Limit int // at most this many, 0: 100
}

// QueueCount counts the tasks of one queue by state.
type QueueCount struct {
	Queue     string `json:"queue"`
	Open      int    `json:"open"`
	Claimed   int    `json:"claimed"`
	Submitted int    `json:"submitted"`
	Canceled  int    `json:"canceled"`
}

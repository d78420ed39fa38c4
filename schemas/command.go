package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

// DeskFold is the version of the desk's fold that this code writes into a new log.
const DeskFold = 1

// Command is one entry of the desk's log: JSON on the desk topic. The fold drops an ID it has seen and refuses a command
// past NotAfter, so a write of unknown outcome is safe to send again.
type Command struct {
	ID       string          `json:"id"` // client-supplied, unique: the idempotency key
	Actor    string          `json:"actor"`
	At       time.Time       `json:"at"`                // the proposer's clock, UTC
	NotAfter time.Time       `json:"not_after"`         // refused when fold time has passed it; zero: never
	Genesis  string          `json:"genesis,omitempty"` // the log it is meant for; refused by another; empty: any
	Kind     CommandKind     `json:"kind"`
	Body     json.RawMessage `json:"body"`
}

// Record is the record that puts the command on the desk's log. All share one key: a queue's order lives in one partition, and the topic has one.
func (c Command) Record() (Record, error) {
	value, err := json.Marshal(c)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s command %s: %w", c.Kind, c.ID, err)
	}
	return Record{Topic: Desk, Key: []byte("0"), Value: value}, nil
}

// CommandKind names what a command asks for.
type CommandKind string

// The kinds of command of fold version 1 and the types of their bodies. A kind that a fold does not know is a counted no-op.
const (
	CommandGenesis      CommandKind = "genesis"      // GenesisBody: the first record of a log
	CommandUpgrade      CommandKind = "upgrade"      // UpgradeBody: changes the fold version
	CommandTick         CommandKind = "tick"         // TickBody, or none: moves the fold's time
	CommandCreate       CommandKind = "create"       // CreateBody
	CommandClaim        CommandKind = "claim"        // ClaimBody
	CommandRenew        CommandKind = "renew"        // TaskBody
	CommandRelease      CommandKind = "release"      // TaskBody
	CommandDraft        CommandKind = "draft"        // DraftBody
	CommandSubmit       CommandKind = "submit"       // SubmitBody
	CommandReprioritize CommandKind = "reprioritize" // ReprioritizeBody
	CommandCancel       CommandKind = "cancel"       // TaskBody
	CommandErase        CommandKind = "erase"        // EraseBody
)

// GenesisBody begins a log.
type GenesisBody struct {
	Genesis string `json:"genesis"` // random id of this log
	Fold    int    `json:"fold"`
}

// UpgradeBody changes the fold version from this command on.
type UpgradeBody struct {
	Fold int `json:"fold"`
}

// TickBody says which hash the proposer's fold had at an offset, so that the other instances can compare. The fold ignores it.
type TickBody struct {
	Offset int64 `json:"offset"`
	Hash   Hash  `json:"hash"`
}

// CreateBody opens a task for a sample, or reopens a submitted one with a new reason. A task that is open or claimed only
// takes the higher of both priorities.
type CreateBody struct {
	SampleID SampleID `json:"sample_id"`
	Dataset  string   `json:"dataset"`
	UniqueID string   `json:"unique_id,omitempty"`
	Task     string   `json:"task"`     // "detect"
	Queue    string   `json:"queue"`    // the dataset's name unless rules say otherwise
	Priority float64  `json:"priority"` // higher is sooner
	Reason   string   `json:"reason"`   // for people: why a person should look
	Body     BlobRef  `json:"body"`     // the Sample as the labeler shall see it (Arrow, no inline pixels)
	Reopen   bool     `json:"reopen,omitempty"`
	Revision uint64   `json:"revision,omitempty"` // with Reopen: of the label that is doubted; a task submitted since is left as it is; 0: any
}

// ClaimBody takes one task: TaskID if set, else the first of the queue, else the first of all queues.
type ClaimBody struct {
	TaskID string        `json:"task_id,omitempty"`
	Queue  string        `json:"queue,omitempty"`
	Lease  time.Duration `json:"lease"` // nanoseconds; the fold bounds it
}

// TaskBody names a task and the version of it that the actor saw.
type TaskBody struct {
	TaskID  string `json:"task_id"`
	Version uint64 `json:"version"`
	Reason  string `json:"reason,omitempty"`
}

// DraftBody saves unfinished work: an Annotation in the blob store.
type DraftBody struct {
	TaskID  string  `json:"task_id"`
	Version uint64  `json:"version"`
	Draft   BlobRef `json:"draft"`
}

// SubmitBody finishes a task with an Annotation in the blob store.
type SubmitBody struct {
	TaskID     string  `json:"task_id"`
	Version    uint64  `json:"version"`
	Annotation BlobRef `json:"annotation"`
}

// ReprioritizeBody moves a task within its queue.
type ReprioritizeBody struct {
	TaskID   string  `json:"task_id"`
	Priority float64 `json:"priority"`
	Reason   string  `json:"reason"`
}

// EraseBody forgets a sample: its task is removed and never opened again.
type EraseBody struct {
	SampleID SampleID `json:"sample_id"`
}

// Annotation is what a person made of a task: JSON in the blob store.
type Annotation struct {
	Objects   []Object   `json:"objects"`
	Overrides []Override `json:"overrides,omitempty"`
	Findings  []Finding  `json:"findings,omitempty"` // that submissions of this work were answered with before it counted: by the desk's account, not the person's
}

// Answered is what one actor's submissions of a task were answered with in one round, before they counted: JSON in the blob store under
// AnsweredKey.
type Answered struct {
	Round    uint64    `json:"round"`
	Actor    string    `json:"actor"`
	Findings []Finding `json:"findings"`
}

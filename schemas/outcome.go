package schemas

import "errors"

// ErrOutcomeUnknown is wrapped by errors of a write that may or may not have reached the desk's log: sending the same
// command id again is safe and tells. HTTP 503.
var ErrOutcomeUnknown = errors.New("outcome unknown: send it again with the same command id")

// Outcome is what the fold decided about one command.
type Outcome struct {
	CommandID string   `json:"command_id"`
	Verdict   Verdict  `json:"verdict"`
	Reason    string   `json:"reason,omitempty"` // for people, when not applied
	Task      *Task    `json:"task,omitempty"`   // the task after the command, as it is now for a repeated one; on stale the newer version
	Kept      *BlobRef `json:"kept,omitempty"`   // on stale or refused: the draft or annotation that was not taken, which stays in the blob store
	Offset    int64    `json:"offset"`           // of the command on the desk topic
}

// Verdict says whether a command took effect.
type Verdict string

// The verdicts. Only Applied changed the state.
const (
	Applied  Verdict = "applied"
	Stale    Verdict = "stale"     // another version is current: HTTP 409
	NotFound Verdict = "not-found" // no such task: HTTP 404
	Empty    Verdict = "empty"     // nothing to claim: HTTP 204
	Refused  Verdict = "refused"   // not the holder, or in the wrong state: HTTP 409
	Expired  Verdict = "expired"   // past not_after: HTTP 408
	Unknown  Verdict = "unknown"   // undecodable, or a kind this fold does not know: HTTP 400
)

package schemas

// Names of record headers. Producers set the first group on the raw topic; the others are the system's own.
const (
	HeaderDataset   = "dataset"    // required on raw
	HeaderUniqueID  = "unique-id"  // optional on raw: the producer's own id, unique within the dataset, at most MaxName bytes
	HeaderMediaType = "media-type" // optional on raw: else sniffed
	HeaderTask      = "task"       // optional on raw: what is asked of labelers, at most MaxName bytes; default "detect"
	HeaderSlice     = "slice."     // prefix on raw: slice.weather=rain

	// HeaderTrace is a W3C traceparent, carried from step to step.
	HeaderTrace = "traceparent"

	// HeaderReplayStep names the one step that a replayed record is meant for: other consumers of the topic pass it by.
	HeaderReplayStep = "replay-step"
	// HeaderReplayOf names the dead letter that a replayed record was, "partition/offset" on dead: when the record dies
	// again, the new letter takes the place of that one.
	HeaderReplayOf = "replay-of"
	// HeaderAccept on a replayed raw record makes ingest accept what it rejected before ("taken back").
	HeaderAccept = "accept-rejected"

	// The origin of a record on dead or rejected.
	HeaderOriginTopic     = "origin-topic"
	HeaderOriginPartition = "origin-partition"
	HeaderOriginOffset    = "origin-offset"
	HeaderStep            = "step"
	HeaderReason          = "reason"
	HeaderError           = "error"
	HeaderAttempt         = "attempt"

	// HeaderEvent marks control records on losses: EventRunFinished.
	HeaderEvent = "event"
)

// MaxName is how many bytes an id or a name may have that a producer, a person or a configuration gives: a unique id, a kind of
// task, a queue, an actor. The desk's fold refuses longer ones as of version 1, so whoever takes them in must too.
const MaxName = 1024

// EventRunFinished follows the last loss row of a run on its partition; the record's value is a Run in JSON.
const EventRunFinished = "run-finished"

// MediaTypeRef is the media type of a claim check on raw: the value is a Ref in JSON.
const MediaTypeRef = "application/vnd.gleaner.ref+json"

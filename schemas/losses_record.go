package schemas

import "encoding/json"

// LossRowsPerMessage keeps a message near half a megabyte.
const LossRowsPerMessage = 8192

// LossRecords are the messages of a run's rows for the losses topic, in the order of the rows.
func LossRecords(runID string, rows *Losses) ([]Record, error) {
	var records []Record
	for start := 0; start < rows.Len(); start += LossRowsPerMessage {
		part := rows.Slice(start, min(start+LossRowsPerMessage, rows.Len()))
		value, err := EncodeLosses(&part)
		if err != nil {
			return nil, err
		}
		records = append(records, Record{Topic: LossRows, Key: []byte(runID), Value: value})
	}
	return records, nil
}

// RunFinishedRecord is the message that says that a run is over, and what came out.
func RunFinishedRecord(run Run) (Record, error) {
	value, err := json.Marshal(run)
	return Record{Topic: LossRows, Key: []byte(run.RunID), Value: value, Headers: []Header{{Key: HeaderEvent, Value: []byte(EventRunFinished)}}}, err
}

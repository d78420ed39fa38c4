package stages

import (
	"context"
	"encoding/json"
	"fmt"

	"gleaner/schemas"
)

// maxSelection is how large a selection's message may be before its picks move to the blob store, in bytes.
const maxSelection = 4 << 20

// EmitSelection makes the record that puts a selection on its topic. Picks that are too many for a message are put into the blob
// store first, and the message names them.
func EmitSelection(ctx context.Context, blobs interface {
	Put(ctx context.Context, key string, data []byte) error
}, s schemas.Selection,
) (schemas.Emit, error) {
	value, err := json.Marshal(s)
	if err == nil && len(value) > maxSelection {
		var picks []byte
		if picks, err = json.Marshal(s.Picks); err != nil {
			return schemas.Emit{}, fmt.Errorf("selection %s: %w", s.ID, err)
		}
		s.Picks, s.Blob = nil, &schemas.BlobRef{Key: schemas.SelectionKey(s.ID), Size: int64(len(picks))}
		if err := blobs.Put(ctx, s.Blob.Key, picks); err != nil {
			return schemas.Emit{}, fmt.Errorf("selection %s: picks: %w", s.ID, err)
		}
		value, err = json.Marshal(s)
	}
	if err != nil {
		return schemas.Emit{}, fmt.Errorf("selection %s: %w", s.ID, err)
	}
	return schemas.Emit{Topic: schemas.Selections, Record: schemas.Record{Topic: schemas.Selections, Key: []byte(s.Key()), Value: value}}, nil
}

package ingest

// What a sample that was erased meanwhile leaves behind.

import (
	"context"
	"fmt"
	"slices"

	"gleaner/schemas"
	"gleaner/stages"
)

// erased tells whether the sample has a tombstone, and then undoes what this try, or one that was cut short, has stored:
// the erasure may have been over by then. It is asked before the work, so that a replay stores nothing, and after it.
func (s *Ingest) erased(ctx context.Context, in *incoming) (bool, error) {
	id := in.sample.ID
	erased, err := stages.Erased(ctx, s.deps.Blobs, id)
	if err == nil && erased {
		err = s.undo(ctx, in)
	}
	if err != nil {
		return false, fmt.Errorf("ingest: sample %s: %w", id, err)
	}
	return erased, nil
}

// undo removes the image and what names its owner, as an erasure does: bytes that are another sample's too stay.
func (s *Ingest) undo(ctx context.Context, in *incoming) error {
	id, dataset, image := in.sample.ID, in.sample.Dataset, in.sample.Image.SHA256
	if s.deps.Twins != nil {
		s.deps.Twins.Remove(dataset, id)
	}
	keys := []string{schemas.ContentKey(id), schemas.GroupKey(id)}
	owner, err := s.owner(ctx, &in.sample)
	if err != nil {
		return err
	}
	own := owner == "" || owner == id.String() // a sample just let in may not be known to be a user yet
	if own && s.deps.Users != nil {
		users, err := s.deps.Users.ImageUsers(ctx, image)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(users, func(u schemas.SampleID) bool { return u != id }) {
			keys = append(keys, schemas.ImageKey(image))
		}
	}
	if owner == id.String() {
		keys = append(keys, schemas.OwnerKey(dataset, image)) // last: it says whose the image is, should the rest fail
	}
	for _, key := range keys {
		if err := s.deps.Blobs.Delete(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

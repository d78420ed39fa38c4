package prelabel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gleaner/schemas"
	"gleaner/stages/pixels"
)

// Try loads a model, checks that it is the one that its entry describes, by ID, SHA256 and Classes, and lets it look at a gray
// image, so that it has worked once before a sample depends on it. A panic of a decoder on outputs that nobody foresaw is a
// schemas.Fault, and so is a failed trial unless memory was short.
func Try(ctx context.Context, load func(context.Context, schemas.Model) (Loaded, error), entry schemas.Model) (l Loaded, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = schemas.NewFault("panic", fmt.Errorf("panic: %v", p))
		}
		if err != nil && l != nil {
			_ = l.Close()
			l = nil
		}
	}()
	if l, err = load(ctx, entry); err != nil {
		return nil, err
	}
	if m := l.Model(); m.ID != entry.ID || m.SHA256 != entry.SHA256 || !slices.Equal(m.Classes, entry.Classes) {
		return l, schemas.NewFault("other-model", fmt.Errorf("what was loaded is %s with digest %s and %d classes, the entry says digest %s and %d classes",
			m.ID, m.SHA256, len(m.Classes), entry.SHA256, len(entry.Classes)))
	}
	if _, err = l.Detect(ctx, trialImage(), 0.5); err == nil {
		return l, nil
	}
	err = fmt.Errorf("trial run: %w", err)
	if ctx.Err() == nil && !errors.Is(err, schemas.ErrOutOfMemory) {
		err = schemas.NewFault("trial-run", err)
	}
	return l, err
}

// trialImage is gray, and of sides that are no multiple of anything.
func trialImage() *pixels.Image {
	img := &pixels.Image{W: 97, H: 61}
	img.Pix = slices.Repeat([]uint8{128}, 3*img.W*img.H)
	return img
}

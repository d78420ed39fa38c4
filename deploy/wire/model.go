package wire

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"gleaner/connectors/onnx"
	"gleaner/deploy/config"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// model is a detector with its session.
type model struct {
	prelabel.Detector
	session *onnx.Session
	space   string
}

// Model is the detector's, with the label space that the registry has.
func (m *model) Model() schemas.Model {
	model := m.Detector.Model()
	model.LabelSpace = m.space
	return model
}

// Close frees the session.
func (m *model) Close() error { return m.session.Close() }

// override is a decode spec with each part that by says in place of its own.
func override(spec, by schemas.Decode) (schemas.Decode, error) {
	said, err := json.Marshal(by) // parts that are not said are left out
	if err == nil {
		err = json.Unmarshal(said, &spec)
	}
	return spec, err
}

// OpenModel makes a detector of an ONNX file, as its entry describes it: by id, classes and decode spec, and for what that leaves
// out by what the file says of itself. A file that the runtime cannot load, or that has no decoder, is a schemas.Fault, and so is a layer for embeddings that it does not have. What
// may work later is none: a runtime whose library is missing, or too little memory.
func OpenModel(data []byte, entry schemas.Model, cfg config.Config, log *slog.Logger) (prelabel.Loaded, error) {
	within, err := config.ModelMetadata(data)
	if err != nil {
		return nil, schemas.NewFault("corrupt", err)
	}
	if entry.Decode, err = override(within.Decode, entry.Decode); err != nil {
		return nil, err
	}
	runtime, err := onnx.Open()
	if err != nil {
		return nil, err
	}
	defer runtime.Close() // the session keeps a hold of its own
	sized := cfg.ONNX
	sized.Width, sized.Height = entry.Decode.Input.Width, entry.Decode.Input.Height
	session, seen, err := openSession(runtime, sized, cfg.Prelabel.Embeddings, log, entry.ID, data)
	if err != nil {
		return nil, refusal(err, "corrupt")
	}
	detector, err := prelabel.Recognize(seen, entry.ID, entry.Classes, entry.Decode)
	if err != nil {
		return nil, errors.Join(refusal(err, "no-decoder"), session.Close())
	}
	return &model{detector, session, entry.LabelSpace}, nil
}

// refusal is a schemas.Fault, for that reason where the model is to blame, unless memory was short.
func refusal(err error, reason string) error {
	switch {
	case errors.Is(err, schemas.ErrOutOfMemory):
		return err
	case errors.Is(err, onnx.ErrNoLayer):
		reason = "no-layer"
	}
	return schemas.NewFault(reason, err)
}

// loadModel opens a registered model. A file that is not the one that was registered is a schemas.Fault; one that cannot be read,
// or is not there, may be there later.
func (c *Connections) loadModel(ctx context.Context, entry schemas.Model) (prelabel.Loaded, error) {
	data, err := c.Blobs.Get(ctx, entry.File.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its file is missing: put it back, or add it again (gleaner model add): %w", err)
	}
	if err != nil {
		return nil, err
	}
	if got := schemas.Hash(sha256.Sum256(data)); got != entry.SHA256 {
		return nil, schemas.NewFault("corrupt", fmt.Errorf("file %s holds other bytes than were registered, of digest %s", entry.File.Key, got))
	}
	return OpenModel(data, entry, c.Config, c.Log)
}

// OpenRegistered opens the model that name@version stands for, or the only version of a name. Its label space is space where its
// entry says none.
func (c *Connections) OpenRegistered(ctx context.Context, name, space string) (prelabel.Loaded, error) {
	r, err := c.Registry(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := FindModel(r, name)
	if err != nil {
		return nil, err
	}
	entry.LabelSpace = cmp.Or(entry.LabelSpace, space)
	m, err := c.loadModel(ctx, entry)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", entry.ID, err)
	}
	return m, nil
}

package wire

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"gleaner/deploy/config"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// serveConfigured registers the model that the configuration names, and lets it serve every dataset without models of its own
// for as long as no command has said otherwise.
func (c *Connections) serveConfigured(ctx context.Context) error {
	if c.Config.Prelabel.Model == "" {
		return nil
	}
	id, err := c.registerConfigured(ctx)
	if err != nil {
		return err
	}
	r, err := c.Registry(ctx)
	if err != nil {
		return err
	}
	now, ok := r.Serving[schemas.AnyDataset]
	switch {
	case slices.Equal(now.Models, []string{id}):
		return nil
	case ok && now.Actor != schemas.ActorConfiguration:
		c.Log.Warn("the configured model does not serve, since a command has chosen otherwise", "model", id, "serving", now.All(), "by", now.Actor)
		return nil
	}
	_, err = c.ServeModels(ctx, schemas.AnyDataset, []string{id}, 0, schemas.ActorConfiguration)
	return err
}

func configuredClasses(cfg prelabel.Config, data []byte) ([]string, error) {
	if cfg.Classes == "" {
		return config.ModelClasses(cfg.Model, data)
	}
	return prelabel.ReadClasses(cfg.Classes)
}

// registerConfigured registers the configured file, unless its id stands for that file already: then it puts the file back into
// the store where it is missing there.
func (c *Connections) registerConfigured(ctx context.Context) (id string, err error) {
	cfg := c.Config.Prelabel
	data, err := os.ReadFile(cfg.Model)
	if err != nil {
		return "", err
	}
	names, err := configuredClasses(cfg, data)
	if err != nil {
		return "", err
	}
	name, version, err := schemas.ParseModelID(cfg.ModelID())
	if err != nil {
		return "", err
	}
	r, err := c.Registry(ctx)
	if err != nil {
		return "", err
	}
	if m, ok := r.Models[cfg.ModelID()]; ok && m.SHA256 == sha256.Sum256(data) && slices.Equal(m.Classes, names) && m.LabelSpace == cfg.LabelSpace {
		if _, err := c.Blobs.Get(ctx, m.File.Key); errors.Is(err, fs.ErrNotExist) { // other errors are met, and tried again, as it is loaded
			return m.ID, c.Blobs.Put(ctx, m.File.Key, data)
		}
		return m.ID, nil
	}
	m, _, err := c.AddModel(ctx, data, ModelSpec{Name: name, Version: version, Classes: names, LabelSpace: cfg.LabelSpace})
	switch {
	case errors.Is(err, ErrRegistered):
		return "", fmt.Errorf("%w (prelabel.version)", err)
	case err != nil:
		return "", fmt.Errorf("%s: %w", cfg.Model, err)
	}
	return m.ID, nil
}

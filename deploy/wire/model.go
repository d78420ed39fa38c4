package wire

import (
	"errors"
	"fmt"

	"gleaner/connectors/onnx"
	"gleaner/deploy/config"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
)

// model is a detector with what must be closed after it.
type model struct {
	prelabel.Detector
	session *onnx.Session
	runtime *onnx.Runtime
}

// loadModel opens the model that prelabel is configured with. It returns nil where there is none.
func loadModel(cfg config.Config) (*model, error) {
	if cfg.Prelabel.Model == "" {
		return nil, nil
	}
	names, err := prelabel.ReadClasses(cfg.Prelabel.Classes)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", cfg.Prelabel.Model, err)
	}
	m := &model{}
	if m.runtime, err = onnx.Open(); err != nil {
		return nil, err
	}
	if m.session, err = m.runtime.Load(cfg.Prelabel.Model, cfg.ONNX); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if m.Detector, err = prelabel.Recognize(m.session, cfg.Prelabel.ModelID(), names, schemas.Decode{}); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", cfg.Prelabel.Model, err), m.close())
	}
	return m, nil
}

func (m *model) close() error {
	if m == nil {
		return nil
	}
	var errs []error
	if m.session != nil {
		errs = append(errs, m.session.Close())
	}
	if m.runtime != nil {
		errs = append(errs, m.runtime.Close())
	}
	return errors.Join(errs...)
}

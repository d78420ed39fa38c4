package wire

import (
	"errors"
	"fmt"
	"path/filepath"

	"gleaner/connectors/onnx"
	"gleaner/deploy/config"
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
	if m.Detector, err = prelabel.Recognize(m.session, cfg.Prelabel.ModelID(), names); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", cfg.Prelabel.Model, err), m.close())
	}
	return m, nil
}

// UseModel sets the model of a configuration, with the one list of class names that lies beside it where none is set.
func UseModel(cfg *config.Config, path string) error {
	cfg.Prelabel.Model = path
	if cfg.Prelabel.Classes != "" {
		return nil
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.names"))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("model %s: the names of its classes are needed, one a line: %d files *.names lie beside it, so none is taken; name one with prelabel.classes in a configuration file (--config)", path, len(found))
	}
	cfg.Prelabel.Classes = found[0]
	return nil
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

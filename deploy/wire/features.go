package wire

import (
	"errors"
	"log/slog"
	"strings"

	"gleaner/connectors/onnx"
	"gleaner/stages/prelabel"
)

// openSession loads a model, id is its name@version, with the features that the configuration wants: the session to close, and
// as Recognize is to see it. A model that has no feature map, and of which none was named, goes without.
func openSession(r *onnx.Runtime, cfg onnx.Config, e prelabel.Embeddings, log *slog.Logger, id string, data []byte) (*onnx.Session, prelabel.Session, error) {
	if e.Enabled {
		name, _, _ := strings.Cut(id, "@")
		s, err := r.LoadFeatures(id, data, e.Layers[name], cfg)
		switch {
		case err == nil:
			return s, prelabel.WithFeatures(s), nil
		case !errors.Is(err, onnx.ErrNoFeatures):
			return nil, nil, err
		}
		log.Warn("samples get no embeddings from this model", "model", id, "error", err)
	}
	s, err := r.LoadBytes(id, data, cfg)
	return s, s, err
}

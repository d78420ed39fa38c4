package wire

import (
	"errors"
	"strings"

	"gleaner/connectors/onnx"
	"gleaner/stages/prelabel"
)

// openSession loads a model, id is its name@version, with the features that the configuration wants: the session to close, and
// as Recognize is to see it. A model that has no feature map, and of which none was named, goes without.
func (c *Connections) openSession(r *onnx.Runtime, cfg onnx.Config, id string, data []byte) (*onnx.Session, prelabel.Session, error) {
	if e := c.Config.Prelabel.Embeddings; e.Enabled {
		name, _, _ := strings.Cut(id, "@")
		s, err := r.LoadFeatures(id, data, e.Layers[name], cfg)
		switch {
		case err == nil:
			return s, prelabel.WithFeatures(s), nil
		case !errors.Is(err, onnx.ErrNoFeatures):
			return nil, nil, err
		}
		c.Log.Warn("samples get no embeddings from this model", "model", id, "error", err)
	}
	s, err := r.LoadBytes(id, data, cfg)
	return s, s, err
}

package prelabel

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gleaner/schemas"
)

// Config sets the model and what becomes of its detections.
type Config struct {
	Model        string             `yaml:"model"`         // ONNX file, registered at start; serves where no command has said otherwise
	Classes      string             `yaml:"classes"`       // file with the names of the model's classes, one a line; empty: those within it, or the one *.names beside it
	Name         string             `yaml:"name"`          // of the model in provenance; empty: the file's name without its extension
	Version      string             `yaml:"version"`       // of the model in provenance
	LabelSpace   string             `yaml:"label_space"`   // dataset@version whose class names the model uses, such as coco@2017; empty: its classes are not translated
	Low          float32            `yaml:"low"`           // proposals have own scores of at least this, (0,1]
	Accept       float32            `yaml:"accept"`        // objects are accepted with at least this probability, [low,1]
	IoU          float64            `yaml:"iou"`           // of two objects of a class that overlap more, the better stays
	ProposalIoU  float64            `yaml:"proposal_iou"`  // the same of proposals: looser, so that lint sees how far boxes of one thing scatter
	MaxProposals int                `yaml:"max_proposals"` // the best are kept
	Tiles        int                `yaml:"tiles"`         // beside the whole image, models look at so many by so many tiles of it; 0 or 1: at none
	Closer       bool               `yaml:"-"`             // models look closer at labels that people have made, and at what has none beside them; in a running system no sample has any yet
	Dense        Dense              `yaml:"dense"`         // what lint sees of the models' cells
	Embeddings   Embeddings         `yaml:"embeddings"`    // of images and objects
	Datasets     map[string]Dataset `yaml:"datasets"`      // exceptions by dataset
}

// Embeddings sets which features of a model describe images and objects.
type Embeddings struct {
	Enabled bool              `yaml:"enabled"`
	Layers  map[string]string `yaml:"layers"` // by the model's name, the tensor of its graph; one that is not named is chosen
}

// Dataset is what one dataset has differently.
type Dataset struct {
	Accept float32 `yaml:"accept"` // [low,1]; 0: as for all
	Tiles  int     `yaml:"tiles"`  // 0: as for all
}

// DefaultConfig names no model: those serve that the registry says.
func DefaultConfig() Config {
	return Config{Version: "1", Low: 0.05, Accept: 0.3, IoU: 0.5, ProposalIoU: 0.8, MaxProposals: 300, Dense: Dense{Floor: 0.01, Max: 300}, Embeddings: Embeddings{Enabled: true}}
}

// Validate refuses thresholds out of range and a model that cannot be called so.
func (c Config) Validate() error {
	switch {
	case !(c.Low > 0 && c.Low <= 1):
		return fmt.Errorf("low: %g: must be above 0 and at most 1", c.Low)
	case !(c.Accept >= c.Low && c.Accept <= 1):
		return fmt.Errorf("accept: %g: must lie between low (%g) and 1", c.Accept, c.Low)
	case !(c.IoU > 0 && c.IoU <= 1):
		return fmt.Errorf("iou: %g: must be above 0 and at most 1", c.IoU)
	case !(c.ProposalIoU >= c.IoU && c.ProposalIoU <= 1):
		return fmt.Errorf("proposal_iou: %g: must lie between iou (%g) and 1", c.ProposalIoU, c.IoU)
	case c.Tiles < 0 || c.Tiles > MaxTiles:
		return fmt.Errorf("tiles: %d: must lie between 0 and %d", c.Tiles, MaxTiles)
	case c.MaxProposals < 1 || c.MaxProposals > maxCandidates:
		return fmt.Errorf("max_proposals: %d: must lie between 1 and %d", c.MaxProposals, maxCandidates)
	case !(c.Dense.Floor > 0 && c.Dense.Floor <= 1):
		return fmt.Errorf("dense: floor: %g: must be above 0 and at most 1", c.Dense.Floor)
	case c.Dense.Max < 0 || c.Dense.Max > maxCandidates:
		return fmt.Errorf("dense: max: %d: must lie between 0 and %d", c.Dense.Max, maxCandidates)
	}
	if c.Model != "" {
		if _, _, err := schemas.ParseModelID(c.ModelID()); err != nil {
			return fmt.Errorf("name, version: %w", err)
		}
	}
	for name, d := range c.Datasets {
		if d.Accept != 0 && !(d.Accept >= c.Low && d.Accept <= 1) {
			return fmt.Errorf("datasets: %s: accept: %g: must lie between low (%g) and 1", name, d.Accept, c.Low)
		}
		if d.Tiles < 0 || d.Tiles > MaxTiles {
			return fmt.Errorf("datasets: %s: tiles: %d: must lie between 0 and %d", name, d.Tiles, MaxTiles)
		}
	}
	return nil
}

// ModelID is name@version of the configured model.
func (c Config) ModelID() string {
	name := c.Name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(c.Model), filepath.Ext(c.Model))
	}
	return name + "@" + c.Version
}

// accept is the threshold of a dataset's objects.
func (c Config) accept(dataset string) float32 { return cmp.Or(c.Datasets[dataset].Accept, c.Accept) }

// tiles is into how many by how many tiles a dataset's images are cut.
func (c Config) tiles(dataset string) int { return cmp.Or(c.Datasets[dataset].Tiles, c.Tiles) }

// ClassesBeside finds the *.names file in the folder of a model: the one with the model's name, else the only one.
func ClassesBeside(model string) (string, error) {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(model), "*.names"))
	if err != nil {
		return "", err
	}
	own := strings.TrimSuffix(model, filepath.Ext(model)) + ".names"
	switch at := slices.IndexFunc(found, func(f string) bool { return filepath.Base(f) == filepath.Base(own) }); {
	case at >= 0:
		return found[at], nil
	case len(found) != 1:
		return "", fmt.Errorf("the names of the classes of %s are needed, one a line: name the file, or put %s or one *.names beside the model (there are %d)",
			model, filepath.Base(own), len(found))
	}
	return found[0], nil
}

// ReadClasses reads a file of class names, one a line in the order of the model's outputs; empty lines are passed over.
func ReadClasses(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("class names: %w", err)
	}
	defer f.Close()
	var names []string
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		name := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff")) // which some editors begin a file with
		if name == "" {
			continue
		}
		if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			return nil, fmt.Errorf("class names: %s:%d: %.40q is no printable text", path, n, name)
		}
		if seen[name] {
			return nil, fmt.Errorf("class names: %s:%d: %q is there twice", path, n, name)
		}
		seen[name] = true
		names = append(names, name)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("class names: %s: %w", path, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("class names: %s holds none", path)
	}
	return names, nil
}

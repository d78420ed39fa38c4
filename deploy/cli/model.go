package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/deploy/config"
	"gleaner/deploy/wire"
	"gleaner/schemas"
	"gleaner/stages/prelabel"
	"gleaner/stages/taxonomy"
)

func (a *app) modelCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "model", Short: "Register models, and choose which of them label which dataset first", Args: cobra.NoArgs,
		Long: `A model is an ONNX file with the names of its classes, registered for ever under name@version. Those that serve a dataset label its
samples first; a change takes effect between two samples, in every process that runs prelabel, and loses none. A model that is
corrupt is refused, and one that cannot be loaded for the moment is tried again: those before it go on, and gleaner status says why.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	for _, sub := range []*cobra.Command{
		a.modelAdd(), a.modelPull(), a.modelList(), a.modelShow(), a.modelServe(), a.modelRollback(), a.modelRemove(),
	} {
		a.jsonFlag(sub)
		c.AddCommand(sub)
	}
	return c
}

// newModel is what add and pull say of a file.
type newModel struct {
	wire.ModelSpec
	classes string // file, or a,b,c; empty: what the model says
	decode  string // file; empty: recognized
	serve   string // dataset; empty: none
	metrics map[string]string
}

func (n *newModel) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.Name, "name", "", "name of the model (default: the file's, without its extension)")
	f.StringVar(&n.Version, "version", "", "version of the model (default: the next number)")
	f.StringVar(&n.decode, "decode", "", "YAML file that says how images become its input and what its outputs mean; model add --help lists its fields (default: recognized)")
	f.StringVar(&n.License, "license", "", "license of the model, such as Apache-2.0")
	f.StringVar(&n.LabelSpace, "label-space", "", "dataset@version whose class names the model uses, such as coco@darknet")
	f.StringToStringVar(&n.metrics, "metric", nil, "what was measured of the model, by class for taxonomy plan, such as person=0.61 (default: what the file says of its training run)")
	f.StringVar(&n.serve, "serve", "", "let it serve this dataset at once; --serve alone: every dataset without models of its own")
	f.Lookup("serve").NoOptDefVal = schemas.AnyDataset
}

// read reads the files that the flags name.
func (n *newModel) read() (err error) {
	if _, version, _ := strings.Cut(n.LabelSpace, "@"); n.LabelSpace != "" && version == "" {
		return usageError{fmt.Errorf("--label-space %s: want dataset@version, such as coco@darknet", n.LabelSpace)}
	}
	if n.serve != "" {
		if err := checkServed(n.serve); err != nil {
			return usageError{fmt.Errorf("--serve: %w", err)}
		}
	}
	n.Metrics = map[string]float64{}
	for name, value := range n.metrics {
		v, err := strconv.ParseFloat(value, 64)
		if name == "" || err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return usageError{fmt.Errorf("--metric %s=%s: want name=number", name, value)}
		}
		n.Metrics[name] = v
	}
	if n.classes != "" {
		n.Classes, err = readClasses(n.classes)
	}
	if err == nil && n.decode != "" {
		n.Decode, err = config.ReadDecode(n.decode)
	}
	return err
}

// register registers a file that is in memory, and lets it serve where that was asked for.
func (n *newModel) register(ctx context.Context, a *app, w io.Writer, conn *wire.Connections, file string, data []byte) error {
	if n.Name == "" {
		n.Name = strings.TrimSuffix(path.Base(filepath.ToSlash(file)), path.Ext(file))
	}
	m, added, err := conn.AddModel(ctx, data, n.ModelSpec)
	if err != nil {
		return err
	}
	if n.serve != "" {
		s, err := conn.ServeModels(ctx, n.serve, []string{m.ID}, 0, operator())
		if err == nil {
			err = awaitForce(ctx, conn, s, forceWithin)
		}
		if err != nil {
			return err
		}
		if err := warnServed(ctx, conn, n.serve); err != nil {
			return err
		}
	}
	if a.asJSON {
		return printJSON(w, m)
	}
	verb := "registered"
	if !added {
		verb = "was registered before:"
	}
	if unmapped := unmappedCOCO(m); len(unmapped) > 0 {
		fmt.Fprintf(os.Stderr, "%d of its classes are not of label space %s, such as %s: no taxonomy can translate these\n", len(unmapped), m.LabelSpace, unmapped[0])
	}
	fmt.Fprintf(w, "%s %s: %s by %s, %d classes, %.1f MB\n", verb, m.ID, m.Task, m.Decode.Decoder, len(m.Classes), float64(m.File.Size)/1e6)
	if n.serve != "" {
		fmt.Fprintf(w, "it serves %s from the next samples on\n", datasetText(n.serve))
	}
	return nil
}

// unmappedCOCO are the classes of a model that its label space has not, where that is one of COCO's, which are known.
func unmappedCOCO(m schemas.Model) []string {
	coco, err := taxonomy.COCO()
	if err != nil || !slices.Contains(spaces(coco), m.LabelSpace) {
		return nil
	}
	tree, err := taxonomy.Build(coco)
	if err != nil {
		return nil
	}
	return tree.Unmapped(m.LabelSpace, m.Classes)
}

func (a *app) modelAdd() *cobra.Command {
	var n newModel
	c := &cobra.Command{
		Use: "add FILE", Short: "Register an ONNX file, after a trial on the runtime that serves",
		Long: `Load the file, recognize what its outputs mean, store it by its content and register it. Adding the same file under the same
name again changes nothing; with other classes, metrics, another decoding, license or label space it is the next version. A model of
unknown shape is refused: the error says which outputs it has and which decoders there are.

Of equally few models, gleaner taxonomy plan prefers by the metrics that have the name of a class, as the model calls it, such as
--metric person=0.61: higher is better, and a class without one counts as 0. Other names, such as ap50, are kept, and decide nothing.

A --decode file is YAML. What it leaves out is recognized:

  decoder     one of those below
  input       {width: 640, height: 640, resize: letterbox, channels: bgr, mean: [0, 0, 0], std: [255, 255, 255], pad: 114}:
              pixels, where the graph leaves them open; letterbox, letterbox-center, stretch or area; rgb or bgr; levels of 0..255
  boxes       xyxy, yxyx, cxcywh or xywh
  unit        of boxes: pixels or normalized
  activation  still to be applied to class scores: none, sigmoid or softmax
  background  the class that means nothing, which has no name: none, first or last
  strides     input pixels between cells, in the order of the output: [8, 16, 32]
  outputs     which of the graph's is which: {boxes: pred_boxes, scores: logits}, or predictions, labels, count

The decoders, the shapes that they take, and the parts besides input that they have a use for:

` + prelabel.Decoders(),
		Example: `  gleaner model add yolox_nano.onnx --classes coco.names --license Apache-2.0 --label-space coco@darknet
  gleaner model add runs/7/best.onnx --name street --metric person=0.61,car=0.54 --serve=street
  gleaner model add detr.onnx --decode detr.yaml   # which says outputs: {boxes: pred_boxes, scores: logits}`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("model add: %w", err)
			}
			if err := n.read(); err != nil {
				return fmt.Errorf("model add: %w", err)
			}
			if n.classes == "" {
				if n.Classes, err = config.ModelClasses(args[0], data); err != nil {
					return usageError{fmt.Errorf("model add: --classes: %w", err)}
				}
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				return n.register(ctx, a, c.OutOrStdout(), conn, args[0], data)
			})
		},
	}
	n.flags(c)
	c.Flags().StringVar(&n.classes, "classes", "", "its classes: a file, one a line, or a,b,c (default: those within the file, else of the *.names with its name, or of the only one, beside it)")
	return c
}

func (a *app) modelPull() *cobra.Command {
	var n newModel
	var digest, limit string
	c := &cobra.Command{
		Use: "pull URL", Short: "Fetch an ONNX file over https, check its digest and register it",
		Example: `  gleaner model pull https://example.org/models/street.onnx --sha256 695e750a… --classes street.names
  gleaner model pull https://example.org/best.onnx --sha256 695e750a… --classes coco.names --name street --serve=street`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var want schemas.Hash
			if err := want.UnmarshalText([]byte(digest)); err != nil {
				return usageError{fmt.Errorf("model pull: --sha256: %w", err)}
			}
			most, err := schemas.ParseByteSize(limit)
			if err != nil {
				return usageError{fmt.Errorf("model pull: --max-size: %w", err)}
			}
			if err := n.read(); err != nil {
				return fmt.Errorf("model pull: %w", err)
			}
			return a.connected(c.Context(), func(ctx context.Context, conn *wire.Connections) error {
				var b *progress
				data, err := conn.PullModel(ctx, args[0], want, most, func(done, total int64) {
					if b == nil {
						b = bar(total, "bytes pulled")
					}
					b.Set(int(done))
				})
				if b != nil {
					b.End()
				}
				if err != nil {
					return fmt.Errorf("model %w", err)
				}
				if n.classes == "" {
					if n.Classes, err = config.ClassesWithin(data); err != nil {
						return usageError{fmt.Errorf("model pull: --classes: %w", err)}
					}
				}
				return n.register(ctx, a, c.OutOrStdout(), conn, args[0], data)
			})
		},
	}
	n.flags(c)
	c.Flags().StringVar(&n.classes, "classes", "", "its classes: a file, one a line, or a,b,c (default: those within the file)")
	c.Flags().StringVar(&digest, "sha256", "", "SHA-256 of the file, 64 hex digits (required)")
	c.Flags().StringVar(&limit, "max-size", "2GiB", "a larger file is refused")
	return c
}

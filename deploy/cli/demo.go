package cli

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gleaner/connectors/formats"
	"gleaner/deploy/config"
	"gleaner/deploy/demo"
	"gleaner/deploy/scenes"
	"gleaner/deploy/wire"
	"gleaner/schemas"
)

func (a *app) demoCommand() *cobra.Command {
	var images, model, dataset string
	var once bool
	var share float64
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole system once around on real images, then stay up",
		Long: `Start the embedded engines, push a folder of images, label them with a model, doubt the labels, let a simulated labeler finish
some of them with the labels that lie beside the images, train a probe and a classifier on those, in the same time, and send the labels
that the more accurate one argues with back to people.

Without --images, the images are those of GLEANER_DATA or ../shared/data, if they are there, else street scenes that are drawn now.`,
		Example: `  gleaner demo
  gleaner demo --images photos/ --model yolox_nano.onnx
  gleaner demo --once --data /tmp/demo`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			began := time.Now()
			if a.dataDir == "" {
				a.dataDir = "demo"
			}
			if a.logLevel == "" && a.configFile == "" {
				a.logLevel = "warn" // the demo speaks for itself
			}
			cfg, log, err := a.load()
			if err != nil {
				return err
			}
			if !(share >= 0 && share <= 1) {
				return usageError{fmt.Errorf("demo: --simulate %g: want a share from 0 to 1", share)}
			}
			if images, model, err = demoInput(c.Context(), cfg, images, model); err != nil {
				return err
			}
			if dataset == "" {
				dataset = datasetName(images)
			}
			if err := schemas.CheckDataset(dataset); err != nil {
				return usageError{fmt.Errorf("demo: --dataset, by default the folder's name: %w", err)}
			}
			if model != "" {
				if err := cfg.UseModel(model); err != nil {
					return fmt.Errorf("demo: %w", err)
				}
			}
			if cfg.Web.Address == config.Default().Web.Address && !free(cfg.Web.Address) {
				cfg.Web.Address = "127.0.0.1:0"
			}
			if err := cfg.Validate(); err != nil {
				return err
			}
			found, err := formats.Images(images)
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			options := demo.Options{
				Images: images, Dataset: dataset, Simulate: int(share * float64(len(found))), Once: once, SheetPath: filepath.Join(cfg.DataDir, "contact_sheet.png"),
				Progress: func(total int64, what string) demo.Counter { return bar(total, what) },
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "%d images of %s as dataset %s", len(found), images, dataset)
			if cfg.Prelabel.Model != "" {
				fmt.Fprintf(out, ", labeled first by %s\n", cfg.Prelabel.Model)
			} else {
				fmt.Fprintln(out)
			}
			return wire.Up(c.Context(), cfg, a.version, log, func(ctx context.Context, conn *wire.Connections, s *wire.System) (bool, error) {
				r, err := demo.Run(ctx, conn, s, options)
				if err != nil {
					return false, fmt.Errorf("demo: %w", err)
				}
				if err := printDemo(ctx, out, conn, s, r, options, time.Since(began)); err != nil {
					return false, err
				}
				if once {
					return false, nil
				}
				if r.Labels == nil {
					openPage(conn.At.Web + "/label")
				}
				fmt.Fprintln(out, "It stays up until Ctrl-C; the same command continues where this ends.")
				return true, nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&images, "images", "", "folder of images, with or without labels beside them (YOLO, Pascal VOC or COCO)")
	f.StringVar(&model, "model", "", "ONNX model (detector, classifier or segmenter), its class names within, or beside it in *.names")
	f.StringVarP(&dataset, "dataset", "d", "", "name of the dataset (default: the folder's)")
	f.Float64Var(&share, "simulate", 0.75, "share of the images that the simulated labeler finishes, if they have labels")
	f.BoolVar(&once, "once", false, "end when the summary is printed")
	return c
}

// demoInput returns the images and the model to use, drawing scenes where there is nothing else.
func demoInput(ctx context.Context, cfg config.Config, images, model string) (string, string, error) {
	if images != "" {
		if info, err := os.Stat(images); err != nil || !info.IsDir() {
			return "", "", fmt.Errorf("demo: --images %s is not a folder", images)
		}
		return images, model, nil
	}
	data := os.Getenv("GLEANER_DATA")
	if data == "" {
		data = filepath.Join("..", "shared", "data")
	}
	photos, net := filepath.Join(data, "coco128", "images"), filepath.Join(data, "models", "yolox_nano.onnx")
	if _, err := os.Stat(photos); err == nil {
		if _, err := os.Stat(net); err == nil && model == "" && cfg.Prelabel.Model == "" {
			model = net
		}
		return photos, model, nil
	}
	dir := filepath.Join(cfg.DataDir, "scenes")
	if _, err := os.Stat(filepath.Join(dir, "annotations.json")); err == nil {
		return filepath.Join(dir, "images"), model, nil
	}
	o := scenes.DefaultConfig()
	b := bar(int64(o.Count), "drawing scenes")
	err := scenes.Write(ctx, o, dir, func(n int) { b.Set(n) })
	b.End()
	return filepath.Join(dir, "images"), model, err
}

// datasetName is the folder's name, or that of the one above where the folder is just called images.
func datasetName(images string) string {
	path, err := filepath.Abs(images)
	if err != nil {
		return filepath.Base(images)
	}
	if filepath.Base(path) == "images" {
		path = filepath.Dir(path)
	}
	return filepath.Base(path)
}

func free(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

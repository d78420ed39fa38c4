// Package cli is the command line. A command reads its flags, asks deploy/wire for what it needs, and prints.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"gleaner/deploy/config"
	"gleaner/deploy/wire"
)

// Exit codes, as `gleaner help` documents them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotRunning  = 3
	exitInterrupted = 130
)

// usageError is a mistake in the command line, as opposed to one in what it asked for.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// app is what the commands have in common.
type app struct {
	version    string
	configFile string
	dataDir    string
	logLevel   string
	asJSON     bool
}

// Execute runs the command line of this process and returns its exit code. SIGINT and SIGTERM end the command cleanly; a
// second signal ends it at once.
func Execute(version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	done := context.AfterFunc(ctx, func() {
		stop()
		fmt.Fprintln(os.Stderr, "\nstopping: what is in flight is finished first (once more to stop at once)")
	})
	defer done()
	root := newRoot(version)
	command, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		what := strings.ReplaceAll(strings.TrimSuffix(err.Error(), context.Canceled.Error()), ": "+context.Canceled.Error(), "")
		fmt.Fprintln(os.Stderr, strings.TrimSuffix("interrupted: "+what, ": ")) // what else went wrong at the end must not be lost
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "gleaner:", err)
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "See `%s --help`.\n", command.CommandPath())
		return exitUsage
	case errors.Is(err, wire.ErrNotRunning):
		return exitNotRunning
	}
	return exitFailed
}

func newRoot(version string) *cobra.Command {
	a := &app{version: version}
	root := &cobra.Command{
		Use:     "gleaner",
		Short:   "A streaming data engine for labeling",
		Version: version,
		Long: `Gleaner labels images as they stream in: models label first, every label is doubted, and people see only what is worth
their minute. Trainers send back a loss for every object, and the labels that they argue with return to people.

Start with:  gleaner demo            the whole system on real images, once around
             gleaner up              the whole system with embedded Kafka and ClickHouse
             gleaner push DIR --dataset NAME

Exit codes:  0 done, 1 failed, 2 wrong command line, 3 no system runs on the data folder, 130 interrupted`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.configFile, "config", "c", "", "configuration file (default: none, every setting has a default)")
	flags.StringVar(&a.dataDir, "data", "", "data folder of the embedded engines (default: the configuration's data_dir, which is \"data\")")
	flags.StringVar(&a.logLevel, "log-level", "", "debug, info, warn or error (default: the configuration's)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.upCommand(), a.runCommand(), a.demoCommand(), a.pushCommand(), a.statusCommand(), a.traceCommand(), a.similarCommand(), a.flowCommand(),
		a.exportCommand(), a.queryCommand(), a.scenesCommand(), a.configCommand(), a.datasetCommand(), a.modelCommand(), a.eraseCommand(), a.replayCommand(),
		a.lossesCommand(), a.scoresCommand(), a.trainCommand(), a.pickCommand(), a.decideCommand(), a.superpixelCommand(), a.prelabelCommand(), a.lintCommand(),
		a.taxonomyCommand(), a.versionCommand(),
	)
	wrapArgs(root)
	return root
}

// wrapArgs makes every command's complaint about its arguments a usage error.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				if c.HasParent() {
					_, name, _ := strings.Cut(c.CommandPath(), " ")
					err = fmt.Errorf("%s: %w", name, err)
				}
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// load reads the configuration that the global flags name.
func (a *app) load() (config.Config, *slog.Logger, error) {
	cfg, err := config.Load(a.configFile)
	if err != nil {
		return cfg, nil, err
	}
	if a.dataDir != "" {
		if cfg, err = cfg.In(a.dataDir); err != nil {
			return cfg, nil, err
		}
	}
	if a.logLevel != "" {
		cfg.Log.Level = a.logLevel
	}
	log, err := cfg.Log.Logger(os.Stderr)
	if err != nil {
		return cfg, nil, usageError{err}
	}
	return cfg, log, nil
}

// answerWithin is how long a command waits for servers; steps, which are there to stay, wait for ever.
const answerWithin = 45 * time.Second

// connected runs fn with clients of the running system, or of the servers that the configuration names.
func (a *app) connected(ctx context.Context, fn func(context.Context, *wire.Connections) error) error {
	cfg, _, err := a.load()
	if err != nil {
		return err
	}
	if a.logLevel == "" {
		cfg.Log.Level = "warn" // a command speaks for itself
	}
	log, err := cfg.Log.Logger(os.Stderr)
	if err != nil {
		return usageError{err}
	}
	at, err := wire.Find(cfg)
	if err != nil {
		return err
	}
	connecting, connected := context.WithTimeout(ctx, answerWithin)
	defer connected()
	c, err := wire.Connect(connecting, cfg, at, a.version, log)
	if err != nil {
		return err
	}
	if _, err = c.Kafka.ClusterID(connecting); err == nil { // a client of Kafka connects when it is asked something
		err = fn(ctx, c)
	}
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), cfg.StopWithin)
	defer stop()
	return errors.Join(err, c.Close(closing))
}

// jsonFlag adds --json to a command whose output a machine may read.
func (a *app) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.asJSON, "json", false, "print JSON for machines")
}

// offer makes the shell complete a flag by the values that it takes.
func offer(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // no such flag
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  gleaner version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.asJSON {
				return printJSON(c.OutOrStdout(), map[string]string{"version": a.version, "go": runtime.Version()})
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), "gleaner", a.version)
			return err
		},
	}
	a.jsonFlag(c)
	return c
}

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gleaner/deploy/config"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Check a configuration file, or print one with every default", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "check [FILE]", Short: "Say what is wrong with a configuration file, if anything",
			Example: "  gleaner config check gleaner.yaml", Args: cobra.MaximumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				path := a.configFile
				if len(args) == 1 {
					path = args[0]
				}
				if _, err := config.Load(path); err != nil {
					return err
				}
				if path == "" {
					path = "the defaults"
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s: good\n", path)
				return err
			},
		},
		&cobra.Command{
			Use: "print", Short: "Print the configuration in force, defaults and all",
			Example: "  gleaner config print > gleaner.yaml\n  gleaner config print --config gleaner.yaml", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				cfg, _, err := a.load()
				if err != nil {
					return err
				}
				return cfg.Print(c.OutOrStdout())
			},
		},
	)
	return c
}

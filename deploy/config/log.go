package config

import (
	"fmt"
	"io"
	"log/slog"
)

func (l Log) validate() error {
	if _, err := l.level(); err != nil {
		return err
	}
	if l.Format != "text" && l.Format != "json" {
		return fmt.Errorf("format: %q: want text or json", l.Format)
	}
	return nil
}

func (l Log) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return 0, fmt.Errorf("level: %q: want debug, info, warn or error", l.Level)
	}
	return level, nil
}

// Logger returns a logger that writes to w as configured.
func (l Log) Logger(w io.Writer) (*slog.Logger, error) {
	level, err := l.level()
	if err != nil {
		return nil, fmt.Errorf("log.%w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// Package wire joins the rooms: it gives every stage the connectors that it asks for, and runs them in one process. It is
// the only place that sees everything.
package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"gleaner/connectors/blob"
	"gleaner/connectors/clickhouse"
	"gleaner/connectors/kafka"
	"gleaner/deploy/config"
	"gleaner/schemas"
)

// Connections are the clients of the outside systems, ready to use.
type Connections struct {
	Config  config.Config
	Version string // of the binary, for provenance
	At      Endpoints
	Log     *slog.Logger
	Kafka   *kafka.Client
	DB      *clickhouse.DB
	Blobs   blob.Store
}

// Connect opens the clients. at says where the embedded engines are, where the configuration names no servers.
func Connect(ctx context.Context, cfg config.Config, at Endpoints, version string, log *slog.Logger) (*Connections, error) {
	c := &Connections{Config: cfg, Version: version, At: at, Log: log}
	if err := c.open(ctx); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func (c *Connections) open(ctx context.Context) (err error) {
	brokers := c.Config.Kafka
	if c.Config.EmbeddedKafka() {
		brokers.Brokers = []string{c.At.Kafka}
	}
	if c.Kafka, err = kafka.New(brokers, c.Log); err != nil {
		return err
	}
	if c.Blobs, err = blob.Open(ctx, c.Config.Blob); err != nil {
		return err
	}
	server := c.Config.ClickHouse
	if c.Config.EmbeddedClickHouse() {
		server.Addrs = []string{c.At.ClickHouse}
	}
	c.DB, err = clickhouse.Open(ctx, server, c.Log)
	return err
}

// Prepare creates the topics that are missing and brings the database's schema up to date: what processes that run steps
// do at start, and commands that only ask or push do not.
func (c *Connections) Prepare(ctx context.Context) error {
	if err := c.Kafka.EnsureTopics(ctx, schemas.TopicSpecs()); err != nil {
		return err
	}
	if err := c.DB.Migrate(ctx); err != nil {
		return fmt.Errorf("database schema: %w", err)
	}
	return nil
}

// Close flushes and releases what is open.
func (c *Connections) Close(ctx context.Context) error {
	var errs []error
	if c.Kafka != nil {
		errs = append(errs, c.Kafka.Close(ctx))
	}
	if c.DB != nil {
		errs = append(errs, c.DB.Close())
	}
	if c.Blobs != nil {
		errs = append(errs, c.Blobs.Close())
	}
	return errors.Join(errs...)
}

package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	chgo "github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// native are connections of ch-go, which clickhouse-go is built on: it sends columns as they lie in memory. What comes in millions of
// rows goes by them; clickhouse-go, which converts values one by one, serves all else.
type native struct {
	cfg     Config
	options chgo.Options

	mu   sync.Mutex
	idle []*chgo.Client
}

func newNative(cfg Config, tlsConfig *tls.Config, password string) *native {
	return &native{cfg: cfg, options: chgo.Options{
		Database: cfg.Database, User: cfg.Username, Password: password, ClientName: "gleaner",
		Compression: chgo.CompressionLZ4, TLS: tlsConfig,
		DialTimeout: cfg.DialTimeout, HandshakeTimeout: cfg.DialTimeout, ReadTimeout: cfg.Timeout,
	}}
}

// insert sends one block. It does not try again.
func (n *native) insert(ctx context.Context, table string, settings []chgo.Setting, block proto.Input) error {
	c, err := n.acquire(ctx)
	if err != nil {
		return err
	}
	if err := c.Do(ctx, chgo.Query{Body: block.Into(table), Input: block, Settings: settings}); err != nil {
		return errors.Join(err, c.Close()) // whatever it was, the connection may be in the middle of it
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.idle = append(n.idle, c)
	return nil
}

// acquire returns an idle connection, or a new one to the first address that answers.
func (n *native) acquire(ctx context.Context) (*chgo.Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.idle) > 0 {
		c := n.idle[len(n.idle)-1]
		n.idle = n.idle[:len(n.idle)-1]
		if !c.IsClosed() {
			return c, nil
		}
	}
	var errs []error
	for _, address := range n.cfg.Addrs {
		options := n.options
		options.Address = address
		c, err := chgo.Dial(ctx, options)
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", address, err))
	}
	return nil, errors.Join(errs...)
}

func (n *native) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, c := range n.idle {
		errs = append(errs, c.Close())
	}
	n.idle = nil
	return errors.Join(errs...)
}

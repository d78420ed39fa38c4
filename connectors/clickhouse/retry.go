package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	chgo "github.com/ClickHouse/ch-go"
	ch "github.com/ClickHouse/clickhouse-go/v2"
)

const (
	firstPause = 20 * time.Millisecond
	longPause  = 2 * time.Second
)

// retry calls do until it succeeds, fails for good, or has failed for Config.RetryFor; what says what is being done, for
// the error and the log.
func (db *DB) retry(ctx context.Context, what string, do func(context.Context) error) error {
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := do(ctx)
		if err == nil {
			if pause > firstPause {
				db.log.Info("clickhouse answers again", "doing", what, "after", time.Since(began))
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("clickhouse: %s: %w", what, ctx.Err())
		}
		if !transient(err) || time.Since(began) > db.cfg.RetryFor {
			return fmt.Errorf("clickhouse: %s: %w", what, err)
		}
		if pause == firstPause {
			db.log.Warn("clickhouse does not answer, trying again", "doing", what, "for", db.cfg.RetryFor, "err", err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		case <-ctx.Done():
			return fmt.Errorf("clickhouse: %s: %w", what, ctx.Err())
		}
	}
}

// Server errors that pass by themselves: the codes of ClickHouse's ErrorCodes.cpp.
var passing = map[int32]bool{
	159: true, // TIMEOUT_EXCEEDED
	202: true, // TOO_MANY_SIMULTANEOUS_QUERIES
	209: true, // SOCKET_TIMEOUT
	210: true, // NETWORK_ERROR
	236: true, // ABORTED: the server is shutting down
	241: true, // MEMORY_LIMIT_EXCEEDED
	242: true, // TABLE_IS_READ_ONLY
	252: true, // TOO_MANY_PARTS
	279: true, // ALL_CONNECTION_TRIES_FAILED
	319: true, // UNKNOWN_STATUS_OF_INSERT
	394: true, // the query was canceled: by a server that stops
	999: true, // KEEPER_EXCEPTION
}

// accessDenied is the server's code for a user who lacks a right.
const accessDenied = 497

// transient tells a fault that passes from one that is for good.
func transient(err error) bool {
	if code, ok := exception(err); ok {
		return passing[code]
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, ch.ErrAcquireConnTimeout)
}

// exception returns the code of the error that the server answered with, by either of its clients.
func exception(err error) (code int32, ok bool) {
	if ex := (*ch.Exception)(nil); errors.As(err, &ex) {
		return ex.Code, true
	}
	if ex := (*chgo.Exception)(nil); errors.As(err, &ex) {
		return int32(ex.Code), true
	}
	return 0, false
}

package humanlabel

// One instance of the desk: it follows the log and answers commands once it has folded them.

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gleaner/schemas"
)

// Desk serves the queue to people. Any number of instances may run over one log. All methods may be called concurrently.
type Desk struct {
	cfg    Config
	log    Log
	blobs  Blobs
	logger *slog.Logger
	self   string        // names this instance as the actor of its own commands
	ready  chan struct{} // closed once the state has caught up with a log that has a genesis
	done   chan struct{} // closed when Run is over
	saving sync.WaitGroup

	mu      sync.RWMutex
	state   *State
	start   int64                             // where the log ended when this instance started
	waiting map[string][]chan schemas.Outcome // by command id
	folded  time.Time                         // own clock at the last record
	saved   int64                             // offset of the last snapshot begun here
	check   *schemas.TickBody                 // the last hash that was logged, which other instances' ticks are compared with
	failed  error                             // why this instance serves no more
}

// New checks the configuration. Nothing happens before Run.
func New(cfg Config, log Log, blobs Blobs, logger *slog.Logger) (*Desk, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Desk{
		cfg: cfg, log: log, blobs: blobs, logger: logger, self: "desk:" + randomID()[:8],
		ready: make(chan struct{}), done: make(chan struct{}), state: NewState(), waiting: map[string][]chan schemas.Outcome{},
	}, nil
}

func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Run restores the state, follows the log until ctx is done, and saves a last snapshot. It returns nil when ctx ended it, else why the
// desk cannot serve: a log that was cut, a fold version that this code does not know, a log that is out of reach. A Desk runs once.
func (d *Desk) Run(ctx context.Context) error {
	err := d.run(ctx)
	d.mu.Lock()
	if d.failed = err; err == nil {
		d.failed = errors.New("desk: stopped")
	}
	for id, chans := range d.waiting {
		for _, c := range chans {
			close(c)
		}
		delete(d.waiting, id)
	}
	d.mu.Unlock()
	close(d.done)
	d.saving.Wait()
	return err
}

func (d *Desk) run(ctx context.Context) error {
	from := restorer{d.log, d.blobs, d.logger}
	state, err := from.restore(ctx, everything)
	if err != nil {
		return quiet(ctx, err)
	}
	bounds, err := d.log.Bounds(ctx, schemas.Desk)
	if err != nil {
		return quiet(ctx, fmt.Errorf("desk: bounds of the log: %w", err))
	}
	d.mu.Lock()
	d.state, d.start, d.saved, d.folded = state, bounds[partition].End, state.offset, time.Now()
	d.open()
	d.mu.Unlock()
	d.logger.Info("desk: folding the log", "from", state.offset+1, "end", bounds[partition].End, "genesis", state.genesis)

	following, stop := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() { d.tick(following) })
	err = d.log.Follow(following, schemas.Desk, partition, state.offset+1, d.fold)
	stop()
	ticking.Wait()
	if err = quiet(ctx, err); err != nil {
		return fmt.Errorf("desk: follow the log: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.offset > d.saved {
		d.snapshot()
	}
	return nil
}

// quiet drops an error that only says that ctx is done.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// fold takes the next record of the log.
func (d *Desk) fold(rec schemas.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.state.offset + 1
	if rec.Offset < next {
		return nil // read twice over a reconnection
	}
	if rec.Offset > next {
		return gap(next, rec.Offset)
	}
	o, err := d.state.Fold(rec.Offset, rec.Value)
	if err != nil {
		return err
	}
	d.folded = time.Now()
	for _, c := range d.waiting[o.CommandID] {
		c <- o
	}
	delete(d.waiting, o.CommandID)
	d.open()
	if err := d.compare(rec); err != nil {
		return err
	}
	// A snapshot holds the fold up while it is encoded, so a large state is saved less often.
	if done := rec.Offset - d.saved; d.state.genesis != "" && done >= int64(max(d.cfg.SnapshotEvery, len(d.state.tasks)/2)) {
		d.snapshot()
	}
	return nil
}

// compare logs the state's hash every so often and compares it with what other instances' ticks say. Two folds that differ are
// an error without remedy here: one of them tells people what is not so. The caller holds mu.
func (d *Desk) compare(rec schemas.Record) error {
	if rec.Offset%int64(d.cfg.HashEvery) == 0 {
		d.check = &schemas.TickBody{Offset: rec.Offset, Hash: d.state.Hash()}
		d.logger.Info("desk: state", "offset", rec.Offset, "hash", d.check.Hash.String())
		return nil
	}
	var c schemas.Command
	var theirs schemas.TickBody
	if d.check == nil || !bytes.Contains(rec.Value, []byte(schemas.CommandTick)) || json.Unmarshal(rec.Value, &c) != nil ||
		c.Kind != schemas.CommandTick || c.Genesis != d.state.genesis || json.Unmarshal(c.Body, &theirs) != nil {
		return nil
	}
	if theirs.Offset == d.check.Offset && theirs.Hash != d.check.Hash {
		return fmt.Errorf("instances disagree: at offset %d the state's hash is %s here and %s with %s: run the same binary everywhere; "+
			"if they do, remove the blobs under %s", theirs.Offset, d.check.Hash, theirs.Hash, c.Actor, schemas.DeskSnapshotPrefix(d.state.genesis))
	}
	return nil
}

// open lets commands in once the state has caught up. The caller holds mu.
func (d *Desk) open() {
	if d.state.genesis == "" || d.state.offset+1 < d.start {
		return
	}
	select {
	case <-d.ready:
	default:
		close(d.ready)
	}
}

// tick proposes what nobody asked for: the genesis of a log that has none, and the time when claims end while the log is idle.
func (d *Desk) tick(ctx context.Context) {
	every := time.NewTicker(d.cfg.TickEvery)
	defer every.Stop()
	for {
		if c, ok := d.due(); ok {
			if err := d.append(ctx, c); err != nil && ctx.Err() == nil {
				d.logger.Error("desk: cannot write to the log", "kind", c.Kind, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// due returns the command that this instance itself should propose now, if any.
func (d *Desk) due() (schemas.Command, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	now := time.Now()
	c := schemas.Command{ID: randomID(), Actor: d.self, At: now.UTC(), Genesis: d.state.genesis, Kind: schemas.CommandTick}
	switch {
	case d.state.offset+1 < d.start || d.skewed(now) != nil:
		return c, false
	case d.state.genesis == "":
		c.Kind = schemas.CommandGenesis
		c.Body, _ = json.Marshal(schemas.GenesisBody{Genesis: randomID(), Fold: schemas.DeskFold}) // a plain struct: cannot fail
		return c, true
	}
	if d.check != nil {
		c.Body, _ = json.Marshal(d.check) // a plain struct: cannot fail
	}
	idle := now.Sub(d.folded)
	ended := len(d.state.leases.items) > 0 && d.state.leases.items[0].lease <= now.UnixNano()
	return c, (idle >= d.cfg.TickEvery && ended) || idle >= d.cfg.IdleTickEvery
}

// skewed returns an error when this machine's clock is behind the log's time by more than is allowed. The caller holds mu.
func (d *Desk) skewed(now time.Time) error {
	if behind := time.Duration(d.state.now - now.UnixNano()); behind > d.cfg.MaxSkew {
		return fmt.Errorf("desk: this machine's clock is %v behind the log's time: set the clocks of all instances by NTP", behind)
	}
	return nil
}

// Do appends a command and returns what the fold decided, once this instance has folded it. It sets At to now, and fills
// in a missing NotAfter (CommandTTL later) and ID (random). A command id that the fold has seen is answered without a write. Do blocks until the
// instance has caught up with the log. An error that wraps schemas.ErrOutcomeUnknown means that the command may take effect
// yet; after any other it does not.
func (d *Desk) Do(ctx context.Context, c schemas.Command) (schemas.Outcome, error) {
	select {
	case <-d.ready:
	case <-d.done:
	case <-ctx.Done():
		return schemas.Outcome{}, fmt.Errorf("desk: still catching up with the log: %w", ctx.Err())
	}
	now := time.Now().UTC()
	c.At = now
	if c.NotAfter.IsZero() {
		c.NotAfter = c.At.Add(d.cfg.CommandTTL)
	}
	if c.ID == "" {
		c.ID = randomID()
	}
	answer := make(chan schemas.Outcome, 1)
	d.mu.Lock()
	if err := errors.Join(d.failed, d.skewed(now)); err != nil {
		d.mu.Unlock()
		return schemas.Outcome{}, err
	}
	if o, ok := d.state.Outcome(c.ID); ok {
		d.mu.Unlock()
		return o, nil
	}
	if c.Genesis == "" {
		c.Genesis = d.state.genesis
	}
	d.waiting[c.ID] = append(d.waiting[c.ID], answer)
	d.mu.Unlock()

	if err := d.append(ctx, c); err != nil {
		d.leave(c.ID, answer)
		if errors.Is(err, schemas.ErrTooLarge) {
			return schemas.Outcome{}, err
		}
		select {
		case o, ok := <-answer: // it went through all the same
			if ok {
				return o, nil
			}
		default:
		}
		return schemas.Outcome{}, fmt.Errorf("%w: %w", schemas.ErrOutcomeUnknown, err)
	}
	select {
	case o, ok := <-answer:
		if !ok {
			return schemas.Outcome{}, fmt.Errorf("desk: stopped while command %s was under way: %w", c.ID, schemas.ErrOutcomeUnknown)
		}
		return o, nil
	case <-ctx.Done():
		d.leave(c.ID, answer)
		return schemas.Outcome{}, fmt.Errorf("desk: command %s: %w: %w", c.ID, schemas.ErrOutcomeUnknown, ctx.Err())
	}
}

// leave stops waiting for a command.
func (d *Desk) leave(id string, answer chan schemas.Outcome) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.waiting[id][:0]
	for _, c := range d.waiting[id] {
		if c != answer {
			kept = append(kept, c)
		}
	}
	if d.waiting[id] = kept; len(kept) == 0 {
		delete(d.waiting, id)
	}
}

func (d *Desk) append(ctx context.Context, c schemas.Command) error {
	rec, err := c.Record()
	if err != nil {
		return err
	}
	if err := d.log.Append(ctx, rec); err != nil {
		return fmt.Errorf("desk: append %s %s: %w", c.Kind, c.ID, err)
	}
	return nil
}

// snapshot saves the state in the background and removes the oldest snapshots. The caller holds mu.
func (d *Desk) snapshot() {
	genesis, offset, data := d.state.genesis, d.state.offset, d.state.Encode()
	d.saved = offset
	d.saving.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := d.save(ctx, genesis, offset, data); err != nil {
			d.logger.Error("desk: snapshot not saved, the next one will be tried", "offset", offset, "error", err)
		}
	})
}

func (d *Desk) save(ctx context.Context, genesis string, offset int64, data []byte) error {
	if err := d.blobs.Put(ctx, snapshotKey(genesis, offset), data); err != nil {
		return err
	}
	found, err := snapshots(ctx, d.blobs, schemas.DeskSnapshotPrefix(genesis))
	if err != nil {
		return err
	}
	for i := d.cfg.KeepSnapshots; i < len(found); i++ {
		if err := d.blobs.Delete(ctx, found[i].key); err != nil {
			return fmt.Errorf("remove an old snapshot: %w", err)
		}
	}
	return nil
}

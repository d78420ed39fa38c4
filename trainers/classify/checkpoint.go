package classify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"gleaner/schemas"
)

// A checkpoint is these bytes, the SHA-256 of all that follows, then four parts, each after its length as a big-endian uint64:
// a header in JSON, a bit for each training image (whether its last presentation was correct), the state of the steps
// (autograd.Trainer.Save), and with Patience that of the best epoch, else nothing.
const (
	checkpointKind  = "gleaner classify checkpoint "
	checkpointMagic = checkpointKind + "3\n"
)

// ErrNoCheckpoint is in the chain of the errors of Restore and CheckpointRun where the bytes are something else altogether.
var ErrNoCheckpoint = errors.New("it is no checkpoint")

// header is the first part of a checkpoint.
type header struct {
	Fingerprint string      `json:"fingerprint"` // as the function of that name makes it, in hexadecimal
	Run         schemas.Run `json:"run"`
	Step        int         `json:"step"` // done
	Count       int         `json:"count"`
	Correct     int         `json:"correct"` // of Count presentations in the present epoch
	Loss        uint64      `json:"loss"`    // their sum, as the bits of a float64
	Last        figureBits  `json:"last"`
	Best        figureBits  `json:"best"`
	BestAt      int         `json:"best_at"`
	Diverged    int         `json:"diverged,omitempty"` // the epoch, from one
}

// figureBits are Figures as the bits of float64, since JSON has neither NaN nor infinities.
type figureBits struct {
	Loss     uint64 `json:"loss"`
	Accuracy uint64 `json:"accuracy"`
	Held     uint64 `json:"held"`
}

func bitsOf(f Figures) figureBits {
	return figureBits{math.Float64bits(f.Loss), math.Float64bits(f.Accuracy), math.Float64bits(f.Held)}
}

func (b figureBits) figures() Figures {
	return Figures{math.Float64frombits(b.Loss), math.Float64frombits(b.Accuracy), math.Float64frombits(b.Held)}
}

// Fingerprint is a digest of all that determines the weights of a training and the ids of its rows: of the configuration but for Run and
// Checkpoint, and of the images with their labels and ids. A training with another one cannot go on from a checkpoint.
func Fingerprint(cfg Config, train, held Images) (schemas.Hash, error) {
	cfg.Run, cfg.Checkpoint = schemas.Run{}, 0
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(cfg); err != nil {
		return schemas.Hash{}, err
	}
	if len(cfg.ONNX) > 0 && !slices.Equal(cfg.ONNXClasses, train.Classes) { // its last layer is not as in the file
		fmt.Fprintf(h, "of outputs %q\n", cfg.ONNXClasses)
	}
	for _, im := range []Images{train, held} {
		fmt.Fprintf(h, "%d images of %d pixels a side, of %q\n", im.Len(), im.Side, im.Classes)
		h.Write(im.Pixels)
		for i, label := range im.Labels {
			fmt.Fprintf(h, "%s %q %d\n", im.Samples[i], im.object(i), label)
		}
	}
	return schemas.Hash(h.Sum(nil)), nil
}

// identity is the Fingerprint, taken once.
func (t *Trainer) identity() (string, error) {
	if t.fingerprint == "" {
		digest, err := Fingerprint(t.cfg, t.train, t.held)
		if err != nil {
			return "", err
		}
		t.fingerprint = digest.String()
	}
	return t.fingerprint, nil
}

// Checkpoint writes all that training goes on from, bit for bit, between two steps: weights, what the optimizer keeps, averages, how
// far it is, and which images were classified correctly. Order and augmentation follow from the seed.
func (t *Trainer) Checkpoint() ([]byte, error) {
	id, err := t.identity()
	if err != nil {
		return nil, err
	}
	h := header{
		Fingerprint: id, Run: t.cfg.Run, Step: t.step, Count: t.sum.count, Correct: t.sum.correct, Loss: math.Float64bits(t.sum.loss),
		Last: bitsOf(t.last), Best: bitsOf(t.best), BestAt: t.bestAt, Diverged: t.diverged,
	}
	state, err := t.model.Save()
	if err != nil {
		return nil, err
	}
	bits := make([]byte, (len(t.was)+7)/8)
	for i, was := range t.was {
		if was {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return encodeCheckpoint(h, bits, state, t.bestFile)
}

func encodeCheckpoint(h header, bits, state, best []byte) ([]byte, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	var body []byte
	for _, part := range [][]byte{head, bits, state, best} {
		body = append(binary.BigEndian.AppendUint64(body, uint64(len(part))), part...)
	}
	return sealed(body), nil
}

// sealed puts what begins a checkpoint before the rest.
func sealed(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(append([]byte(checkpointMagic), sum[:]...), body...)
}

// Restore goes back to a checkpoint of a Trainer of the same configuration and images; its run goes on under the same id, with the
// next attempt. Anything else is refused, and then nothing has changed.
func (t *Trainer) Restore(checkpoint []byte) error {
	if err := t.restore(checkpoint); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

func (t *Trainer) restore(checkpoint []byte) error {
	h, bits, state, best, err := decodeCheckpoint(checkpoint)
	if err != nil {
		return err
	}
	id, err := t.identity()
	switch {
	case err != nil:
		return err
	case h.Fingerprint != id:
		return errors.New("it is of another configuration or of other images: train with those, or begin anew without it")
	case len(bits) != (len(t.was)+7)/8 || h.Step < 0 || h.Step > t.steps*t.cfg.Epochs || h.Count < 0 || h.Correct < 0:
		return errors.New("corrupt: it is at no step of this training")
	}
	if err := t.model.Restore(state); err != nil {
		return err
	}
	for i := range t.was {
		t.was[i] = bits[i/8]>>(i%8)&1 == 1
	}
	t.step, t.sum = h.Step, tally{h.Count, h.Correct, math.Float64frombits(h.Loss)}
	t.last, t.best, t.bestAt, t.bestFile = h.Last.figures(), h.Best.figures(), h.BestAt, best
	t.diverged = h.Diverged
	t.cfg.Run = h.Run
	t.cfg.Run.Attempt++
	return nil
}

// CheckpointRun is the run that a checkpoint is of, without the rest.
func CheckpointRun(checkpoint []byte) (schemas.Run, error) {
	h, _, _, _, err := decodeCheckpoint(checkpoint)
	if err != nil {
		return schemas.Run{}, fmt.Errorf("checkpoint: %w", err)
	}
	return h.Run, nil
}

// decodeCheckpoint takes a checkpoint apart; best is nil where there is none.
func decodeCheckpoint(data []byte) (h header, bits, state, best []byte, err error) {
	if !bytes.HasPrefix(data, []byte(checkpointKind)) {
		return h, nil, nil, nil, ErrNoCheckpoint
	}
	rest, ok := bytes.CutPrefix(data, []byte(checkpointMagic))
	if !ok {
		return h, nil, nil, nil, errors.New("it is of another version of this program")
	}
	if len(rest) < sha256.Size || sha256.Sum256(rest[sha256.Size:]) != [sha256.Size]byte(rest[:sha256.Size]) {
		return h, nil, nil, nil, errors.New("corrupt, or cut off: go back to an earlier one")
	}
	rest = rest[sha256.Size:]
	var parts [4][]byte
	for i := range parts {
		if len(rest) < 8 || binary.BigEndian.Uint64(rest) > uint64(len(rest)-8) {
			return h, nil, nil, nil, errors.New("corrupt: a part is longer than the rest")
		}
		n := binary.BigEndian.Uint64(rest)
		parts[i], rest = rest[8:8+n], rest[8+n:]
	}
	if len(rest) > 0 {
		return h, nil, nil, nil, errors.New("corrupt: bytes after the last part")
	}
	if err := json.Unmarshal(parts[0], &h); err != nil {
		return h, nil, nil, nil, fmt.Errorf("header: %w", err)
	}
	if len(parts[3]) > 0 {
		best = parts[3]
	}
	return h, parts[1], parts[2], best, nil
}

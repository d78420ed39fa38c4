package main

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

//go:embed peer.py
var peerProgram string

// peer is a Python process that trains ONNX files by JAX, one request at a time.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	dir    string // for files that requests name
	loaded int
}

// peerStep is a request; peer.py describes it.
type peerStep struct {
	Do       string  `json:"do"`
	Slot     string  `json:"slot"`
	Batch    string  `json:"batch"`
	Shape    []int64 `json:"shape"`
	Rate     float64 `json:"rate"`
	Momentum float64 `json:"momentum"`
	Start    string  `json:"start"`
	End      string  `json:"end"`
}

type peerLoad struct {
	Do         string   `json:"do"`
	Slot       string   `json:"slot"`
	Model      string   `json:"model"`
	Layout     string   `json:"layout"`
	Type       string   `json:"type"`
	Parameters []string `json:"parameters"`
}

type peerAnswer struct {
	Millis    float64 `json:"ms"`
	Processor float64 `json:"processor"` // ms
	Loss      float64 `json:"loss"`
}

// startPeer starts JAX on so many threads.
func startPeer(ctx context.Context, python, dir string, threads int) (*peer, error) {
	p := &peer{cmd: exec.CommandContext(ctx, python, "-c", peerProgram, strconv.Itoa(threads)), dir: dir}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("JAX's Python: %w: `make bench-train` installs it", err)
	}
	return p, nil
}

func (p *peer) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

func (p *peer) ask(request any) (a peerAnswer, err error) {
	line, err := json.Marshal(request)
	if err != nil {
		return a, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return a, fmt.Errorf("JAX's Python has ended: %w", err)
	}
	if line, err = p.out.ReadBytes('\n'); err != nil {
		return a, fmt.Errorf("JAX's Python has ended: %w", err)
	}
	return a, json.Unmarshal(line, &a)
}

// jaxRun is a network that JAX trains.
type jaxRun struct {
	peer *peer
	slot string
}

// load gives JAX a model, in a layout (nchw, nhwc) and a type (float32, float64).
func (p *peer) load(model []byte, layout, kind string, parameters []string) (*jaxRun, error) {
	p.loaded++
	r := &jaxRun{p, strconv.Itoa(p.loaded)}
	path := filepath.Join(p.dir, fmt.Sprintf("%d-%d.onnx", p.cmd.Process.Pid, p.loaded))
	if err := os.WriteFile(path, model, 0o600); err != nil {
		return nil, err
	}
	_, err := p.ask(peerLoad{"load", r.slot, path, layout, kind, parameters})
	return r, err
}

// step trains on one batch. start are the weights that it begins with, nil for those that the last step left; the momenta go on
// from step to step. It returns the weights after the step where want is set.
func (r *jaxRun) step(b batch, rate, momentum float64, start []float64, want bool) (a peerAnswer, end []float64, err error) {
	name := func(what string) string {
		return filepath.Join(r.peer.dir, fmt.Sprint(r.peer.cmd.Process.Pid, ".", what))
	}
	q := peerStep{Do: "step", Slot: r.slot, Batch: name("batch"), Shape: b.shape(), Rate: rate, Momentum: momentum}
	numbers := make([]byte, 0, 4*(len(b.images)+len(b.labels)))
	for _, x := range b.images {
		numbers = binary.LittleEndian.AppendUint32(numbers, math.Float32bits(x))
	}
	for _, l := range b.labels {
		numbers = binary.LittleEndian.AppendUint32(numbers, math.Float32bits(float32(l)))
	}
	if err := os.WriteFile(q.Batch, numbers, 0o600); err != nil {
		return a, nil, err
	}
	if start != nil {
		q.Start = name("start")
		weights := make([]byte, 0, 8*len(start))
		for _, x := range start {
			weights = binary.LittleEndian.AppendUint64(weights, math.Float64bits(x))
		}
		if err := os.WriteFile(q.Start, weights, 0o600); err != nil {
			return a, nil, err
		}
	}
	if want {
		q.End = name("end")
	}
	if a, err = r.peer.ask(q); err != nil || !want {
		return a, nil, err
	}
	data, err := os.ReadFile(q.End)
	if err != nil {
		return a, nil, err
	}
	end = make([]float64, len(data)/8)
	_, err = binary.Decode(data, binary.LittleEndian, end)
	return a, end, err
}

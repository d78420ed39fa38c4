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
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed peers.py
var peersProgram string

// The names of other people's superpixels, as peers.py knows them.
const (
	fastSLIC    = "fast-slic"
	openCV      = "OpenCV"
	scikitImage = "scikit-image"
)

// peers is the Python process that runs them, one request at a time.
type peers struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	labels string // file that label maps come in
}

// peerRequest and peerAnswer are lines of the protocol that peers.py describes.
type peerRequest struct {
	Peer   string  `json:"peer"`
	Pixels string  `json:"pixels"`
	W      int     `json:"w"`
	H      int     `json:"h"`
	K      float64 `json:"k"`
	Labels string  `json:"labels,omitempty"`
}

type peerAnswer struct {
	Millis  float64 `json:"ms"`
	Regions int     `json:"regions"`
}

func startPeers(ctx context.Context, python, dir string) (*peers, error) {
	p := &peers{cmd: exec.CommandContext(ctx, python, "-c", peersProgram), labels: filepath.Join(dir, "labels")}
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
		return nil, fmt.Errorf("the peers' Python: %w: `make bench-superpixel` installs it", err)
	}
	return p, nil
}

func (p *peers) close() error {
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// divide has a peer divide a picture into about k regions; labels, [h*w], come only when asked for.
func (p *peers) divide(peer string, pic *picture, k float64, want bool) (d division, err error) {
	q := peerRequest{Peer: peer, Pixels: pic.file, W: pic.img.W, H: pic.img.H, K: k}
	if want {
		q.Labels = p.labels
	}
	line, err := json.Marshal(q)
	if err != nil {
		return d, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return d, fmt.Errorf("the peers' Python has ended: %w", err)
	}
	if line, err = p.out.ReadBytes('\n'); err != nil {
		return d, fmt.Errorf("the peers' Python has ended: %w", err)
	}
	var a peerAnswer
	if err := json.Unmarshal(line, &a); err != nil {
		return d, fmt.Errorf("%s on %s: %w", peer, pic.name, err)
	}
	d.took, d.regions = time.Duration(a.Millis*float64(time.Millisecond)), a.Regions
	if !want {
		return d, nil
	}
	data, err := os.ReadFile(p.labels)
	if err != nil {
		return d, err
	}
	d.labels = make([]uint16, len(data)/2)
	_, err = binary.Decode(data, binary.LittleEndian, d.labels)
	return d, err
}

package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

//go:embed jpeg.py
var jpegProgram string

// jpegPeers is the Python process with other people's JPEG decoders.
type jpegPeers struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	names []string
}

func startJPEGPeers(ctx context.Context, python string) (*jpegPeers, error) {
	p := &jpegPeers{cmd: exec.CommandContext(ctx, python, "-c", jpegProgram)}
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
		return nil, fmt.Errorf("the decoders' Python: %w: `make bench-prelabel` installs it", err)
	}
	names, err := p.out.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the decoders' Python has ended: %w", err), p.close())
	}
	p.names = strings.Split(strings.TrimSpace(names), ";")
	return p, nil
}

func (p *jpegPeers) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// decode returns the processor time that each decoder takes for a file.
func (p *jpegPeers) decode(path string) ([]time.Duration, error) {
	if _, err := fmt.Fprintln(p.in, path); err != nil {
		return nil, fmt.Errorf("the decoders' Python has ended: %w", err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the decoders' Python has ended: %w", err)
	}
	fields := strings.Fields(line)
	if len(fields) != len(p.names) {
		return nil, fmt.Errorf("%s: %d decoders answered %q", path, len(p.names), line)
	}
	took := make([]time.Duration, len(fields))
	for i, f := range fields {
		ms, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		took[i] = time.Duration(ms * float64(time.Millisecond))
	}
	return took, nil
}

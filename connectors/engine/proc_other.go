//go:build !linux

package engine

import "syscall"

// childAttributes has nothing to set: a child ends when its standard input does.
func childAttributes() *syscall.SysProcAttr { return nil }

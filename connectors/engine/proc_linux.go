package engine

import "syscall"

// childAttributes make a child die with the thread that started it, even when this process is killed, and keep a terminal's
// Ctrl-C from it: its supervisor stops it after its users.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

package lab

import (
	"os/exec"
	"syscall"
)

// endWithUs has the kernel kill a program, before it is started, when this process ends
// in whatever way: one that is killed closes no lab. What a person types at the terminal
// to end this process does not reach the program: the lab ends it in its turn.
func endWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

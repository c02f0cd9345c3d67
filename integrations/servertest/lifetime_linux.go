package servertest

import (
	"os/exec"
	"syscall"
)

// EndWithTest makes a program, before it is started, get a signal when the process that
// starts it ends in whatever way: a test that is killed, or that a timeout ends, cleans
// nothing up. Only Linux can; elsewhere the program stays.
//
// The signal also comes when the thread that started the program ends. No thread of a Go
// program does, except one to which a goroutine is still locked when it returns.
func EndWithTest(cmd *exec.Cmd, with syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = with
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	// namespaces is where ip keeps the names of network namespaces.
	namespaces = "/run/netns"
	// settings is where it looks for files that take the place of those in /etc.
	settings = "/etc/netns"
	prefix   = "stanch-lab-"
)

// newFolder makes a lab's folder, whose name is that of the lab. It says whose it is:
// the process's id, and when that started, since ids are given again.
func newFolder() (string, error) {
	begun, err := begun(os.Getpid())
	if err != nil {
		return "", err
	}
	return os.MkdirTemp("", fmt.Sprintf("%s%d-%s-", prefix, os.Getpid(), begun))
}

// begun returns when a process started, in ticks since the machine did.
func begun(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name of the program, in brackets, may hold spaces.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", fmt.Errorf("process %d has no time of start", pid)
	}
	return fields[19], nil
}

// abandoned reports whether a name is that of a lab whose process has ended.
func abandoned(name string) bool {
	parts := strings.SplitN(strings.TrimPrefix(name, prefix), "-", 3)
	if !strings.HasPrefix(name, prefix) || len(parts) < 3 {
		return false
	}
	pid, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	now, err := begun(pid)
	return errors.Is(err, os.ErrNotExist) || err == nil && now != parts[1]
}

// removeStale removes what labs left behind whose process ended without closing them.
func removeStale(ctx context.Context) error {
	var errs []error
	names, err := os.ReadDir(namespaces)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, n := range names {
		if abandoned(n.Name()) {
			errs = append(errs, remove(ctx, n.Name()))
		}
	}
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	errs = append(errs, err)
	for _, f := range folders {
		if abandoned(filepath.Base(f)) {
			errs = append(errs, os.RemoveAll(f))
		}
	}
	return errors.Join(errs...)
}

// remove ends what still runs in a namespace of a lab, and removes it. One that
// somebody else removed at the same time is done.
func remove(ctx context.Context, namespace string) error {
	out, err := exec.CommandContext(ctx, "ip", "netns", "pids", namespace).Output()
	if err == nil {
		for id := range strings.FieldsSeq(string(out)) {
			if pid, err := strconv.Atoi(id); err == nil && pid != os.Getpid() {
				// It may have ended by itself.
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	if err := os.RemoveAll(filepath.Join(settings, namespace)); err != nil {
		return err
	}
	err = ip(ctx, "netns", "del", namespace)
	if _, gone := os.Stat(filepath.Join(namespaces, namespace)); errors.Is(gone, os.ErrNotExist) {
		return nil
	}
	return err
}

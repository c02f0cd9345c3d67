package nfdump

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	maxLine   = 4 << 10
	maxOutput = 4 << 30 // of one run, some 18 million records; it is read as a stream
	maxStderr = 2 << 10
	// waitDelay is how long a program that was killed may keep its pipes open.
	waitDelay = 2 * time.Second
)

// version is that of the program, such as 1.7.1.
type version [3]int

// oldest is the first version with all fields that are read; newest is the first
// version that is not known to work.
func oldest() version { return version{1, 6, 18} }
func newest() version { return version{1, 8, 0} }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

func (v version) before(o version) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}

// parseVersion finds the version in what nfdump -V prints, such as
// "nfdump: Version: NSEL-NEL1.7.1".
func parseVersion(text string) (version, bool) {
	found := regexp.MustCompile(`Version: [A-Z-]*(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`).FindStringSubmatch(text)
	if found == nil {
		return version{}, false
	}
	var v version
	for i := range v {
		v[i], _ = strconv.Atoi(found[i+1]) // up to four digits, may be empty
	}
	return v, true
}

// version asks the program once for its version.
func (s *Store) version(ctx context.Context) (version, error) {
	const op = "ask nfdump for its version"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.release != nil {
		return *s.release, nil
	}
	var text strings.Builder
	err := s.exec(ctx, op, []string{"-V"}, func(line []byte) error { text.Write(line); return nil })
	if err != nil {
		return version{}, err
	}
	v, ok := parseVersion(text.String())
	switch {
	case !ok:
		return version{}, integrations.Errorf(integrations.Invalid, op, "%q does not report its version", s.program)
	case v.before(oldest()) || !v.before(newest()):
		return version{}, integrations.Errorf(integrations.Invalid, op, "%q is nfdump %s: must be at least %s and before %s", s.program, v, oldest(), newest())
	}
	s.release = &v
	return v, nil
}

// run runs the program on the folder and visits the lines that it prints.
func (s *Store) run(ctx context.Context, op string, args []string, visit func(line []byte) error) error {
	release, err := s.version(ctx)
	if err != nil {
		return err
	}
	if err := s.folder(op); err != nil {
		return err
	}
	if !release.before(version{1, 7, 0}) {
		// A configuration file could change what a format means. Older ones
		// read none.
		args = append([]string{"-C", "none"}, args...)
	}
	return s.exec(ctx, op, args, visit)
}

// exec runs the program with the arguments as they are, without a shell. It
// is alone in a process group, which is killed when the context ends.
//
// At a damaged or vanished file nfdump stops, reports that on standard error, and
// exits with 0: its output up to then is only a part of the answer. So anything on
// standard error fails the run.
func (s *Store) exec(ctx context.Context, op string, args []string, visit func(line []byte) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("nfdump ran longer than %s", s.config.Timeout))
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return integrations.Errorf(integrations.Unavailable, op, "%w", context.Cause(ctx))
	}
	complaint := &bounded{}
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C"}
	cmd.Stderr = complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	out, err := cmd.StdoutPipe()
	if err != nil {
		return integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	readErr := readLines(out, visit)
	cause := context.Cause(ctx)
	if readErr != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	switch {
	case cause != nil:
		return integrations.Errorf(integrations.Unavailable, op, "%w", cause)
	case readErr != nil:
		if e, ok := errors.AsType[*integrations.Error](readErr); ok {
			return e
		}
		return integrations.Errorf(integrations.Unavailable, op, "read the output of nfdump: %w", readErr)
	case complaint.text.Len() > 0:
		return integrations.Errorf(integrations.Unavailable, op, "nfdump reports: %q", complaint.text.String())
	case waitErr != nil:
		return integrations.Errorf(integrations.Unavailable, op, "nfdump: %w", waitErr)
	}
	return nil
}

// readLines visits the lines up to the end, the first error or maxOutput.
func readLines(out io.Reader, visit func(line []byte) error) error {
	limited := &io.LimitedReader{R: out, N: maxOutput}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for lines.Scan() {
		if err := visit(lines.Bytes()); err != nil {
			return err
		}
	}
	if limited.N == 0 {
		return fmt.Errorf("the output is longer than %d bytes", int64(maxOutput))
	}
	return lines.Err()
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ text strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	b.text.Write(p[:min(len(p), maxStderr-b.text.Len())])
	return len(p), nil
}

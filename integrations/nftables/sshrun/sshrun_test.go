package sshrun_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/nftables/sshrun"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// patient is longer than any run takes on a machine that is busy.
const patient = time.Minute

func options(t testing.TB, s *servertest.SSHD, address string) sshrun.Options {
	t.Helper()
	pin, err := sshrun.ParseHostKey(ssh.FingerprintSHA256(s.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sshrun.ReadKey(s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return sshrun.Options{
		User: "root", Address: address, HostKey: pin, Signer: signer, Command: "asked for",
		MaxOutput: 1 << 20, Connect: patient, Run: patient, Alive: patient,
	}
}

func open(t testing.TB, o sshrun.Options) *sshrun.Host {
	t.Helper()
	h := sshrun.New(o)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// fails fails the test unless the run failed for a reason, with or without a text on its way.
func fails(t testing.TB, err error, reason sshrun.Reason, sent bool) *sshrun.Error {
	t.Helper()
	failed, ok := errors.AsType[*sshrun.Error](err)
	if !ok || failed.Reason != reason || failed.Sent != sent {
		t.Fatalf("the run ended with %#v (%v), want %s, sent %t", err, err, reason, sent)
	}
	return failed
}

func TestRunOverAKeptConnection(t *testing.T) {
	s := servertest.NewSSHD(t, `cat; echo " $SSH_ORIGINAL_COMMAND"; echo oh no >&2; exit 3`)
	h := open(t, options(t, s, s.Address()))
	for range 3 {
		got, err := h.Run(t.Context(), []byte("in 'and' \"out\""))
		if err != nil {
			t.Fatal(err)
		}
		if string(got.Output) != "in 'and' \"out\" asked for\n" || got.Exit != 3 || got.Complaint != "oh no\n" {
			t.Errorf("the run gave %+v", got)
		}
	}
	if n := strings.Count(s.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("three runs made %d connections, want 1\n%s", n, s.Log())
	}
}

func TestRunsAtOnce(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	h := open(t, options(t, s, s.Address()))
	errs := make(chan error)
	const n = 24
	for i := range n {
		go func() {
			text := fmt.Sprintf("run %d", i)
			got, err := h.Run(t.Context(), []byte(text))
			if err == nil && string(got.Output) != text {
				err = fmt.Errorf("%s gave %q", text, got.Output)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(s.Log(), "Accepted publickey"); n != 1 {
		t.Errorf("they made %d connections, want 1", n)
	}
}

func TestAHostWithAnotherKeyIsSentNothing(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	other, _ := servertest.NewKey(t, filepath.Join(t.TempDir(), "other"))
	for _, pinned := range []string{ssh.FingerprintSHA256(other), string(ssh.MarshalAuthorizedKey(other))} {
		o := options(t, s, s.Address())
		pin, err := sshrun.ParseHostKey(pinned)
		if err != nil {
			t.Fatal(err)
		}
		o.HostKey = pin
		_, err = open(t, o).Run(t.Context(), []byte("secret"))
		failed := fails(t, err, sshrun.WrongHost, false)
		for _, want := range []string{ssh.FingerprintSHA256(other), ssh.FingerprintSHA256(s.HostKey)} {
			if !strings.Contains(failed.Error(), want) {
				t.Errorf("the error is %q, without %s", failed, want)
			}
		}
	}
	if log := s.Log(); strings.Contains(log, "publickey") || strings.Contains(log, "Failed") {
		t.Errorf("this side tried to log in at a host that it does not know:\n%s", log)
	}
}

func TestAKeyOfAnotherTypeThanTheHosts(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	o := options(t, s, s.Address())
	pin, err := sshrun.ParseHostKey("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg= github.com")
	if err != nil {
		t.Fatal(err)
	}
	o.HostKey = pin
	_, err = open(t, o).Run(t.Context(), nil)
	fails(t, err, sshrun.WrongHost, false)
}

func TestARefusedKey(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	s.Deny(t)
	_, err := open(t, options(t, s, s.Address())).Run(t.Context(), nil)
	fails(t, err, sshrun.Refused, false)
}

func TestNobodyIsThere(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	s.Stop(t)
	_, err := open(t, options(t, s, s.Address())).Run(t.Context(), nil)
	fails(t, err, sshrun.Unreached, false)
	_, err = open(t, options(t, s, servertest.Saying(t, "HTTP/1.1 400 Bad Request\r\n\r\n"))).Run(t.Context(), nil)
	fails(t, err, sshrun.Unreached, false)
}

// TestAConnectionThatBroke has the connection cut, and the server started anew, between runs.
func TestAConnectionThatBroke(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	door := servertest.NewDoor(t, s.Port())
	h := open(t, options(t, s, fmt.Sprintf("127.0.0.1:%d", door.Port())))
	run := func() error {
		_, err := h.Run(t.Context(), []byte("text"))
		return err
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	door.Break(contract.Down)
	fails(t, run(), sshrun.Unreached, false)
	door.Break(contract.Works)
	s.Stop(t)
	fails(t, run(), sshrun.Unreached, false)
	s.Start(t)
	if err := run(); err != nil {
		t.Fatal(err)
	}
}

// TestASilentConnection has a kept connection swallow everything: a run gives it up and
// makes another, and between runs it is found by what keeps it alive.
func TestASilentConnection(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	door := servertest.NewDoor(t, s.Port())
	o := options(t, s, fmt.Sprintf("127.0.0.1:%d", door.Port()))
	h := open(t, o)
	if _, err := h.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	door.Break(contract.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := h.Run(ctx, []byte("text"))
	fails(t, err, sshrun.Unreached, false)
	door.Break(contract.Works)
	if got, err := h.Run(t.Context(), []byte("text")); err != nil || string(got.Output) != "text" {
		t.Fatalf("after the silence: %q, %v", got.Output, err)
	}
}

// TestAKeptConnectionThatFellSilent is given up by a run that can wait, and by itself.
func TestAKeptConnectionThatFellSilent(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	door := servertest.NewDoor(t, s.Port())
	o := options(t, s, fmt.Sprintf("127.0.0.1:%d", door.Port()))
	o.Alive = 300 * time.Millisecond
	h := open(t, o)
	if _, err := h.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	door.Break(contract.Hang)
	until(t, func() bool { return strings.Contains(s.Log(), "Connection closed") })
	door.Break(contract.Works)
	if got, err := h.Run(t.Context(), []byte("text")); err != nil || string(got.Output) != "text" {
		t.Fatalf("after the silence: %q, %v", got.Output, err)
	}
}

// TestAnAnswerThatIsLost cuts the connection while the command runs.
func TestAnAnswerThatIsLost(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	s := servertest.NewSSHD(t, fmt.Sprintf("cat > %s.new; mv %s.new %s; exec tail -f /dev/null", ran, ran, ran))
	door := servertest.NewDoor(t, s.Port())
	h := open(t, options(t, s, fmt.Sprintf("127.0.0.1:%d", door.Port())))
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), []byte("text"))
		done <- err
	}()
	until(t, func() bool { _, err := os.Stat(ran); return err == nil })
	door.Break(contract.Down)
	fails(t, <-done, sshrun.Unanswered, true)
}

// TestACommandThatDoesNotEnd is given up by its caller.
func TestACommandThatDoesNotEnd(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	s := servertest.NewSSHD(t, "cat > "+ran+"; exec tail -f /dev/null")
	h := open(t, options(t, s, s.Address()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(ctx, []byte("text"))
		done <- err
	}()
	until(t, func() bool { text, err := os.ReadFile(ran); return err == nil && string(text) == "text" })
	cancel()
	fails(t, <-done, sshrun.Unanswered, true)
	// The connection is not used again.
	s.Allow(t, "cat")
	if got, err := h.Run(t.Context(), []byte("text")); err != nil || string(got.Output) != "text" {
		t.Fatalf("after it was given up: %q, %v", got.Output, err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	s := servertest.NewSSHD(t, "yes")
	_, err := open(t, options(t, s, s.Address())).Run(t.Context(), nil)
	if failed := fails(t, err, sshrun.Unanswered, true); !strings.Contains(failed.Error(), "larger than 1048576 bytes") {
		t.Errorf("the error is %q", failed)
	}
	s = servertest.NewSSHD(t, "yes | head -c 3000000 >&2; echo done")
	got, err := open(t, options(t, s, s.Address())).Run(t.Context(), nil)
	if err != nil || string(got.Output) != "done\n" || len(got.Complaint) != 1024 {
		t.Errorf("the run gave %q and %d bytes of complaint, %v", got.Output, len(got.Complaint), err)
	}
}

func TestACommandThatASignalEnds(t *testing.T) {
	s := servertest.NewSSHD(t, "kill -9 $$")
	got, err := open(t, options(t, s, s.Address())).Run(t.Context(), nil)
	if err != nil || got.Exit != -1 {
		t.Errorf("the run gave %+v, %v", got, err)
	}
}

func TestNothingRunsForACancelledCaller(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	s := servertest.NewSSHD(t, "cat >> "+ran)
	h := open(t, options(t, s, s.Address()))
	if _, err := h.Run(t.Context(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		_, err := h.Run(ctx, []byte("b"))
		fails(t, err, sshrun.Unreached, false)
	}
	if _, err := h.Run(t.Context(), []byte("c")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(ran); err != nil || string(text) != "ac" {
		t.Errorf("the commands were given %q, %v", text, err)
	}
}

func TestClosed(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	h := open(t, options(t, s, s.Address()))
	for range 2 {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := h.Run(t.Context(), nil)
		fails(t, err, sshrun.Unreached, false)
	}
}

// until waits for a condition.
func until(t testing.TB, holds func() bool) {
	t.Helper()
	tick, limit := time.NewTicker(5*time.Millisecond), time.NewTimer(patient)
	defer tick.Stop()
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("it did not come")
		}
	}
}

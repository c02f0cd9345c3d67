package sshrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Reason is why a run failed, from a closed set.
type Reason string

// The reasons.
const (
	Unreached  Reason = "unreached"  // there was no connection, or nothing could be started on it
	Unanswered Reason = "unanswered" // the text was on its way, and how the command ended is not known
	WrongHost  Reason = "wrong_host" // the host does not prove to have the key; nothing was sent to it
	Refused    Reason = "refused"    // the host does not take this side's key
)

// Error is why a run failed.
type Error struct {
	Reason Reason
	// Sent reports whether the command may have been given the text.
	Sent bool
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// handshake is what was seen of one handshake: its errors do not tell.
type handshake struct {
	pinned HostKey
	// wrong is the error about a host of another key, proven whether it had the right one.
	wrong  error
	proven bool
}

func (s *handshake) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	if !s.pinned.is(key) {
		s.wrong = fmt.Errorf("the host shows another key, %s %s, and not the one of host_key, %s; nothing was sent to it",
			key.Type(), ssh.FingerprintSHA256(key), s.pinned.fingerprint)
		return s.wrong
	}
	s.proven = true
	return nil
}

// why is the error of a handshake that failed.
func (s *handshake) why(ctx context.Context, err error) *Error {
	_, apart := errors.AsType[*ssh.AlgorithmNegotiationError](err)
	switch {
	case s.wrong != nil:
		return &Error{Reason: WrongHost, Err: s.wrong}
	case ctx.Err() != nil:
		return &Error{Reason: Unreached, Err: context.Cause(ctx)}
	case apart:
		return &Error{Reason: WrongHost, Err: fmt.Errorf("the host has no key of the type of host_key, or no algorithm that is accepted; nothing was sent to it: %w", err)}
	case s.proven && !isCut(err):
		return &Error{Reason: Refused, Err: errors.New("the host does not take the key of key_file for this user")}
	}
	return &Error{Reason: Unreached, Err: err}
}

// isCut reports whether the network ended a connection, and not what was said on it.
func isCut(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

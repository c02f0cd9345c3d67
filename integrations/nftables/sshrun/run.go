package sshrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// Result is how a command ended.
type Result struct {
	Output []byte
	// Exit is its exit code; -1 where none was told, as of a command that a signal ended.
	Exit int
	// Complaint is the beginning of what it wrote to standard error. It is the host's text.
	Complaint string
}

// maxComplaint bounds what is kept of standard error, in bytes.
const maxComplaint = 1 << 10

// Run runs the command once with a text on its standard input. Its error is an *[Error],
// which says whether the command may have been given the text.
func (h *Host) Run(ctx context.Context, input []byte) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.o.Run, fmt.Errorf("no answer within %s", h.o.Run))
	defer cancel()
	if ctx.Err() != nil {
		return Result{}, &Error{Reason: Unreached, Err: context.Cause(ctx)}
	}
	select {
	case h.running <- struct{}{}:
		defer func() { <-h.running }()
	case <-ctx.Done():
		return Result{}, &Error{Reason: Unreached, Err: fmt.Errorf("wait for %d others: %w", sessions, context.Cause(ctx))}
	}
	c, kept, err := h.acquire(ctx)
	if err != nil {
		return Result{}, err
	}
	result, err := h.on(ctx, c, kept, input)
	failed, ok := errors.AsType[*Error](err)
	if !ok || !kept || failed.Sent || ctx.Err() != nil {
		return result, err
	}
	// A connection that was kept may have ended unnoticed. Nothing was sent on it.
	if c, _, err = h.acquire(ctx); err != nil {
		return Result{}, err
	}
	return h.on(ctx, c, false, input)
}

// The stages of a run.
const (
	opening int32 = iota
	sending       // the text is on its way
	givenUp       // it will never be sent
)

// on runs the command on a connection. A connection on which anything fails is not used
// again: what it still carries is not known.
func (h *Host) on(ctx context.Context, c *connection, kept bool, input []byte) (Result, error) {
	begun := ctx
	if kept {
		// It is a doubt, and no failure, when one that was kept does not answer.
		var cancel context.CancelFunc
		begun, cancel = context.WithTimeoutCause(ctx, h.o.Alive, fmt.Errorf("the connection that was kept did not answer within %s", h.o.Alive))
		defer cancel()
	}
	var stage atomic.Int32
	begins, done := make(chan struct{}), make(chan outcome, 1)
	go func() {
		defer h.release(c)
		result, err := h.session(c.client, input, func() bool {
			defer close(begins)
			return ctx.Err() == nil && stage.CompareAndSwap(opening, sending)
		})
		done <- outcome{result, err}
	}()
	var ended outcome
	select {
	case ended = <-done:
	case <-begins:
		ended = wait(ctx, done)
	case <-begun.Done():
		if stage.CompareAndSwap(opening, givenUp) {
			ended.err = context.Cause(begun)
		} else {
			ended = wait(ctx, done)
		}
	}
	if ended.err == nil {
		return ended.result, nil
	}
	h.leave(c)
	if stage.Load() == sending {
		return Result{}, &Error{Reason: Unanswered, Sent: true, Err: ended.err}
	}
	return Result{}, &Error{Reason: Unreached, Err: ended.err}
}

// outcome is how a session ended.
type outcome struct {
	result Result
	err    error
}

func wait(ctx context.Context, done <-chan outcome) outcome {
	select {
	case ended := <-done:
		return ended
	case <-ctx.Done():
		return outcome{err: context.Cause(ctx)}
	}
}

// errGivenUp is of a session that was ready after its caller had left.
var errGivenUp = errors.New("given up")

// session opens a session, starts the command, and gives it the input once begin allows it.
func (h *Host) session(client *ssh.Client, input []byte, begin func() bool) (Result, error) {
	s, err := client.NewSession()
	if err != nil {
		return Result{}, fmt.Errorf("open a session: %w", err)
	}
	defer s.Close() //nolint:errcheck // It has ended by itself where all went well.
	complaint := &beginning{most: maxComplaint}
	s.Stderr = complaint
	in, err := s.StdinPipe()
	if err != nil {
		return Result{}, fmt.Errorf("open a session: %w", err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return Result{}, fmt.Errorf("open a session: %w", err)
	}
	if err := s.Start(h.o.Command); err != nil {
		return Result{}, fmt.Errorf("start the command: %w", err)
	}
	if !begin() {
		return Result{}, errGivenUp
	}
	// A command that ends before it has read everything closes its input: what counts is
	// how it ended.
	_, _ = in.Write(input)
	_ = in.Close()
	output, err := io.ReadAll(io.LimitReader(out, int64(h.o.MaxOutput)+1))
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("read the answer: %w", err)
	case len(output) > h.o.MaxOutput:
		return Result{}, fmt.Errorf("the answer is larger than %d bytes", h.o.MaxOutput)
	}
	result := Result{Output: output}
	err = s.Wait()
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		result.Exit = exit.ExitStatus()
		if exit.Signal() != "" {
			result.Exit = -1
		}
	} else if err != nil {
		// The connection ended, or the host did not tell how the command did.
		return Result{}, fmt.Errorf("wait for the command: %w", err)
	}
	result.Complaint = complaint.String()
	return result, nil
}

// beginning keeps the beginning of what is written to it, and drops the rest.
type beginning struct {
	most int
	text []byte
}

func (b *beginning) Write(p []byte) (int, error) {
	b.text = append(b.text, p[:min(len(p), b.most-len(b.text))]...)
	return len(p), nil
}

func (b *beginning) String() string { return string(b.text) }

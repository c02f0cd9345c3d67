package nftables

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// helperTime bounds the life of a helper: a request that the network held back for longer
// is not carried out any more.
const helperTime = 15 * time.Second

// NoRequestError is of a text that is no request. Nothing was done.
type NoRequestError struct{ Err error }

func (e *NoRequestError) Error() string { return fmt.Sprintf("this is no request: %v", e.Err) }

func (e *NoRequestError) Unwrap() error { return e.Err }

// Serve answers the one request that it reads, by the guard in a file, at the gateway that
// it runs on. Version is that of the program, for people. A refusal is an answer too; its
// error is a [NoRequestError], or that the answer could not be written.
func Serve(ctx context.Context, in io.Reader, out io.Writer, guardFile, version string) error {
	h := helper{version: version, guard: func() (Guard, error) { return ReadGuard(guardFile) }, open: func(g Guard) (table, error) { return openKernel("", g.MaxLimits) }}
	return h.serve(ctx, in, out)
}

// helper serves one request.
type helper struct {
	version string
	guard   func() (Guard, error)
	open    func(Guard) (table, error)
}

func (h helper) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helperTime, fmt.Errorf("it took longer than %s", helperTime))
	defer cancel()
	text, err := readWithin(ctx, in)
	if err != nil {
		return &NoRequestError{err}
	}
	var q request
	err = unmarshalOne(text, &q)
	a := answer{Version: wireVersion, Ask: q.Ask}
	if other, ok := errors.AsType[*versionError](err); ok {
		a.Refused = &refusal{integrations.Unavailable, fmt.Sprintf("the request is of version %d of the protocol, and the gateway's helper speaks version %d", other.got, wireVersion)}
	} else if err != nil {
		return &NoRequestError{err}
	} else if err := q.check(); err != nil {
		return &NoRequestError{err}
	} else if err := h.answer(ctx, q, &a); err != nil {
		a = answer{Version: wireVersion, Ask: q.Ask, Refused: refusalOf(err)}
	}
	if err := json.NewEncoder(out).Encode(a); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// readWithin reads the request. A reader that never ends is left behind: the process ends.
func readWithin(ctx context.Context, in io.Reader) ([]byte, error) {
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := readBounded(in, maxRequest)
		done <- read{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("it did not come: %w", context.Cause(ctx))
	}
}

// check returns why an object is no request.
func (q request) check() error {
	switch {
	case len(q.Ask) < 16 || len(q.Ask) > 64:
		return errors.New("ask is not 16 to 64 characters")
	case q.Most < 0:
		return fmt.Errorf("most is %d", q.Most)
	case q.Limit != nil && q.Of != nil, q.Of != nil && q.Do != verbList, q.Limit != nil && q.Do == verbList:
		return fmt.Errorf("%q has a member that it does not take", q.Do)
	case q.Limit == nil && (q.Do == verbAdd || q.Do == verbDel):
		return fmt.Errorf("%q has no limit", q.Do)
	}
	switch q.Do {
	case verbAdd, verbDel, verbList, verbCheck:
		return nil
	}
	return fmt.Errorf("invalid verb %q: there are add, del, list and check", q.Do)
}

func refusalOf(err error) *refusal {
	if e, ok := errors.AsType[*integrations.Error](err); ok && e.Err != nil {
		return &refusal{e.Kind, e.Err.Error()}
	}
	return &refusal{integrations.KindOf(err), err.Error()}
}

// answer does what a request asks for. What it refuses changes nothing.
func (h helper) answer(ctx context.Context, q request, a *answer) error {
	g, err := h.guard()
	if err != nil {
		return refuse(integrations.Denied, "the helper's configuration: %w", err)
	}
	if err := g.permits(q); err != nil {
		return err
	}
	if q.Most > 0 {
		g.MaxLimits = min(g.MaxLimits, q.Most)
	}
	t, err := h.open(g)
	if err != nil {
		return err
	}
	switch q.Do {
	case verbAdd:
		stands, err := t.Put(ctx, *q.Limit)
		a.Limit = &stands
		return err
	case verbDel:
		a.Deleted, err = t.Delete(ctx, *q.Limit)
		return err
	case verbList:
		a.Limits, err = t.List(ctx, q.Of)
		return err
	case verbCheck:
		if q.Limit != nil {
			return t.Check(ctx, *q.Limit)
		}
		a.Gateway, err = g.state(ctx, t, h.version)
		return err
	}
	return refuse(integrations.Invalid, "invalid verb %q", q.Do)
}

// permits returns why the guard refuses a request. What stands may be looked at and taken
// away also where it could not be put any more.
func (g Guard) permits(q request) error {
	switch {
	case q.Do == verbDel:
		if err := keyed(q.Limit.Key); err != nil {
			return err
		}
		return wellFormed(q.Limit.Scope)
	case q.Limit != nil:
		return g.allows(*q.Limit, q.Do == verbCheck)
	case q.Of != nil:
		return wellFormed(*q.Of)
	}
	return nil
}

func (g Guard) state(ctx context.Context, t table, version string) (*gateway, error) {
	all, err := t.List(ctx, nil)
	if err != nil {
		return nil, err
	}
	of := &gateway{
		Helper: version, Networks: g.Networks, Actions: g.Actions, Link: g.Link,
		LowestRate: g.LowestRate, MaxLimits: g.MaxLimits, Standing: len(all),
	}
	if p, ok := t.(pastTeller); ok {
		of.Past, err = p.past(ctx)
	}
	return of, err
}

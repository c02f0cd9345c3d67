package nftables

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/nftables/sshrun"
)

// HelperCommand is what is asked for at a gateway.
const HelperCommand = "stanch gateway-helper"

// The exit codes that tell that nothing was done.
const (
	exitNoRequest  = 2   // the helper's, for what is no request; also stanch's own, where it knows no helper
	exitNotAllowed = 126 // the shell's: the program cannot be run
	exitNotFound   = 127 // the shell's: there is no such program
	exitSudo       = 1   // sudo's, and others': it counts where sudo says that it asks
)

// sudoAsks is what sudo -n says last when it has run nothing.
const sudoAsks = "sudo: a password is required"

// remote is our table at a gateway that is reached over SSH. A helper there holds it.
type remote struct {
	// name is the gateway's, and pinned the fingerprint of its key, for people.
	name, pinned string
	// most is how many limits may stand, as stanch.yaml says.
	most int
	host *sshrun.Host
}

// List implements table.
func (r *remote) List(ctx context.Context, of *Scope) ([]Limit, error) {
	a, err := r.ask(ctx, "list limits", false, request{Do: verbList, Of: of})
	return a.Limits, err
}

// Put implements table.
func (r *remote) Put(ctx context.Context, l Limit) (Limit, error) {
	const what = "put a limit"
	a, err := r.ask(ctx, what, true, request{Do: verbAdd, Limit: &l})
	switch {
	case err != nil:
		return Limit{}, err
	case a.Limit == nil || !a.Limit.holds(l.Scope):
		return Limit{}, r.errorf(integrations.Ambiguous, what, "the answer is about something else")
	}
	return *a.Limit, nil
}

// Delete implements table.
func (r *remote) Delete(ctx context.Context, l Limit) (bool, error) {
	l.Counters, l.Chain, l.Problem = nil, "", ""
	a, err := r.ask(ctx, "take a limit away", true, request{Do: verbDel, Limit: &l})
	return a.Deleted, err
}

// Check implements table.
func (r *remote) Check(ctx context.Context, l Limit) error {
	_, err := r.ask(ctx, "check a limit", false, request{Do: verbCheck, Limit: &l})
	return err
}

// state asks the helper for its configuration, and what it holds.
func (r *remote) state(ctx context.Context) (gateway, error) {
	const what = "check the gateway"
	a, err := r.ask(ctx, what, false, request{Do: verbCheck})
	switch {
	case err != nil:
		return gateway{}, err
	case a.Gateway == nil:
		return gateway{}, r.errorf(integrations.Unavailable, what, "the answer is about something else")
	}
	return *a.Gateway, nil
}

// Close ends the connection.
func (r *remote) Close() error { return r.host.Close() }

// holds reports whether a limit is of some of a scope's traffic.
func (l Limit) holds(s Scope) bool {
	narrowed := Scope{Action: l.Action, Addresses: s.Addresses, Filter: l.Filter}
	return narrowed.same(s) && slices.ContainsFunc(l.Addresses, func(a netip.Addr) bool { return slices.Contains(s.Addresses, a) })
}

func (r *remote) errorf(kind integrations.Kind, what, format string, args ...any) error {
	return integrations.Errorf(kind, what+" at "+r.name, format, args...)
}

// ask has the helper answer one request. A write whose answer is not understood is
// ambiguous.
func (r *remote) ask(ctx context.Context, what string, write bool, q request) (answer, error) {
	q.Version, q.Ask, q.Most = wireVersion, rand.Text(), r.most
	text, err := json.Marshal(q)
	if err != nil {
		return answer{}, r.errorf(integrations.Invalid, what, "write the request: %w", err)
	}
	if len(text) > maxRequest {
		return answer{}, r.errorf(integrations.Invalid, what, "the request has %d bytes, and at most %d are taken", len(text), maxRequest)
	}
	unknown := integrations.Unavailable
	if write {
		unknown = integrations.Ambiguous
	}
	result, err := r.host.Run(ctx, text)
	if err != nil {
		return answer{}, r.errorf(kindOf(err, unknown), what, "%w", err)
	}
	a, err := understand(result, q.Ask)
	if known, ok := errors.AsType[*told](err); ok {
		return answer{}, r.errorf(known.kind, what, "%w", err)
	}
	if err != nil {
		return answer{}, r.errorf(unknown, what, "%w", err)
	}
	return a, nil
}

// kindOf is the kind of a run that failed.
func kindOf(err error, unknown integrations.Kind) integrations.Kind {
	failed, ok := errors.AsType[*sshrun.Error](err)
	switch {
	case !ok || failed.Sent:
		return unknown
	case failed.Reason == sshrun.WrongHost || failed.Reason == sshrun.Refused:
		return integrations.Denied
	}
	return integrations.Unavailable
}

// told is an error whose kind is known: the helper, or how it ended, tells it.
type told struct {
	kind integrations.Kind
	why  string
}

func (e *told) Error() string { return e.why }

// understand reads how a helper ended. An error that is no [told] leaves open what it did.
func understand(result sshrun.Result, ask string) (answer, error) {
	var a answer
	err := unmarshalOne(result.Output, &a)
	other, isOther := errors.AsType[*versionError](err)
	switch {
	case isOther:
		older := "the gateway's"
		if other.got > wireVersion {
			older = "this side's"
		}
		return a, &told{integrations.Unavailable, fmt.Sprintf("the gateway's helper speaks version %d of the protocol, and this side version %d: install the same release of stanch on both, %s is the older", other.got, wireVersion, older)}
	case err == nil && a.Ask == ask && a.Refused != nil:
		return a, a.Refused.error()
	case err == nil && a.Ask == ask && result.Exit == 0:
		return a, nil
	case err == nil && a.Ask != ask:
		return a, errors.New("the answer is to another request")
	}
	said := httpx.Line(result.Complaint)
	if len(result.Output) == 0 {
		switch result.Exit {
		case exitNotFound:
			return a, &told{integrations.Unavailable, "the gateway has no " + HelperCommand + ": install stanch there"}
		case exitNotAllowed:
			return a, &told{integrations.Unavailable, "the gateway may not run its " + HelperCommand + ": " + said}
		case exitNoRequest:
			return a, &told{integrations.Unavailable, "the gateway's helper takes our request for none: " + said}
		case exitSudo:
			if strings.HasSuffix(strings.TrimSpace(result.Complaint), sudoAsks) {
				return a, &told{integrations.Denied, "the gateway's sudo does not let this user run " + HelperCommand + ": " + said}
			}
		}
	}
	if err == nil {
		err = errors.New("its answer is good")
	}
	return a, fmt.Errorf("the gateway's helper ended with %d, and its answer cannot be trusted: %w; it said %q", result.Exit, err, said)
}

// error is what the helper refused. Only kinds of the closed set are believed.
func (f refusal) error() error {
	if !slices.Contains(integrations.Kinds(), f.Kind) {
		return fmt.Errorf("the gateway's helper refused it with the unknown kind %q", httpx.Line(string(f.Kind)))
	}
	return &told{f.Kind, httpx.Line(f.Why)}
}

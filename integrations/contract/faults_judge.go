package contract

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

// judge judges one operation during one outage. Whole is how it goes without one.
type judge struct {
	t      testing.TB
	h      FaultsHarness
	op     operation
	outage Outage
	whole  tried
}

func (j judge) errorf(format string, args ...any) {
	j.t.Helper()
	where := "at " + j.outage.Part
	if j.outage.Part == "" {
		where = fmt.Sprintf("from request %d on", j.outage.After+1)
		if j.outage.After < len(j.whole.sent) {
			s := j.whole.sent[j.outage.After]
			where += fmt.Sprintf(" (%s %s %.60s)", s.Part, s.Method, s.Target)
		}
	}
	if j.outage.CarriesOut {
		where += ", carried out"
	}
	j.t.Errorf("%s, %s %s: %s", j.op.name, j.outage.Fault, where, fmt.Sprintf(format, args...))
}

// judge judges an answer or an error.
func (j judge) judge(r tried) {
	j.t.Helper()
	j.showsNothing(r)
	j.stops(r)
	switch {
	case r.err == nil && j.h.Cuts != "" && j.op.name == "ran" && strings.HasPrefix(r.said, "done, "):
	case r.err == nil && r.said != j.whole.said && j.op.name != "probe":
		j.errorf("it is taken for the answer %q; it is %q", r.said, j.whole.said)
	case r.err == nil && j.op.name == "probe" && r.said == j.whole.said && slices.ContainsFunc(r.sent, j.matters):
		j.errorf("the probe finds nothing wrong: %s", r.said)
	case r.err == nil:
	case !r.failed():
		j.errorf("it fails, though nothing that it asked for did: %v", r.err)
	default:
		j.error(r)
	}
}

// error judges the kind and the text of an error.
func (j judge) error(r tried) {
	j.t.Helper()
	if p, ok := errors.AsType[*probeError](r.err); ok {
		if strings.Contains(p.Error(), "without a cure") {
			j.errorf("a finding has no cure: %v", p)
		}
		return
	}
	e, ok := errors.AsType[*integrations.Error](r.err)
	if !ok {
		j.errorf("error %q is not an integrations.Error", r.err)
		return
	}
	if want := j.kinds(r); !slices.Contains(want, e.Kind) {
		j.errorf("error %q is of kind %s, want %v", e, e.Kind, want)
	}
	if e.Op == "" || !strings.HasPrefix(e.Error(), e.Op+": ") {
		j.errorf("error %q names no operation", e)
	}
	mentions := func(word string) bool { return strings.Contains(e.Error(), word) }
	if e.Kind == integrations.Denied && !slices.ContainsFunc(j.h.Cures, mentions) {
		j.errorf("error %q does not say what to check: one of %v", e, j.h.Cures)
	}
	if e.Kind == integrations.Invalid && !mentions("configure its target") {
		j.errorf("error %q does not say what to do about a redirect", e)
	}
	if e.Kind == integrations.Throttled && (e.After <= 0 || e.After > ThrottledFor) {
		j.errorf("throttled for %s, and the product asked for %s", e.After, ThrottledFor)
	}
}

// kinds are those that an error may have.
func (j judge) kinds(r tried) []integrations.Kind {
	lost := integrations.Unavailable
	accepted := false
	for _, s := range r.sent {
		switch {
		case j.h.Orders(s) && s.Failed:
			lost = integrations.Ambiguous
		case j.h.Orders(s):
			accepted = true
		}
	}
	kind := lost
	switch j.outage.Fault {
	case Deny, Forbid:
		kind = integrations.Denied
		if j.atStorage(r) {
			kind = integrations.Unavailable
		}
	case Throttle:
		kind = integrations.Throttled
	case Elsewhere:
		kind = integrations.Invalid
	case Missing:
		kind = integrations.Unavailable
	case Works, Down, Hang, LoseAnswer, HTML, Wrong, Foreign, Torn, Huge, Trickle, Failing:
	}
	if accepted || j.givenUpAtOrder() {
		// What was ordered before may be carried out, and so may what is on its way.
		return []integrations.Kind{kind, integrations.Ambiguous}
	}
	return []integrations.Kind{kind}
}

// givenUpAtOrder reports whether the caller gave up while an order was due: another request
// may have been hit just before it, and it may be on its way.
func (j judge) givenUpAtOrder() bool {
	at := j.outage.After
	return endless(j.outage.Fault) && j.outage.Part == "" && at < len(j.whole.sent) && j.h.Orders(j.whole.sent[at])
}

// atStorage reports whether the requests that failed were for the storage alone.
func (j judge) atStorage(r tried) bool {
	return !slices.ContainsFunc(r.sent, func(s Sent) bool { return s.Failed && s.Part != j.h.Storage })
}

// stops fails where something was ordered after a request that failed.
func (j judge) stops(r tried) {
	j.t.Helper()
	failed, aside := "", false
	for _, s := range r.sent {
		switch {
		case s.Failed && aside && s.Part == j.h.Login:
			// The token of what nobody waits for.
		case s.Failed && !j.matters(s):
			aside = true
		case failed != "" && j.h.Orders(s):
			j.errorf("%s %s was sent after %s had failed", s.Method, s.Target, failed)
			return
		case failed == "" && j.matters(s):
			failed = s.Method + " " + s.Target
		}
	}
}

// matters reports whether a request failed whose answer is needed.
func (j judge) matters(s Sent) bool {
	return s.Failed && (j.h.Needless == nil || !j.h.Needless(s))
}

// showsNothing fails where an error shows a secret: one of the harness's, what was sent as
// credentials, or the signature of a link.
func (j judge) showsNothing(r tried) {
	j.t.Helper()
	k := j.h.Knobs
	for _, s := range r.sent {
		k.Secrets = append(slices.Clone(k.Secrets), secretsOf(s)...)
	}
	k.noSecret(j.t, fmt.Sprintf("%s, %s", j.op.name, j.outage.Fault), r.err)
}

// secretsOf are the secrets in a request.
func secretsOf(s Sent) []string {
	var all []string
	if scheme, credentials, ok := strings.Cut(s.Header.Get("Authorization"), " "); ok {
		all = append(all, credentials)
		if raw, err := base64.StdEncoding.DecodeString(credentials); err == nil && scheme == "Basic" {
			_, password, _ := strings.Cut(string(raw), ":")
			all = append(all, password)
		}
	}
	u, err := url.Parse(s.Target)
	if err != nil {
		return all
	}
	for _, name := range []string{"sig", "X-Amz-Signature", "Signature", "signature"} {
		if sig := u.Query().Get(name); sig != "" {
			all = append(all, sig)
		}
	}
	return all
}

// repair repeats the operation when the product works again, with the same key.
func (j judge) repair(w FaultsWorld, first tried) {
	j.t.Helper()
	lost := j.lost(first)
	if lost && j.h.Waits != "" && j.outage.Fault != LoseAnswer && !j.outage.CarriesOut {
		return // It waits for an order that was not given.
	}
	var r tried
	const most = 4
	for try := range most {
		w.World.Settle()
		r.said, r.err = j.op.do(j.t.Context(), w)
		if r.err == nil || !j.again(&w, r.err, try == 0) {
			break
		}
	}
	w.World.Settle()
	kind := integrations.KindOf(r.err)
	switch {
	case r.err != nil && lost && j.h.Forgets != "" && kind == integrations.Ambiguous:
		if n := w.runs() + w.World.Kills(); n > 1 {
			j.errorf("%d scripts were ordered with one key", n)
		}
	case r.err != nil:
		j.errorf("when the product works again: %v", r.err)
	case j.op.done == nil && r.said != j.whole.said:
		j.errorf("when the product works again it answers %q, want %q", r.said, j.whole.said)
	case j.op.done != nil:
		if err := j.op.done(w); err != nil {
			j.errorf("when the product works again: %v", err)
		}
	}
}

// lost reports whether an order was not answered.
func (j judge) lost(r tried) bool {
	return slices.ContainsFunc(r.sent, func(s Sent) bool { return s.Failed && j.h.Orders(s) })
}

// again reports whether an operation is tried again. What was refused is believed to be for
// a while, and is not asked for: the next try is that of a process that starts anew. The first
// try may have had the answer to what was asked before the repair, such as for a token.
func (j judge) again(w *FaultsWorld, err error, first bool) bool {
	e, ok := errors.AsType[*integrations.Error](err)
	if ok && (e.Kind == integrations.Conflict || first && e.Kind == integrations.Unavailable && e.After == 0) {
		return true
	}
	if ok && (e.Kind == integrations.Ambiguous || e.Kind == integrations.Unavailable && e.After == 0) {
		return false
	}
	w.Client = w.Reopen()
	return true
}

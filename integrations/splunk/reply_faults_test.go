package splunk

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
)

// Splunk answers an update that failed with status 200, and success false. One that failed
// within may have been written, and is tried again; the comment is looked for first.
//
// https://docs.splunk.com/Documentation/ES/7.3.0/API/NotableEventAPIreference
func TestAnUpdateThatFailedWithinIsTriedAgain(t *testing.T) {
	spec := splunkSpec(t)
	for _, how := range []splunkfake.Failure{splunkfake.NotSaved, splunkfake.Traced, splunkfake.SavedUnsaid} {
		h := newHead(t, spec, splunkfake.Options{})
		c, r := h.open(t), closing(event("6E1A"))
		h.Fail(how, 1)
		if _, err := c.ReplyTo(t.Context(), r); err == nil || integrations.KindOf(err) != integrations.Ambiguous {
			t.Errorf("%s: error %v, want one of kind ambiguous", how, err)
		}
		if _, err := c.ReplyTo(t.Context(), r); err != nil || h.Status(r.To.ID) != "5" || len(h.comments(r.To.ID)) != 1 {
			t.Errorf("%s: again: error %v, state %s, comments %q", how, err, h.Status(r.To.ID), h.comments(r.To.ID))
		}
	}
}

// What the rules of Incident Review forbid does not become right by another try.
func TestAnUpdateThatRulesForbid(t *testing.T) {
	spec := splunkSpec(t)
	for rule, o := range map[string]splunkfake.Options{"1000 characters long": {LeastComment: 1000}, "transition from": {NoClosing: true}} {
		h := newHead(t, spec, o)
		_, err := h.open(t).ReplyTo(t.Context(), closing(event("6E1A")))
		if err == nil || integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: error %v", rule, err)
		}
	}
}

// Reviews that cannot be read are no proof that nothing was written: nothing is.
func TestNothingIsWrittenThatCannotBeLookedFor(t *testing.T) {
	h := newHead(t, splunkSpec(t), splunkfake.Options{})
	r := closing(event("6E1A"))
	h.Fail(splunkfake.StoreDown, 1)
	if _, err := h.open(t).ReplyTo(t.Context(), r); err == nil || integrations.KindOf(err) != integrations.Unavailable || len(h.comments(r.To.ID)) != 0 {
		t.Errorf("error %v, comments %q", err, h.comments(r.To.ID))
	}
}

// Of an event that nobody touched Splunk keeps no state: null, and not the empty text. A
// comment alone leaves it so, and it can be closed.
func TestAnEventWithoutAState(t *testing.T) {
	h := newHead(t, splunkSpec(t), splunkfake.Options{})
	c, r := h.open(t), closing(event("6E1A"))
	r.Close, r.Key = false, "run/1/a"
	if _, err := c.ReplyTo(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := h.Reviews(r.To.ID); len(got) != 1 || got[0].Status != nil {
		t.Errorf("reviews %+v, want one without a state", got)
	}
	if _, err := c.ReplyTo(t.Context(), closing(r.To)); err != nil || h.Status(r.To.ID) != "5" {
		t.Errorf("error %v, state %s", err, h.Status(r.To.ID))
	}
}

// Each request of a reply is answered by something else than Splunk. None of it is taken
// for a comment.
func TestOnlySplunkAnswers(t *testing.T) {
	spec := splunkSpec(t)
	faults := []contract.Fault{contract.HTML, contract.Foreign, contract.Wrong, contract.Torn, contract.Missing, contract.Failing, contract.Elsewhere}
	for _, fault := range faults {
		for after := range 2 {
			h := newHead(t, spec, splunkfake.Options{})
			front := faulty.NewFront(t)
			c, r := openSplunk(t, front.Serve(func(*http.Request) string { return "splunk" }, h.Server)), closing(event("6E1A"))
			front.Fail(contract.Outage{Fault: fault, After: after})
			if _, err := c.ReplyTo(t.Context(), r); err == nil || integrations.KindOf(err) == integrations.NotFound {
				t.Errorf("%s at request %d: error %v", fault, after+1, err)
			}
			front.Fail(contract.Outage{})
			if _, err := c.ReplyTo(t.Context(), r); err != nil || h.Status(r.To.ID) != "5" || len(h.comments(r.To.ID)) != 1 {
				t.Errorf("%s at request %d, then again: error %v, state %s, comments %q", fault, after+1, err, h.Status(r.To.ID), h.comments(r.To.ID))
			}
		}
	}
}

// A token that Splunk refuses, or whose user lacks a capability, is said to be the matter.
func TestATokenThatMayNot(t *testing.T) {
	spec := splunkSpec(t)
	token := splunkfake.Analyst()
	for _, has := range [][]string{{splunkfake.EditNotables}, {splunkfake.ReadReviews}} {
		token.Capabilities = has
		h := newHead(t, spec, splunkfake.Options{Tokens: []splunkfake.Token{token}})
		r := closing(event("6E1A"))
		_, err := h.open(t).ReplyTo(t.Context(), r)
		if err == nil || integrations.KindOf(err) != integrations.Denied || !strings.Contains(err.Error(), "check token") || len(h.comments(r.To.ID)) != 0 {
			t.Errorf("with %q alone: error %v, comments %q", has, err, h.comments(r.To.ID))
		}
	}
	h := newHead(t, spec, splunkfake.Options{Tokens: []splunkfake.Token{{Text: "another"}}})
	_, err := h.open(t).ReplyTo(t.Context(), closing(event("6E1A")))
	if err == nil || integrations.KindOf(err) != integrations.Denied || !strings.Contains(err.Error(), "call not properly authenticated") {
		t.Errorf("error %v", err)
	}
}

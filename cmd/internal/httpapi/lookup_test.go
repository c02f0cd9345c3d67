package httpapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
)

// desk is a product that holds what alerts only name: it answers with an error while it has
// one.
type desk struct {
	err   error
	host  string
	asked int
}

func (d *desk) Complete(_ context.Context, body []byte) ([]byte, error) {
	d.asked++
	if d.err != nil {
		return nil, d.err
	}
	return []byte(strings.Replace(string(body), `"entities":[]`, fmt.Sprintf(`"host":{"id":%q,"name":%q,"os":"windows"}`, d.host, d.host), 1)), nil
}

func (d *desk) source(t *testing.T) func(*httpapi.Options) {
	t.Helper()
	return func(o *httpapi.Options) {
		s := source(t, sender{Name: "desk", Kind: "stanch", Auth: auth.Auth{Bearer: siemToken}})
		s.Lookup = d
		o.Sources["desk"] = s
	}
}

const named = `{"id":"i-1","category":"note","entities":[]}`

// An alert that only names what it is about is looked up before it is read.
func TestAlertsAreLookedUp(t *testing.T) {
	d := &desk{host: host(t)}
	s := newSide(t, d.source(t))
	var got api.Accepted
	s.call("POST", "/v1/alerts/desk", siemToken, named).is(202, &got)
	if len(got.Cases) != 1 || got.Cases[0].ID != "note/"+d.host || d.asked != 1 {
		t.Errorf("it is taken as %+v after %d lookups, want one case of %s", got, d.asked, d.host)
	}
}

// While the product that is asked may still answer, the sender keeps the alert.
func TestNothingIsTakenUntilItIsLookedUp(t *testing.T) {
	needsEngine(t)
	for _, kind := range integrations.Kinds() {
		if !kind.Retryable() {
			continue
		}
		d := &desk{err: &integrations.Error{Kind: kind, Op: "fetch", After: 42 * time.Second}}
		s := newSide(t, d.source(t))
		for after, want := range map[time.Duration]string{42 * time.Second: "42", 0: "15"} {
			d.err = &integrations.Error{Kind: kind, Op: "fetch", After: after}
			a := s.call("POST", "/v1/alerts/desk", siemToken, named)
			a.refused(503, "unavailable")
			if got := a.header.Get("Retry-After"); got != want {
				t.Errorf("%s: Retry-After is %q, want %q", kind, got, want)
			}
		}
		if list := s.rejected("desk/"); len(list) > 0 {
			t.Errorf("%s: %v is kept, though the sender was asked to send it again", kind, list)
		}
	}
}

// What the product refuses for good is read as it came, and kept with the reason.
func TestAnAlertThatIsNotLookedUpIsKept(t *testing.T) {
	d := &desk{host: host(t), err: integrations.Errorf(integrations.Denied, "fetch the entities", "no role")}
	s := newSide(t, d.source(t))
	refused := s.call("POST", "/v1/alerts/desk", siemToken, strings.Replace(named, "i-1", "i-"+d.host, 1)).refused(422, "rejected")
	if !strings.Contains(refused.Error, "could not be looked up: fetch the entities: denied: no role") {
		t.Errorf("it says %q", refused.Error)
	}
	// Retried when the product answers, it is taken.
	d.err = nil
	var got api.Accepted
	s.call("POST", "/v1/rejected/"+refused.Rejected+"/retry", aliceToken, nil).is(202, &got)
	if len(got.Cases) != 1 || got.Cases[0].ID != "note/"+d.host {
		t.Errorf("retried, it is taken as %+v", got)
	}
	// An alert that names its host is taken, whatever the product says.
	d.err = integrations.Errorf(integrations.NotFound, "fetch the entities", "gone")
	s.call("POST", "/v1/alerts/desk", siemToken, alert("whole-"+d.host, "note", d.host)).is(202, &got)
}

// rejected lists what is kept of a source.
func (s *side) rejected(prefix string) (ids []string) {
	s.t.Helper()
	var list api.RejectedList
	s.call("GET", "/v1/rejected", aliceToken, nil).is(200, &list)
	for _, r := range list.Rejected {
		if strings.HasPrefix(r.ID, prefix) {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

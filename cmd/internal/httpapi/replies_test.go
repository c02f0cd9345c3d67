package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// answering has the receiver answer the alerts of its source.
func answering(t *testing.T) func(*httpapi.Options) {
	return func(o *httpapi.Options) {
		o.Sources["soc"] = source(t, sender{Name: "soc", Kind: "elastic", Category: "high_egress", OS: "windows", Auth: auth.Auth{Bearer: siemToken}})
		o.Replies = []activities.PinnedReply{{Source: "soc", Use: "slack"}}
	}
}

// toldAbout is what the sender of an alert was told.
func toldAbout(id string) []memory.Replied {
	return slices.DeleteFunc(shared.estate.Replies(), func(r memory.Replied) bool { return r.Reply.To.ID != id })
}

// Two systems play against each other: the sender posts its alert again at every change of
// it, and what it is told is one; people and other automations change it too. After fifty
// rounds there is one case, each thing was told once, and the alert was closed once.
func TestASenderThatEchoesEverythingEnds(t *testing.T) {
	s := newSide(t, answering(t))
	h, id := host(t), "echo-1"
	rounds, closed := 0, false
	post := func() (got api.Accepted) {
		rounds++
		status := "open"
		if closed {
			status = "closed"
		}
		body := fmt.Sprintf(`{"kibana.alert.uuid":%q,"kibana.alert.workflow_status":%q,"@timestamp":"2026-03-01T03:00:00Z",`+
			`"kibana.alert.workflow_status_updated_at":"2026-03-01T03:%02d:00Z","kibana.alert.rule.name":"egress",`+
			`"host":{"id":%q,"name":%q},"notes":%d}`, id, status, rounds, h, h, rounds)
		s.call("POST", "/v1/alerts/soc", siemToken, body).is(http.StatusAccepted, &got)
		return got
	}
	first := post().Cases[0]
	heard := 0
	echo := func(until string) {
		eventually(t, "the sender is told "+until, func() bool {
			all := toldAbout(id)
			for ; heard < len(all); heard++ {
				closed = closed || all[heard].Reply.Close
				if got := post(); len(got.Cases) > 0 && got.Cases[0].Run != first.Run && got.Cases[0].Run != "" {
					t.Errorf("round %d opened run %s, the case is %s", rounds, got.Cases[0].Run, first.Run)
				}
			}
			return slices.ContainsFunc(all, func(r memory.Replied) bool { return string(r.Reply.Kind) == until })
		})
	}
	echo("confirmed")
	for rounds < 40 {
		post()
	}
	s.call("POST", "/v1/cases/"+first.ID+"/close", aliceToken, api.CloseRequest{Reason: "a load test", Verdict: incident.Benign}).is(http.StatusOK, nil)
	echo("closed")
	c := s.over(first)
	for rounds < 50 {
		if got := post(); len(got.Cases) > 0 {
			t.Errorf("round %d of a closed alert reached %+v", rounds, got.Cases)
		}
	}
	var kinds []string
	for _, r := range toldAbout(id) {
		kinds = append(kinds, string(r.Reply.Kind))
	}
	// Whether the effect was measured before alice closed the case is not of this test.
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "verified" || k == "cannot_tell" })
	if !slices.Equal(kinds, []string{"opened", "accepted", "confirmed", "closed"}) {
		t.Errorf("after %d rounds it was told %q", rounds, kinds)
	}
	if c.AlertCount != 1 || len(happenedIn(c, incident.EvDecided)) != 1 || c.Verdict != incident.Benign || applied(h) != 1 {
		t.Errorf("the case has %d alerts, %d decisions, the verdict %q and %d containments", c.AlertCount, len(happenedIn(c, incident.EvDecided)), c.Verdict, applied(h))
	}
	last := toldAbout(id)[len(toldAbout(id))-1].Reply
	if !last.Close || last.Verdict != incident.Benign || last.Outcome != incident.OutcomeClosedByHand {
		t.Errorf("the last reply is %+v", last.Reply)
	}
}

func happenedIn(c incident.Case, kind incident.EventKind) []incident.Event {
	return slices.DeleteFunc(slices.Clone(c.Timeline), func(e incident.Event) bool { return e.Kind != kind })
}

// What one Stanch tells others is no alert of another, whatever the source would make of it.
func TestWhatAStanchTellsIsNoAlert(t *testing.T) {
	s := newSide(t)
	h := host(t)
	s.call("POST", "/v1/alerts/siem", siemToken, alert("own-1", "high_egress", h), header(httpx.EventHeader, "reply")).refused(http.StatusUnprocessableEntity, "invalid")
	s.call("GET", "/v1/cases/contain/"+h, aliceToken, nil).refused(http.StatusNotFound, "not_found")
}

func TestAVerdictIsOneOfThose(t *testing.T) {
	s := newSide(t)
	s.call("POST", "/v1/cases/contain/nobody/close", aliceToken, api.CloseRequest{Reason: "r", Verdict: "guilty"}).refused(http.StatusBadRequest, "invalid")
}

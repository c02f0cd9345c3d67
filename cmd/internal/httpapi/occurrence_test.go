package httpapi_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// at is a receiver whose clock is ahead.
func at(t *testing.T, ahead time.Duration) *side {
	return newSide(t, func(o *httpapi.Options) {
		o.Now = func() time.Time { return time.Now().Add(ahead) }
		// No category in its alerts, as a careless sender writes them.
		o.Sources["bare"] = source(t, sender{Name: "bare", Kind: "stanch", Category: "note", OS: "windows", Auth: auth.Auth{Bearer: siemToken}})
	})
}

// to posts to a source and returns the one case.
func (s *side) to(source, body string) api.CaseRef {
	s.t.Helper()
	var got api.Accepted
	s.call("POST", "/v1/alerts/"+source, siemToken, body).is(202, &got)
	if len(got.Cases) != 1 {
		s.t.Fatalf("%s is accepted as %+v", body, got)
	}
	return got.Cases[0]
}

func began(when string) string { return fmt.Sprintf(`,"time":%q`, when) }

// Once its case has closed, an alert that keeps its id is taken as another
// occurrence and with newer content; sent again it has no effect.
func TestAClosedCaseTellsOccurrencesApart(t *testing.T) {
	now, later := at(t, 0), at(t, time.Hour)
	h := host(t)
	first := now.to("siem", alert("a", "note", h, began("2026-03-01T03:00:00Z")))
	now.over(first)
	last := first
	for _, step := range []struct {
		side *side
		more string
		same bool
	}{
		{now, began("2026-03-01T03:00:00Z"), true},
		{later, began("2026-03-01T04:00:00+01:00"), true},
		{now, began("2026-03-01T05:00:00Z"), false},
		{later, began("2026-03-01T05:00:00Z"), true},
		{later, began("2026-03-01T03:00:00Z"), true},
		{now, began("2026-03-01T05:00:00Z") + `,"bytes_out":9`, false},
		{later, began("2026-03-01T05:00:00Z") + `,"bytes_out":9`, true},
		{now, began("2026-03-01T05:00:00Z"), true},
	} {
		got := step.side.to("siem", alert("a", "note", h, step.more))
		if got.Repeat != step.same || (got.Run == last.Run) != step.same {
			t.Fatalf("%s went to %+v, the last was %+v", step.more, got, last)
		}
		if c := step.side.over(got); len(c.AlertKeys) != 1 {
			t.Fatalf("%s: the case has %v", step.more, c.AlertKeys)
		}
		last = got
	}
}

// An alert with neither an id nor a time is a retry for ten minutes,
// and then another occurrence; the same where it has an id.
func TestTheSameBytesAreARetryForTenMinutes(t *testing.T) {
	for name, id := range map[string]string{"without an id": "", "with an id": `"id":"x",`} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{%s"host":{"name":%q,"os":"windows","ip":["10.20.4.17"]},"bytes_out":5000000000,"rule":"noid"}`, id, host(t))
			first := at(t, 0).to("bare", body)
			at(t, 0).over(first)
			last := first
			for _, step := range []struct {
				ahead time.Duration
				same  bool
			}{{0, true}, {9 * time.Minute, true}, {11 * time.Minute, false}, {19 * time.Minute, true}, {22 * time.Minute, false}} {
				got := at(t, step.ahead).to("bare", body)
				if got.Repeat != step.same || (got.Run == last.Run) != step.same {
					t.Fatalf("after %s it went to %+v, the last was %+v", step.ahead, got, last)
				}
				at(t, 0).over(got)
				last = got
			}
		})
	}
}

// After a resolved an alert is taken, whether its case was open then or not.
func TestAnAlertIsHeardAfterItWasResolved(t *testing.T) {
	s := newSide(t)
	h := host(t)
	fires, over := alert("a", "note", h), alert("a", "note", h, `,"status":"resolved"`)
	last := s.send(fires).Cases[0]
	s.over(last)
	for range 2 {
		got := s.send(over)
		if len(got.Cases) != 0 || len(got.Recorded) != 1 {
			t.Fatalf("resolved is accepted as %+v", got)
		}
		next := s.send(fires).Cases[0]
		if next.Repeat || next.Run == last.Run {
			t.Fatalf("after a resolved it went to %+v", next)
		}
		if c := s.over(next); len(c.AlertKeys) != 1 {
			t.Fatalf("the next case has %v", c.AlertKeys)
		}
		if again := s.send(fires).Cases[0]; !again.Repeat || again.Run != next.Run {
			t.Fatalf("sent again it went to %+v", again)
		}
		last = next
	}

	h = host(t)
	fires, over = alert("a", "ask", h), alert("a", "ask", h, `,"status":"resolved"`)
	open := s.send(fires).Cases[0]
	s.until(open, "the case asks", awaiting)
	s.send(over)
	s.send(fires)
	s.send(fires)
	c := s.until(open, "it is heard", func(c incident.Case) bool { return len(c.AlertKeys) == 2 })
	if !slices.Equal(c.AlertKeys, []string{"siem/a", "siem/a"}) || !awaiting(c) {
		t.Errorf("the open case has %v and is %s", c.AlertKeys, c.Status)
	}
}

// A case that an earlier version closed has kept the keys of its alerts: they
// cover every occurrence until then, and no later one.
func TestAnUpgradeReopensNothingAndSwallowsNothing(t *testing.T) {
	s := newSide(t)
	h := host(t)
	p := playbook(t, "note", "note", "", 1)
	parsed, err := alerts.Source{Spec: stanch.Alerts(), Name: "siem"}.Parse([]byte(alert("a", "note", h, began("2026-03-01T03:00:00Z"))), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old := parsed[0].Alert
	old.Prints = nil
	in := workflows.CaseInput{ID: "note/" + h, Subject: h, Pin: activities.PinOf(p), Alerts: []incident.Alert{old}}
	started, err := shared.client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: protocol.CaseWorkflowID(in.ID), TaskQueue: protocol.TaskQueue,
	}, protocol.RespondWorkflow, in)
	if err != nil {
		t.Fatal(err)
	}
	first := api.CaseRef{ID: in.ID, Run: started.GetRunID()}
	s.over(first)
	for _, more := range []string{began("2026-03-01T03:00:00Z"), began("2026-03-01T03:30:00Z"), ""} {
		if got := s.to("siem", alert("a", "note", h, more)); !got.Repeat || got.Run != first.Run {
			t.Errorf("%s of before went to %+v", more, got)
		}
	}
	next := s.to("siem", alert("a", "note", h, began(time.Now().Add(time.Minute).Format(time.RFC3339))))
	if next.Repeat || next.Run == first.Run {
		t.Fatalf("an occurrence of after went to %+v", next)
	}
	s.over(next)
	// The keys that the next case hands on cover the same.
	if got := s.to("siem", alert("a", "note", h, began("2026-03-01T03:00:00Z"))); !got.Repeat || got.Run != next.Run {
		t.Errorf("one of before, two cases later, went to %+v", got)
	}
	got := at(t, 20*time.Minute).to("siem", alert("a", "note", h))
	if got.Repeat {
		t.Errorf("one without a time, much later, went to %+v", got)
	}
}

package playbooktest

import (
	"errors"
	"fmt"
	"maps"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// happen carries out an event of the timeline. One without a person lets time
// pass.
func (r *rehearsal) happen(i int, e playbooks.TestEvent) {
	if e.Facts != nil {
		r.change(i, e)
	}
	if e.Alert != nil {
		r.laterAlert(i, e)
	}
	if e.Approve != "" {
		r.vote(i, e, e.Approve, true)
	}
	if e.Deny != "" {
		r.vote(i, e, e.Deny, false)
	}
}

// change changes the facts. Late facts are returned from now on.
func (r *rehearsal) change(i int, e playbooks.TestEvent) {
	facts := laid(*e.Facts)
	identify(&facts)
	if err := r.estate.SetFacts(r.host, facts); err != nil {
		r.mishap(e, "the facts cannot change: %v", err)
		return
	}
	r.estate.Mend()
	maps.DeleteFunc(r.late, func(_ string, given int) bool { return given <= i })
	r.withhold()
}

func (r *rehearsal) mishap(e playbooks.TestEvent, format string, args ...any) {
	r.mishaps = append(r.mishaps, Failure{What: "timeline at " + incident.FormatDuration(e.At), Got: fmt.Sprintf(format, args...)})
}

// vote has a person answer the pending approval. The person is in the groups that
// the approval asks, so any person may answer; where it names people, it must be
// one of them.
func (r *rehearsal) vote(i int, e playbooks.TestEvent, who string, approve bool) {
	word := "deny"
	if approve {
		word = "approve"
	}
	c, err := r.Case(r.id)
	if err != nil {
		r.mishap(e, "%s cannot %s: %v", who, word, err)
		return
	}
	v := incident.Vote{Person: incident.Person{ID: who, Via: "test"}, Approve: approve, Reason: e.Reason}
	pending := ""
	for _, a := range c.Approvals {
		if a.State == incident.Pending {
			pending, v.Approval, v.PlanDigest = a.Name, a.Name, a.PlanDigest
			v.Person.Groups = []string{a.Approvers.Group, a.Approvers.DirectoryGroup()}
		}
	}
	if pending == "" {
		r.mishap(e, "%s cannot %s: no approval is pending, the case is %s", who, word, c.Status)
		return
	}
	err = r.Update(protocol.CaseWorkflowID(r.id), protocol.DecideUpdate, fmt.Sprintf("event-%d", i), v, func(_ any, err error) {
		if err != nil {
			r.mishap(e, "%s cannot %s %s: %s", who, word, pending, refusal(err))
		}
	})
	if err != nil {
		r.mishap(e, "%s cannot %s %s: %v", who, word, pending, err)
	}
}

// refusal is the engine's reason in its own words, without what the transport
// adds.
func refusal(err error) string {
	if refused, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return refused.Message()
	}
	return err.Error()
}

// laterAlert sends another alert of the subject. It names the host as the first
// one did, unless it has a host of its own.
func (r *rehearsal) laterAlert(i int, e playbooks.TestEvent) {
	facts := r.test.Facts
	facts.Alert = *e.Alert
	identify(&facts)
	alert := facts.Alert
	alert.Time = incident.Known(r.Now(), incident.Assumed)
	if alert.ID == r.test.Facts.Alert.ID {
		alert.ID = fmt.Sprintf("alert-%d", i+2)
	}
	complete(&alert)
	c, err := r.Case(r.id)
	if err == nil && c.Status != incident.Closed {
		err = r.Signal(protocol.CaseWorkflowID(r.id), protocol.AlertsSignal, []incident.Alert{alert})
	}
	switch {
	case err != nil:
		r.mishap(e, "the alert joins no case: %v", err)
	case c.Status == incident.Closed:
		r.mishap(e, "the alert joins no open case: it is closed")
	}
}

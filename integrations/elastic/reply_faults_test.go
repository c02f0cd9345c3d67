package elastic

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/elastic/kibanafake"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func closing(id string) integrations.Reply {
	return integrations.Reply{Reply: incident.Reply{Key: "run/0/a", To: alertRecord(id), Kind: incident.EvClosed, Text: "Case closed", Close: true}}
}

// Kibana takes 100 notes at an alert, before 9.1 as many in a space as a setting says, and
// refuses the next with status 200 and a code of 403 inside.
//
// https://www.elastic.co/docs/solutions/security/investigate/notes
func TestANoteThatWasNotWrittenIsNotTakenForOne(t *testing.T) {
	spec := alertsSpec(t)
	for _, release := range []kibanafake.Release{kibanafake.Release90, kibanafake.Release92} {
		s := newSignals(t, spec, kibanafake.Options{Release: release, MostNotes: 1}, "alert-1")
		s.NoteByHand("alert-1", "seen")
		_, err := s.open(t).ReplyTo(t.Context(), closing("alert-1"))
		if err == nil || integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), "no more notes") {
			t.Errorf("%s: error %v, want that Kibana takes no more notes", release, err)
		}
		if s.state("alert-1") == closed {
			t.Errorf("%s: the alert was closed, and nobody was told why", release)
		}
	}
}

// A search that did not reach all of the index is no proof that an alert is not there: the
// reply is tried again.
func TestAnAlertThatASearchDidNotReachIsNotMissing(t *testing.T) {
	spec := alertsSpec(t)
	for _, how := range []kibanafake.Failure{kibanafake.ShardsFailed, kibanafake.TimedOut, kibanafake.NotReady, kibanafake.Disabled} {
		s := newSignals(t, spec, kibanafake.Options{}, "alert-1")
		n := s.open(t)
		s.Fail(how, 1)
		if _, err := n.ReplyTo(t.Context(), closing("alert-1")); err == nil || integrations.KindOf(err) != integrations.Unavailable {
			t.Errorf("%s: error %v, want one of kind unavailable", how, err)
		}
		if _, err := n.ReplyTo(t.Context(), closing("alert-1")); err != nil || s.state("alert-1") != closed || len(s.texts("alert-1")) != 1 {
			t.Errorf("%s: again: error %v, the alert is %s, notes %q", how, err, s.state("alert-1"), s.texts("alert-1"))
		}
	}
}

// A Kibana that is short of memory says 429 without how long to wait.
func TestAKibanaThatIsOverloaded(t *testing.T) {
	s := newSignals(t, alertsSpec(t), kibanafake.Options{}, "alert-1")
	s.Fail(kibanafake.Overloaded, 1)
	if _, err := s.open(t).ReplyTo(t.Context(), closing("alert-1")); err == nil || integrations.KindOf(err) != integrations.Throttled {
		t.Errorf("error %v, want one of kind throttled", err)
	}
}

// A close that another change overtook changed nothing, and is tried again; the note is
// there already.
func TestACloseThatWasOvertaken(t *testing.T) {
	spec := alertsSpec(t)
	for _, how := range []kibanafake.Failure{kibanafake.Conflict, kibanafake.PassedOver} {
		s := newSignals(t, spec, kibanafake.Options{}, "alert-1")
		n := s.open(t)
		s.Fail(how, 1)
		if _, err := n.ReplyTo(t.Context(), closing("alert-1")); err == nil || integrations.KindOf(err) != integrations.Conflict {
			t.Errorf("%s: error %v, want one of kind conflict", how, err)
		}
		if _, err := n.ReplyTo(t.Context(), closing("alert-1")); err != nil || s.state("alert-1") != closed || len(s.texts("alert-1")) != 1 {
			t.Errorf("%s: again: error %v, the alert is %s, notes %q", how, err, s.state("alert-1"), s.texts("alert-1"))
		}
	}
}

// Kibana says of alerts that are not there any more only that it changed none.
func TestACloseOfNothing(t *testing.T) {
	s := newSignals(t, alertsSpec(t), kibanafake.Options{}, "alert-1")
	var gone http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			s.Remove("alert-1")
		}
		s.Server.ServeHTTP(w, r)
	}
	front := faulty.NewFront(t)
	n := openNotes(t, front.Serve(func(*http.Request) string { return "kibana" }, gone))
	if _, err := n.ReplyTo(t.Context(), closing("alert-1")); err == nil || integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("error %v, want one of kind not_found", err)
	}
}

// A legacy alert has its state elsewhere; one that people acknowledged is closed by us, and
// one that they closed keeps their reason.
func TestStatesOfAlerts(t *testing.T) {
	s := newSignals(t, alertsSpec(t), kibanafake.Options{})
	s.Add(kibanafake.Alert{ID: "legacy", Legacy: true})
	s.Add(kibanafake.Alert{ID: "seen", Status: "acknowledged"})
	s.Add(kibanafake.Alert{ID: "done", Status: closed, Reason: "false_positive"})
	n := s.open(t)
	for _, id := range []string{"legacy", "seen", "done"} {
		if _, err := n.ReplyTo(t.Context(), closing(id)); err != nil || s.state(id) != closed {
			t.Errorf("%s: error %v, it is %s", id, err, s.state(id))
		}
	}
	if a, _ := s.Alert("done"); a.Reason != "false_positive" {
		t.Errorf("the reason of people became %q", a.Reason)
	}
}

// Each request of a reply is answered by something else than Kibana: a page of a proxy,
// JSON of another server, half an answer. None of it is taken for a note or a close.
func TestOnlyKibanaAnswers(t *testing.T) {
	spec := alertsSpec(t)
	faults := []contract.Fault{contract.HTML, contract.Foreign, contract.Wrong, contract.Torn, contract.Missing, contract.Failing, contract.Elsewhere}
	for _, fault := range faults {
		for after := range 4 {
			s := newSignals(t, spec, kibanafake.Options{}, "alert-1")
			front := faulty.NewFront(t)
			n := openNotes(t, front.Serve(func(*http.Request) string { return "kibana" }, s.Server))
			front.Fail(contract.Outage{Fault: fault, After: after})
			_, err := n.ReplyTo(t.Context(), closing("alert-1"))
			if err == nil || integrations.KindOf(err) == integrations.NotFound {
				t.Errorf("%s at request %d: error %v", fault, after+1, err)
			}
			front.Fail(contract.Outage{})
			if _, err := n.ReplyTo(t.Context(), closing("alert-1")); err != nil || s.state("alert-1") != closed || len(s.texts("alert-1")) != 1 {
				t.Errorf("%s at request %d, then again: error %v, the alert is %s, notes %q", fault, after+1, err, s.state("alert-1"), s.texts("alert-1"))
			}
		}
	}
}

// A Kibana of before 8.16 has no notes at alerts, and is said to have none.
//
// https://github.com/elastic/security-docs/issues/5441
func TestAKibanaWithoutNotesAtAlerts(t *testing.T) {
	s := newSignals(t, alertsSpec(t), kibanafake.Options{Release: kibanafake.Release815}, "alert-1")
	_, err := s.open(t).ReplyTo(t.Context(), closing("alert-1"))
	if err == nil || integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), "8.16") {
		t.Errorf("error %v, want that notes are new in 8.16", err)
	}
	if found := s.open(t).Probe(t.Context()); len(found) != 1 || found[0].OK || !strings.Contains(found[0].Fix, "8.16") {
		t.Errorf("the probe finds %+v", found)
	}
}

// A key that lacks a privilege is refused by Kibana, or by the Elasticsearch behind it.
func TestAKeyThatLacksAPrivilege(t *testing.T) {
	spec := alertsSpec(t)
	for _, lacks := range []string{kibanafake.Security, kibanafake.ReadAlerts, kibanafake.WriteAlerts, kibanafake.ReadNotes, kibanafake.WriteNotes} {
		s := newSignals(t, spec, kibanafake.Options{Keys: []kibanafake.Key{kibanafake.Administrator().Without(lacks)}}, "alert-1")
		_, err := s.open(t).ReplyTo(t.Context(), closing("alert-1"))
		if err == nil || integrations.KindOf(err) != integrations.Denied || !strings.Contains(err.Error(), "check api_key") || !strings.Contains(err.Error(), "unauthorized") {
			t.Errorf("without %s: error %v", lacks, err)
		}
		if s.state("alert-1") == closed {
			t.Errorf("without %s: the alert is closed", lacks)
		}
	}
}

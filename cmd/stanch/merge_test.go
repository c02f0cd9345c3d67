package main_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// spellings are names of the device ws-042, and the alerts that use them.
func spellings() map[string]string {
	return map[string]string{"a-1": "ws-042", "a-2": "ws-042.corp.example", "a-3": "WS-042.corp.example."}
}

// call sends an alert that calls ws-042 by a name.
func (s *site) call(id, name string) int {
	var accepted api.Accepted
	return s.post("/v1/alerts/siem", sourceToken, map[string]any{
		"id": id, "category": "high_egress", "rule": "Large outbound traffic",
		"host": map[string]any{"id": name, "name": name, "ip": []string{"10.20.4.42"}, "os": "windows"},
	}, &accepted)
}

// callAll sends every alert until it is accepted.
func (s *site) callAll() {
	s.t.Helper()
	for id, name := range spellings() {
		s.until(id+" to be accepted", func() bool { return s.call(id, name) == http.StatusAccepted })
	}
}

// cases are all cases as they stand.
func (s *site) cases() []incident.Case {
	var list api.CaseList
	s.get("/v1/cases", &list)
	var out []incident.Case
	for _, summary := range list.Cases {
		var c incident.Case
		if s.get("/v1/cases/"+summary.ID+"?run="+summary.Run, &c) == http.StatusOK {
			out = append(out, c)
		}
	}
	return out
}

// TestTwoNamesAreOneCase sends alerts about one device under several names at
// once, kills the process while their cases find that out, and sends everything
// again. One case must act, once, and have all alerts.
func TestTwoNamesAreOneCase(t *testing.T) {
	t.Parallel()
	for name, reached := range map[string]func(*site) bool{
		"accepted": func(*site) bool { return true },
		"decided": func(s *site) bool {
			return slices.ContainsFunc(s.cases(), func(c incident.Case) bool { return saw(c, incident.EvDecided, "") })
		},
		"handed over": func(s *site) bool {
			return slices.ContainsFunc(s.cases(), func(c incident.Case) bool { return saw(c, incident.EvMerged, "") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.start("delay: { endpoints: 300ms }")
			s.callAll()
			s.until(name, func() bool { return reached(s) })
			s.kill()
			s.start("")
			s.callAll()
			var owner incident.Case
			s.until("one case to have all alerts, and the others to be closed", func() bool {
				open := 0
				for _, c := range s.cases() {
					if c.Outcome != incident.OutcomeMerged {
						owner = c
						open++
					}
				}
				return open == 1 && len(owner.AlertKeys) == len(spellings()) && saw(owner, incident.EvAccepted, "cut-off")
			})
			// What is sent once more changes nothing; a minute decides again.
			s.callAll()
			for _, c := range s.cases() {
				if c.ID != owner.ID && (c.MergedInto == nil || c.MergedInto.ID != owner.ID || len(c.Steps) > 0) {
					t.Errorf("case %s is %s, merged into %v, with %d steps", c.ID, c.Outcome, c.MergedInto, len(c.Steps))
				}
			}
			for _, action := range []incident.Action{incident.RateLimit, incident.Isolate} {
				if made := s.effects("apply", action); made != 1 {
					t.Errorf("%s was applied %d times", action, made)
				}
			}
			s.stop()
		})
	}
}

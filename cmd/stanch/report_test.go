package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// reports runs the command as alice.
func (s *site) reports(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "stanch", append([]string{"report", "--url", s.url}, args...)...)
	cmd.Env = append(os.Environ(), "STANCH_TOKEN="+tokenOf(alice))
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("report %q: %v, %s", args, err, out)
	}
	return string(out)
}

// What a real engine holds is added up: a case that is closed and one that is open, what
// stands, and how long each stage took.
func TestReport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start("")
	opened := s.alert("a-1", "ws-042", "10.20.4.42")
	s.until("the containment", func() bool { return s.see(opened.ID).Status == incident.Contained })
	var r api.Report
	read := func() api.Report {
		r = api.Report{}
		if err := json.Unmarshal([]byte(s.reports("--since", "1h", "--output", "json")), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	s.until("the open case", func() bool { return read().Open == 1 && len(r.Standing.Leases) > 0 })
	applied := slices.IndexFunc(r.Stages, func(s api.ReportStage) bool { return s.Stage == incident.StageApplied && s.Action == incident.Isolate })
	if applied < 0 || r.Stages[applied].Took.Count != 1 || r.Stages[applied].Total.P50 <= 0 || r.Stages[applied].Total.P50 < r.Stages[applied].Took.P50 {
		t.Errorf("stages: %+v", r.Stages)
	}
	if status := s.post("/v1/cases/"+opened.ID+"/close", tokenOf(alice), api.ReasonRequest{Reason: "it is over"}, nil); status != http.StatusOK {
		t.Fatalf("close the case: %d", status)
	}
	s.until("the closed case", func() bool { return read().Cases == 1 && r.Open == 0 && len(r.Standing.Leases) == 0 })
	if r.Unread != 0 || r.Outcomes[0].Name != string(incident.OutcomeClosedByHand) || r.Rules[0].Playbook != "high-egress-windows" || r.Rules[0].Rule == "" {
		t.Errorf("%+v", r)
	}
	page := s.path("report.html")
	s.reports("--html", page)
	text, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(text), "closed by hand") || strings.Contains(string(text), "<script") {
		t.Errorf("the page: %v, %.300s", err, text)
	}
	if text := s.reports(); !strings.Contains(text, "closed by hand") || !strings.Contains(text, "Nothing stands.") {
		t.Errorf("the text: %s", text)
	}
	for query, want := range map[string]int{"?since=1h": 200, "": 200, "?since=0s": 400, "?since=-1h": 400, "?since=9999d": 400, "?since=soon": 400} {
		if got := s.get("/v1/report"+query, nil); got != want {
			t.Errorf("since%q is answered %d, want %d", query, got, want)
		}
	}
}

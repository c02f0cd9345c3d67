package activities

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What is known without asking an integration settles what it can.
func TestChoosingWithoutAsking(t *testing.T) {
	t.Parallel()
	limits := []incident.Action{incident.RateLimit}
	products := map[string]Product{
		"qos": {Actions: limits, ByProgram: true, Plans: true}, "gateway": {Actions: limits, ByAddress: true}, "flowspec": {Actions: limits, ByAddress: true, Plans: true},
		"edr": {Actions: []incident.Action{incident.Isolate}},
	}
	facts := func(ip, path string) (f incident.Facts) {
		if ip != "" {
			f.Endpoint.IP = incident.Known([]string{ip}, incident.FromEDR)
		}
		if path != "" {
			f.Process.Path = incident.Known(path, incident.FromEDR)
		}
		return f
	}
	known := facts("10.20.4.42", `C:\x.exe`)
	for name, c := range map[string]struct {
		in    DecideIn
		uses  []string
		facts incident.Facts
		// use is who carries it out for now, says what people read, open how many are to
		// be asked.
		use, says, problem string
		open               int
	}{
		"the first is not asked":         {DecideIn{Products: products}, []string{"gateway", "flowspec"}, known, "gateway", "", "", 0},
		"one is not configured":          {DecideIn{Products: products}, []string{"old", "gateway"}, known, "gateway", "gateway: old cannot, it is not configured", "", 0},
		"one does something else":        {DecideIn{Products: products}, []string{"edr", "gateway"}, known, "gateway", "gateway: edr cannot, it does no rate_limit", "", 0},
		"one lacks what it needs":        {DecideIn{Products: products}, []string{"qos", "gateway"}, facts("10.20.4.42", ""), "gateway", "gateway: qos cannot, process.path is unknown", "", 0},
		"the first is asked":             {DecideIn{Products: products}, []string{"flowspec", "gateway", "qos"}, known, "flowspec", "the first of flowspec, gateway that can", "", 2},
		"a single one is asked":          {DecideIn{Products: products}, []string{"flowspec"}, known, "flowspec", "", "", 1},
		"a single one is taken as it is": {DecideIn{Products: products}, []string{"edr"}, known, "edr", "", "", 0},
		"none can": {
			DecideIn{Products: products},
			[]string{"qos", "gateway", "old"},
			facts("", ""), "qos", "",
			"qos cannot, process.path is unknown; gateway cannot, endpoint.ip is unknown; old cannot, it is not configured", 0,
		},
		"a single one cannot":      {DecideIn{Products: products}, []string{"gateway"}, facts("", ""), "gateway", "", "endpoint.ip is unknown", 0},
		"nothing is known of any":  {DecideIn{}, []string{"qos", "gateway"}, known, "qos", "the first of qos, gateway that can", "", 2},
		"nothing is known of that": {DecideIn{}, []string{"gateway"}, known, "gateway", "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := incident.PlannedStep{Name: "throttle", Action: incident.RateLimit, Use: c.uses[0]}
			if len(c.uses) > 1 {
				for _, use := range c.uses {
					s.Candidates = append(s.Candidates, incident.Candidate{Use: use})
				}
			}
			c.in.choose(&s, c.facts)
			if s.Use != c.use || s.Chosen() != c.says || s.Problem != c.problem || len(s.Candidates) != c.open {
				t.Errorf("by %q (%s), problem %q, %d open; want %q (%s), %q, %d", s.Use, s.Chosen(), s.Problem, len(s.Candidates), c.use, c.says, c.problem, c.open)
			}
			by := c.in.Products[s.Use]
			if s.Problem == "" && (len(s.Addresses) > 0 != by.ByAddress || s.Path != "" != by.ByProgram) {
				t.Errorf("by %s it names %v and the program %q", s.Use, s.Addresses, s.Path)
			}
		})
	}
}

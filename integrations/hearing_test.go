package integrations_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestBadHearingIsReported(t *testing.T) {
	good := limited()
	good.Hearing = integrations.Hearing{Within: integrations.ShortestHearing, Source: "doc"}
	if lies := good.Lies(); len(lies) > 0 {
		t.Errorf("complaints %q", lies)
	}
	for want, change := range map[string]func(*integrations.Spec){
		"hearing agents within 59s: it needs 1m or more": func(s *integrations.Spec) { s.Hearing.Within = 59 * time.Second },
		"or more, and its source":                        func(s *integrations.Spec) { s.Hearing.Source = "" },
		"and isolates nothing": func(s *integrations.Spec) {
			s.Actions = []incident.Action{incident.RateLimit}
		},
	} {
		s := good
		change(&s)
		if lies := s.Lies(); len(lies) != 1 || !strings.Contains(lies[0], want) {
			t.Errorf("complaints %q, want one with %q", lies, want)
		}
	}
}

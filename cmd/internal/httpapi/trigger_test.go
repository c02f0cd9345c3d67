package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An alert goes to the first playbook whose trigger holds; where none does, to the
// first whose trigger is unknown, and none is lost.
func TestATriggerThatIsNotKnownTakesTheAlert(t *testing.T) {
	trigger := func(name, match string) *playbooks.Playbook {
		text := strings.Replace(fmt.Sprintf(playbookText, name, "x", "", 1), "alert.category == 'x'", match, 1)
		p, err := playbooks.Load(name+".yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	s := newSide(t, func(o *httpapi.Options) {
		o.Playbooks = func() []*playbooks.Playbook {
			return []*playbooks.Playbook{
				trigger("a-reflection", "alert.category == 'reflection' && alert.host.os == 'linux'"), trigger("b-amplification", "alert.category == 'dns_amplification'"),
				trigger("c-egress", "alert.category == 'high_egress'"), trigger("d-rule", "alert.rule == 'mine'"),
			}
		}
	})
	for name, tt := range map[string]struct{ fields, playbook string }{
		"it says nothing":          {`"os":"linux"`, "a-reflection"},
		"another system":           {`"os":"windows"`, "b-amplification"},
		"a later trigger holds":    {`"os":"windows"},"rule":"mine","process":{`, "d-rule"},
		"the category is known":    {`"os":"linux"},"category":"high_egress","process":{`, "c-egress"},
		"a filler is no category":  {`"os":"linux"},"category":"N/A","process":{`, "a-reflection"},
		"the rest is against it":   {`"os":"linux"},"category":"dns_amplification","process":{`, "b-amplification"},
		"a category of none":       {`"os":"linux"},"category":"malware","rule":"other","process":{`, "unmatched"},
		"only the rule is unknown": {`"os":"linux"},"category":"malware","process":{`, "d-rule"},
	} {
		h := host(t)
		got := s.send(fmt.Sprintf(`{"id":%q,"host":{"id":%q,"name":%q,%s}}`, name, h, h, tt.fields))
		if len(got.Cases) != 1 || got.Cases[0].ID != tt.playbook+"/"+h {
			t.Fatalf("%s: it went to %+v, want %s", name, got.Cases, tt.playbook)
		}
		s.over(got.Cases[0])
	}
}

// A playbook that was deployed under the name that unmatched cases have keeps
// its cases to itself: an alert that it does not match never joins them.
func TestAnUnmatchedAlertJoinsNoPlaybooksCase(t *testing.T) {
	s := newSide(t, func(o *httpapi.Options) {
		o.Playbooks = func() []*playbooks.Playbook {
			return []*playbooks.Playbook{playbook(t, playbooks.Unmatched, "ask", "approve: on-call, throttle", 1)}
		}
	})
	h := host(t)
	asks := s.send(alert("a", "ask", h)).Cases[0]
	s.until(asks, "the playbook asks", awaiting)
	got := s.send(alert("b", "none of its business", h)).Cases
	if len(got) != 1 || got[0].ID == asks.ID {
		t.Fatalf("an alert that no playbook matches went to %+v", got)
	}
	if c := s.over(got[0]); c.Outcome != incident.OutcomeNoPlaybook {
		t.Errorf("its case ended %s", c.Outcome)
	}
	if c := s.show(asks.ID, asks.Run); len(c.Alerts) != 1 {
		t.Errorf("the playbook's case has %d alerts", len(c.Alerts))
	}
	s.call("POST", "/v1/cases/"+asks.ID+"/close", aliceToken, api.ReasonRequest{Reason: "over"}).is(200, nil)
}

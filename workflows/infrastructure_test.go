package workflows_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func networks(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// Nothing is done to infrastructure, by whichever identifier it is known, and people
// are told that nothing is.
func TestInfrastructureIsNeverContained(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]incident.Infrastructure{
		"by its address": {Networks: networks("10.20.4.42/32")},
		"by its network": {Networks: networks("192.0.2.0/24", "10.20.4.0/24")},
		"by its id":      {Names: []string{"WS-042"}},
		"by its domain":  {Names: []string{"ws-042.corp.example"}},
		"as our machine": {Own: []string{"10.20.4.42"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			w.activities.Infrastructure = is
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(5 * time.Hour)
			c := w.ended(id, incident.OutcomeDenied)
			if c.Decision.DeniedBy != incident.OwnInfrastructure || !strings.Contains(c.Decision.Because, "infrastructure by stanch.yaml") && !strings.Contains(c.Decision.Because, "Stanch runs on") {
				t.Errorf("the decision is denied by %q: %s", c.Decision.DeniedBy, c.Decision.Because)
			}
			w.untouched()
		})
	}
}

// Other hosts are contained as before.
func TestNeighboursOfInfrastructureAreContained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.activities.Infrastructure = incident.Infrastructure{
		Networks: networks("10.20.4.43/32", "10.20.5.0/24"), Names: []string{"ws-04", "ws-0421", "042"}, Own: []string{"10.20.4.4", "ws"},
	}
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	w.contained(incident.Isolate, 1, 1)
}

// What people have approved is not done to a host that has become infrastructure
// since.
func TestInfrastructureIsLookedForBeforeTheWrite(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.5/32")}
	yes := &ballot{who: alice()}
	w.do(time.Minute, func(e *memory.Estate) {
		err := e.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{IP: incident.Known([]string{"10.20.4.42", "10.1.0.5"}, incident.FromEDR)}})
		if err != nil {
			t.Error(err)
		}
	})
	w.vote(2*time.Minute, id, yes)
	w.run(5 * time.Hour)
	if !yes.counted {
		t.Fatalf("the answer does not count: %v", yes.refused)
	}
	c := w.ended(id, incident.OutcomeDenied)
	if got := texts(c, incident.EvHeldBack, incident.OwnInfrastructure); len(got) == 0 {
		t.Errorf("the case does not say that it is infrastructure now: %v", happened(c, incident.EvHeldBack))
	}
	w.contained(incident.Isolate, 0, 0)
}

// The order of an isolation leaves the infrastructure open, and it is part of the
// plan that people approve.
func TestAnIsolationLeavesInfrastructureOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.5/32", "10.2.0.0/24"), Names: []string{"proxy"}, Own: []string{"192.0.2.77"}}
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	want := []string{"10.1.0.5", "10.2.0.0/24"}
	var open []string
	w.do(10*time.Minute, func(e *memory.Estate) { open = e.Excepted("ws-042") })
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if !slices.Equal(open, want) {
		t.Errorf("the isolated host reaches %v, want %v", open, want)
	}
	if s := step(t, c, "cut-off"); !slices.Equal(s.Except, want) {
		t.Errorf("the plan leaves %v open, want %v", s.Except, want)
	}
	if got := texts(c, incident.EvAccepted, "but for 10.1.0.5 and 1 more"); len(got) != 1 {
		t.Errorf("the case does not say what stays open: %v", happened(c, incident.EvAccepted))
	}
}

// A product that decides by itself what stays open is said to.
func TestWhatNoOrderKeepsOpenIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.activities.ExceptBy = map[string]string{"edr": "its policy decides"}
	w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.5/32")}
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if got := texts(c, incident.EvAccepted, "that 10.1.0.5 stays reachable is not certain: its policy decides"); len(got) != 1 {
		t.Errorf("the case does not say who decides: %v", happened(c, incident.EvAccepted))
	}
	if len(happened(c, incident.EvAsked)) != 0 {
		t.Errorf("people were asked, though the agent reaches its cloud directly")
	}
}

// Where the agent reaches its cloud through something, people are asked unless it is
// certain that this stays open.
func TestTheWayBackMustStayOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		route    string
		exempt   incident.Infrastructure
		exceptBy string
		asked    bool
	}{
		"direct":                         {route: "direct"},
		"a proxy that nobody named":      {route: "proxy", asked: true},
		"a proxy that stays open":        {route: "proxy", exempt: incident.Infrastructure{Networks: networks("10.1.0.5/32")}},
		"a proxy by name alone":          {route: "proxy", exempt: incident.Infrastructure{Names: []string{"proxy"}}, asked: true},
		"a policy of the product":        {route: "proxy", exempt: incident.Infrastructure{Networks: networks("10.1.0.5/32")}, exceptBy: "its policy decides", asked: true},
		"a VPN and the product's policy": {route: "vpn", exceptBy: "its policy decides", asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			w.activities.ExceptBy = map[string]string{"edr": c.exceptBy}
			w.activities.Infrastructure = c.exempt
			err := w.estate.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{Route: incident.Known(c.route, incident.FromInventory)}})
			if err != nil {
				t.Fatal(err)
			}
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			soon := w.snap(2*time.Minute, id)
			yes := &ballot{who: alice()}
			if c.asked {
				w.vote(3*time.Minute, id, yes)
			}
			later := w.snap(5*time.Minute, id)
			w.run(6 * time.Minute)
			if got := len(texts(*soon, incident.EvDecided, "the way back is unknown")) > 0; got != c.asked {
				t.Errorf("the decision misses the way back: %t, want %t", got, c.asked)
			}
			if waits := step(t, *soon, "cut-off").Status == incident.StepWaiting; waits != c.asked {
				t.Errorf("after two minutes the isolation waits: %t, want %t", waits, c.asked)
			}
			if s := step(t, *later, "cut-off"); s.Status != incident.StepStanding {
				t.Errorf("in the end the isolation is %s; the answer: %v", s.Status, yes.refused)
			}
		})
	}
}

// A way back that is gone by the time of the write is asked about, whatever people
// approved before.
func TestTheWayBackIsLookedForBeforeTheWrite(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.do(time.Minute, func(e *memory.Estate) {
		err := e.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{Route: incident.Known("vpn", incident.FromInventory)}})
		if err != nil {
			t.Error(err)
		}
	})
	yes := &ballot{who: alice()}
	w.vote(2*time.Minute, id, yes)
	soon := w.snap(3*time.Minute, id)
	w.run(4 * time.Minute)
	if !yes.counted || step(t, *soon, "cut-off").Status != incident.StepWaiting || len(soon.Approvals) != 2 {
		t.Fatalf("after the answer (%v) the isolation is %s, %d questions; want it to wait for a second", yes.refused, step(t, *soon, "cut-off").Status, len(soon.Approvals))
	}
	if got := soon.Approvals[1].Missing; !slices.ContainsFunc(got, func(m incident.Missing) bool { return m.Path == incident.WayBackPath }) {
		t.Errorf("the second question names %v as unknown", got)
	}
	w.contained(incident.Isolate, 0, 0)
}

// Of a host without an address it cannot be told whether it is what is known by an
// address.
func TestAHostWithoutAnAddressMayBeInfrastructure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exempt incident.Infrastructure
		asked  bool
	}{
		"addresses": {incident.Infrastructure{Networks: networks("10.1.0.5/32")}, true},
		"names":     {incident.Infrastructure{Names: []string{"proxy"}, Own: []string{"192.0.2.77"}}, false},
	} {
		facts := incident.Facts{Endpoint: incident.Endpoint{Name: incident.Known("ws-042", incident.FromEDR), IP: incident.NotKnown[[]string]("offline")}}
		if got := c.exempt.Untold(facts); len(got) > 0 != c.asked {
			t.Errorf("%s: unknown is %v, want something: %t", name, got, c.asked)
		}
		facts.Alert.Host.IP = incident.Known([]string{"10.20.4.42"}, incident.FromAlert)
		if got := c.exempt.Untold(facts); len(got) > 0 {
			t.Errorf("%s: with the alert's address unknown is %v", name, got)
		}
	}
}

// So it is right before the write, where no address is known any more.
func TestAnAddressIsLookedForBeforeTheWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.5/32")}
	roleUnknown(t, w.estate)
	alert := alertFor("ws-042", "10.20.4.42")
	alert.Host.IP = incident.NotKnown[[]string]("the sender does not say")
	id := w.open(alert)
	w.explainOnFailure(id)
	w.do(time.Minute, func(e *memory.Estate) {
		err := e.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{IP: incident.NotKnown[[]string]("the device does not answer")}})
		if err != nil {
			t.Error(err)
		}
	})
	yes := &ballot{who: alice()}
	w.vote(2*time.Minute, id, yes)
	soon := w.snap(3*time.Minute, id)
	w.run(4 * time.Minute)
	if !yes.counted || len(soon.Approvals) != 2 || !slices.ContainsFunc(soon.Approvals[1].Missing, func(m incident.Missing) bool { return m.Path == incident.IPPath }) {
		t.Errorf("after the answer (%v) people were asked %d questions, want a second that misses %s", yes.refused, len(soon.Approvals), incident.IPPath)
	}
	w.contained(incident.Isolate, 0, 0)
}

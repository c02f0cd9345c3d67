package splunk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
)

// With summaries alone the store is as fresh as they are: what is not summarized yet is not
// silence.
func TestSummariesThatAreBehind(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	o := indexed()
	o.Search.SummaryLag = time.Hour
	var seen []contract.Seen
	for ago := 3 * time.Hour; ago > 0; ago -= time.Minute {
		s := contract.Second(0, 1000, 10)
		s.Start, s.SrcIP = now.Add(-ago), "192.0.2.99"
		seen = append(seen, s)
	}
	host := contract.Second(0, 500, 10)
	host.Start = now.Add(-5 * time.Minute)
	h := newTraffic(t, o, splunkfake.Logging{}, append(seen, host))
	q := integrations.TrafficQuery{IPs: []string{ownHost}, From: now.Add(-15 * time.Minute), To: now, Top: 1}
	is(t, "bytes_out with events too", trafficOf(t, h.openFlows(t), q).BytesOut, 500)
	got := trafficOf(t, h.openFlows(t, func(c *FlowsConfig) { c.Summaries = Only }), q)
	if fresh, ok := got.Freshness.Get(); got.BytesOut.IsKnown() || !ok || fresh.After(now.Add(-59*time.Minute)) {
		t.Errorf("bytes_out is %v, fresh as of %v, though the summaries end an hour ago", got.BytesOut, got.Freshness)
	}
	finds(t, h.openFlows(t), "its summaries are ", true)
}

// finds fails unless the probe finds it.
func finds(t *testing.T, s *Flows, what string, ok bool) {
	t.Helper()
	found := s.Probe(t.Context())
	for _, f := range found {
		if strings.Contains(f.What, what) && f.OK == ok && (f.Fix != "" || f.OK && !f.Warning) {
			return
		}
	}
	t.Errorf("the probe found %+v, want %q", found, what)
}

func TestFlowsProbe(t *testing.T) {
	recent := contract.Second(0, 500, 10)
	recent.Start = time.Now().Add(-time.Minute)
	plain := indexed()
	bare := indexed()
	bare.Search.Unaccelerated = true
	blind := indexed()
	token := splunkfake.Analyst()
	token.Indexes = []string{"other"}
	blind.Tokens = []splunkfake.Token{token}
	only := func(c *FlowsConfig) { c.Summaries = Only }
	open := func(o splunkfake.Options, how splunkfake.Logging, set ...func(*FlowsConfig)) *Flows {
		return newTraffic(t, o, how, []contract.Seen{recent}).openFlows(t, set...)
	}
	finds(t, open(plain, splunkfake.Logging{}), "has events, the newest of", true)
	finds(t, open(plain, splunkfake.Logging{}), "is accelerated", true)
	finds(t, open(bare, splunkfake.Logging{}), "has no summaries of the last day", true)
	finds(t, open(bare, splunkfake.Logging{}, only), "it is not accelerated", false)
	finds(t, open(blind, splunkfake.Logging{}), "has no events of the last", false)
	match := func(value string) func(*FlowsConfig) {
		return func(c *FlowsConfig) { c.Only = []integrations.Match{matchOf(t, "dvc", value)} }
	}
	finds(t, open(plain, splunkfake.Logging{}, match("north")), "only: dvc is north occurs", true)
	finds(t, open(plain, splunkfake.Logging{}, match("nroth")), "only: no new record has it", false)
	gone := func(c *FlowsConfig) { c.Model = "Networking" }
	if found := open(plain, splunkfake.Logging{}, gone).Probe(t.Context()); len(found) != 1 || found[0].OK {
		t.Errorf("the probe of no model found %+v", found)
	}
	wrong := func(c *FlowsConfig) { c.Token = "wrong-and-secret" }
	found := open(plain, splunkfake.Logging{}, wrong).Probe(t.Context())
	if len(found) != 1 || found[0].OK || !strings.Contains(found[0].Fix, "token") || strings.Contains(fmt.Sprint(found), "wrong-and-secret") {
		t.Errorf("the probe with a wrong token found %+v", found)
	}
}

// A role that may read no index gets no events, and no word about it: nothing is known.
func TestARoleThatReadsNothing(t *testing.T) {
	o := indexed()
	token := splunkfake.Analyst()
	token.Indexes = []string{"other"}
	o.Tokens = []splunkfake.Token{token}
	h := newTraffic(t, o, splunkfake.Logging{}, []contract.Seen{contract.Second(time.Minute, 10, 1), later()})
	if got := trafficOf(t, h.openFlows(t), contract.Quarter()); got.BytesOut.IsKnown() {
		t.Errorf("bytes_out is %v", got.BytesOut)
	}
}

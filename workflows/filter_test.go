package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// limitPart has the throttle limit a part of the traffic.
func limitPart(rate, match string) []string {
	return []string{
		"with: { rate: 2Mbit }, ttl: 1h, unsure: act, verify: { egress_below: 3Mbit, within: 2m }",
		"with: { rate: " + rate + ", match: " + match + " }, ttl: 1h, unsure: act, verify: { egress_below: 100Mbit, within: 2m }",
	}
}

// sent is what ws-042 sent in the last minute to an address, or in all, in bits per second.
func (w *world) sent(to string) int64 {
	seen, err := w.estate.Traffic(w.t.Context(), integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: w.Now().Add(-time.Minute), To: w.Now(), Top: 100})
	if err != nil {
		w.t.Error(err)
	}
	if to == "" {
		bytes, _ := seen.BytesOut.Get()
		return bytes * 8 / 60
	}
	top, _ := seen.Top.Get()
	for _, d := range top {
		if d.IP == to {
			return d.Bytes * 8 / 60
		}
	}
	return 0
}

// A limit of a part bounds that part and leaves the rest alone, and is a lease of its
// own.
func TestALimitOfAPartLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", append(limitPart("100kbit", "top_flow"), "do: [evidence, throttle, cut-off, tell]", "do: [throttle]")...)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	var all, of int64
	soon := w.snap(10*time.Minute, id)
	w.At(11*time.Minute, func() {
		filter := step(t, *soon, "throttle").Filter
		if filter == nil || filter.RemoteIP == "" || filter.RemotePort != 53 || filter.Transport != "udp" || filter.Direction != incident.Outbound {
			t.Errorf("the limit is of %v, want the largest flow", filter)
			return
		}
		all, of = w.sent(""), w.sent(filter.RemoteIP)
	})
	w.run(5 * time.Hour)
	if of > 100_000 || of < 90_000 {
		t.Errorf("%d bit/s go to what is limited to 100 kbit/s", of)
	}
	if all < 38_000_000 {
		t.Errorf("%d bit/s are sent in all, want what is not limited to flow on", all)
	}
	c := w.ended(id, incident.OutcomeGivenBack)
	s := step(t, c, "throttle")
	if want := "lease/rate_limit/gateway/ws-042/outbound-udp-" + s.Filter.RemoteIP + "-remote-port-53"; s.Lease != want {
		t.Errorf("the lease is %s, want %s", s.Lease, want)
	}
	if want := "limit outbound udp " + s.Filter.RemoteIP + " remote-port-53 of ws-042 to 100 kbit/s"; s.Does("ws-042") != want {
		t.Errorf("people read %q, want %q", s.Does("ws-042"), want)
	}
}

// Two cases limit one part of the traffic: the lower rate holds for both, and takes
// the place of the higher one without a moment between.
func TestTheLowerOfTwoLimitsOfAPartHolds(t *testing.T) {
	t.Parallel()
	alone := []string{"do: [evidence, throttle, cut-off, tell]", "do: [throttle]"}
	w := newWorld(t, memory.Flood, "high-egress-windows", append(limitPart("1Mbit", "top_port"), alone...)...)
	first := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(first)
	w.pinned()
	second := w.second(10*time.Minute, append(limitPart("200kbit", "top_port"), alone...)...)
	w.explainOnFailure(second)
	var rates []int64
	for _, at := range []time.Duration{9 * time.Minute, 12 * time.Minute, 65 * time.Minute, 75 * time.Minute} {
		w.At(at, func() { rates = append(rates, w.sent("")) })
	}
	w.run(5 * time.Hour)
	if len(rates) != 4 || rates[0] > 1_100_000 || rates[0] < 900_000 || rates[1] > 300_000 || rates[2] > 300_000 || rates[3] < 30_000_000 {
		t.Errorf("in all are sent %d bit/s, want about 1 Mbit/s, 200 kbit/s with both, as much when the first is over, and 40 Mbit/s in the end", rates)
	}
	w.contained(incident.RateLimit, 1, 1)
	if n := w.count("tighten", incident.RateLimit); n != 1 {
		t.Errorf("it was tightened %d times, want once", n)
	}
	w.ended(first, incident.OutcomeGivenBack)
	w.ended(second, incident.OutcomeGivenBack)
}

// What stands of a part of the traffic is not taken twice, and does not pass for a
// limit of all of it.
func TestALaterPlanKnowsWhatAPartCovers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		later string
		made  int
	}{
		"the same part":   {"throttle", 1},
		"all of it":       {"throttle-all", 2},
		"a narrower part": {"throttle-flow", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := append(limitPart("400kbit", "top_port"), "do: [evidence, throttle, cut-off, tell]", "do: ["+c.later+", cut-off]",
				"  - rule: amplification-from-a-workstation\n", "  - rule: milder\n    when: alert.rule == 'Backup'\n    severity: low\n"+
					"    because: The backup says so.\n    do: [throttle]\n\n  - rule: amplification-from-a-workstation\n",
				"  tell:     {", "  throttle-all: { action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 1h, unsure: act, verify: { egress_below: 3Mbit, within: 2m }, on_failure: continue }\n"+
					"  throttle-flow: { action: rate_limit, use: gateway, with: { rate: 400kbit, match: top_flow }, ttl: 1h, unsure: act, verify: { egress_below: 3Mbit, within: 2m }, on_failure: continue }\n  tell:     {")
			w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
			milder := alertFor("ws-042", "10.20.4.42")
			milder.Rule = incident.Known("Backup", incident.FromAlert)
			id := w.open(milder)
			w.explainOnFailure(id)
			w.pinned()
			w.later(4*time.Minute, id, another("a-2", incident.Firing))
			then := w.snap(8*time.Minute, id)
			w.run(5 * time.Hour)
			if then.Decision.Rule != "amplification-from-a-workstation" {
				t.Fatalf("then it is rule %s", then.Decision.Rule)
			}
			w.contained(incident.RateLimit, c.made, c.made)
			w.contained(incident.Isolate, 1, 1)
			w.ended(id, incident.OutcomeGivenBack)
		})
	}
}

package main_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// flooderIPv6 is the IPv6 address of the host that floods.
const flooderIPv6 = "2001:db8:20::42"

// dualStack lets the EDR know hosts by these addresses.
func (r *realSite) dualStack(addresses string) {
	settings := r.settings
	r.settings = func(slow string) string { return settings(", addresses: { " + addresses + " }" + slow) }
}

// floodIPv6 has a host flood over IPv6 until the returned function is called.
func (r *realSite) floodIPv6(host *lab.Node) (stop func()) {
	r.t.Helper()
	p, err := r.lab.FloodIPv6(r.t.Context(), host, lab.Flood{Rate: realFlood, For: atMost})
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Stop
}

// TestRealTrafficIPv6 floods over IPv6 from a host that has IPv4, too. The detector names
// its IPv6 address, and the limit is one for both: who changes to the other, or sends over
// both at a time, gets no more. Another host keeps its speed in both, and what is given
// back is given back in both.
func TestRealTrafficIPv6(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	r.dualStack("ws-042: [10.20.4.42, '" + flooderIPv6 + "']")
	r.watched(time.Second)
	stop := r.floodIPv6(r.flooder)
	r.until("the limit to be effective", func() bool { return saw(r.see(caseOf(r.flooder)), incident.EvVerified, "throttle") })
	stop()
	r.showTimeline(r.last)
	if ips, _ := r.last.Facts.Alert.Host.IP.Get(); len(ips) != 1 || ips[0] != flooderIPv6 {
		t.Errorf("the alert names %v, want %s", ips, flooderIPv6)
	}
	udp := lab.Probe{UDP: true, Rate: 3 * realLimit}
	udp6 := udp
	udp6.IPv6 = true
	r.near("limited, UDP over IPv6", r.transfer(r.flooder, udp6), realLimit, 0.10)
	r.near("limited, TCP over IPv6", r.transfer(r.flooder, lab.Probe{IPv6: true}), realLimit, 0.35)
	r.near("it changes to UDP over IPv4", r.transfer(r.flooder, udp), realLimit, 0.10)
	r.near("not limited, TCP over IPv6", r.transfer(r.second, lab.Probe{IPv6: true}), realLink, 0.2)
	r.near("over both at a time", r.overBoth(r.flooder, udp, udp6), realLimit, 0.10)

	r.release(caseOf(r.flooder), "throttle")
	r.near("given back, TCP over IPv6", r.transfer(r.flooder, lab.Probe{IPv6: true}), float64(r.before), 0.25)
	r.near("given back, TCP over IPv4", r.transfer(r.flooder, lab.Probe{}), float64(r.before), 0.25)
	if left := r.rules(); strings.Contains(left, flooderIPv6) || strings.Contains(left, "10.20.") {
		t.Errorf("the gateway still has\n%s", left)
	}
	r.stop()
}

// overBoth is what a host gets through in two transfers at a time.
func (r *realSite) overBoth(host *lab.Node, probes ...lab.Probe) int64 {
	r.t.Helper()
	got := make(chan int64, len(probes))
	for _, p := range probes {
		go func() {
			p.For = 3 * time.Second
			m, err := r.lab.Measure(context.WithoutCancel(r.t.Context()), host, p)
			if err != nil {
				r.t.Errorf("measure %s: %v", host.Name, err)
			}
			got <- m.Arrived
		}()
	}
	var sum int64
	for range probes {
		sum += <-got
	}
	return sum
}

// TestRealFloodAtAnUnknownAddress floods over IPv6 from a host of which the EDR knows the
// IPv4 address alone. People are asked whether it is that device. The limit is then on the
// one address, and the flood goes on: the case must not say that it is effective, and must
// say what the limit does not reach.
func TestRealFloodAtAnUnknownAddress(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	r.write("playbooks/high-egress-windows.yaml", strings.Replace(realPlaybook, "within: 2m", "within: 20s", 1))
	r.watched(time.Second)
	stop := r.floodIPv6(r.flooder)
	defer stop()
	id := caseOf(r.flooder)
	r.until("people to be asked", func() bool { return saw(r.see(id), incident.EvShown, "") })
	if !strings.Contains(r.last.Facts.Traffic.BytesOut.Why(), flooderIPv6) {
		t.Errorf("its volume is %s, want it unknown for what leaves %s", r.last.Facts.Traffic.BytesOut, flooderIPv6)
	}
	if status := r.vote(id, alice, true); status != http.StatusOK {
		t.Fatalf("the answer is answered %d", status)
	}
	r.until("the limit to be judged", func() bool {
		c := r.see(id)
		return saw(c, incident.EvVerified, "throttle") || saw(c, incident.EvNotEffective, "throttle") || saw(c, incident.EvCannotTell, "throttle")
	})
	r.showTimeline(r.last)
	proof := r.proofOf(r.flooder)
	if !saw(r.last, incident.EvCannotTell, "throttle") || !strings.Contains(proof, flooderIPv6+", which the EDR does not know") || !strings.Contains(proof, "Mbit/s leave there") {
		t.Errorf("the limit of one address is judged so, while the other floods: %s", proof)
	}
	if left := r.rules(); !strings.Contains(left, "10.20.4.42") || strings.Contains(left, flooderIPv6) {
		t.Errorf("the gateway has\n%s", left)
	}
	r.release(id, "throttle")
	r.stop()
}

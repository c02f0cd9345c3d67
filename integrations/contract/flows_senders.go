package contract

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Named is a record whose sensor says who sent it; Device and User may be empty.
type Named struct {
	Seen
	Device, User string
}

// SendersHarness opens a flow store with records that name their senders.
type SendersHarness struct {
	Knobs
	Open func(t testing.TB, records []Named) integrations.Senders
}

// Senders checks an [integrations.Senders].
func Senders(t *testing.T, h SendersHarness) { t.Helper(); run(t, "Senders", h, sendersChecks()) }

func sendersChecks() []check[SendersHarness] {
	return []check[SendersHarness]{
		{"who sent is named, the newest first", checkSendersNamed},
		{"who sent outside of the window is not named", checkSendersWindow},
		{"nobody is named where no sensor did", checkSendersNobody},
		{"senders of no window or of no address are invalid", checkSendersInvalid},
	}
}

func sendersAt() time.Time { return time.Now().UTC().Truncate(time.Second).Add(-3 * time.Hour) }

// by is a record of a minute that ends so long before a moment.
func by(ip, sensor, device, user string, before time.Duration) Named {
	f := incident.Flow{
		Start: sendersAt().Add(-before - time.Minute), Duration: time.Minute,
		Tuple:    incident.Tuple{SrcIP: ip, SrcPort: 50001, DstIP: flowsPeer, DstPort: 443, Transport: "tcp"},
		BytesOut: 1000, BytesIn: 100, PacketsOut: 4,
	}
	return Named{Seen{f, sensor, 1}, device, user}
}

func (h SendersHarness) ask(t testing.TB, s integrations.Senders, from, to time.Duration, ips ...string) []incident.Sender {
	t.Helper()
	got, err := s.Senders(t.Context(), integrations.SendersQuery{IPs: ips, From: sendersAt().Add(-from), To: sendersAt().Add(-to)})
	if err != nil {
		t.Fatalf("senders: %v", err)
	}
	for i := range got {
		if got[i].First.After(got[i].Last) || got[i].Last.IsZero() {
			t.Errorf("%s sent from %s to %s", got[i].User, got[i].First, got[i].Last)
		}
		got[i].First, got[i].Last = time.Time{}, time.Time{}
	}
	return got
}

func checkSendersNamed(t testing.TB, h SendersHarness) {
	s := h.Open(t, []Named{
		by(flowsHost, "squid1", "", "alice", 40*time.Minute), by(flowsHost, "squid1", "", "alice", 30*time.Minute),
		by(flowsHost, "zia", "ws-042", "bob@example.com", 10*time.Minute), by(flowsElse, "squid1", "", "carol", time.Minute),
	})
	want := []incident.Sender{
		{IP: flowsHost, Device: "ws-042", User: "bob@example.com", Sensor: "zia"}, {IP: flowsHost, User: "alice", Sensor: "squid1"},
	}
	if diff := cmp.Diff(want, h.ask(t, s, time.Hour, 0, flowsHost)); diff != "" {
		t.Error(diff)
	}
}

func checkSendersWindow(t testing.TB, h SendersHarness) {
	s := h.Open(t, []Named{by(flowsHost, "squid1", "", "early", 3*time.Hour), by(flowsHost, "squid1", "", "late", 0)})
	if got := h.ask(t, s, 2*time.Hour, time.Hour, flowsHost); len(got) > 0 {
		t.Errorf("between the two %v sent, want nobody", got)
	}
	if got := h.ask(t, s, 4*time.Hour, 2*time.Hour, flowsHost); len(got) != 1 || got[0].User != "early" {
		t.Errorf("at first %v sent, want early", got)
	}
}

func checkSendersNobody(t testing.TB, h SendersHarness) {
	s := h.Open(t, []Named{by(flowsHost, "fw1", "", "", time.Minute), by(flowsElse, "squid1", "", "alice", time.Minute)})
	if got := h.ask(t, s, time.Hour, 0, flowsHost); len(got) > 0 {
		t.Errorf("%v sent, want nobody", got)
	}
}

func checkSendersInvalid(t testing.TB, h SendersHarness) {
	s := h.Open(t, []Named{by(flowsHost, "squid1", "", "alice", time.Minute)})
	for what, q := range map[string]integrations.SendersQuery{
		"no window":      {IPs: []string{flowsHost}, From: sendersAt(), To: sendersAt()},
		"no address":     {From: sendersAt().Add(-time.Hour), To: sendersAt()},
		"not an address": {IPs: []string{"ws-042"}, From: sendersAt().Add(-time.Hour), To: sendersAt()},
	} {
		if _, err := s.Senders(t.Context(), q); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("%s: %v, want invalid", what, err)
		}
	}
}

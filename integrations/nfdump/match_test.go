package nfdump

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestOnlySomeRecordsCount(t *testing.T) {
	folder := t.TempDir()
	counts, not := sent(-5*time.Minute, ownHost, "198.51.100.1", 443, 7000), sent(-4*time.Minute, ownHost, "198.51.100.2", 443, 9_000_000)
	later := sent(time.Minute, "192.0.2.99", "198.51.100.1", 443, 1)
	counts.inIf, not.inIf, later.inIf = 3, 7000, 4
	stored(t, folder, counts, not, later)
	for name, change := range map[string]func(*Store){
		"only":    func(s *Store) { s.config.Only = contract.Match(t, "in_if", "3", "4") },
		"without": func(s *Store) { s.config.Without = contract.Match(t, "in_if", "7000") },
	} {
		s := openFolder(t, folder)
		change(s)
		got := traffic(t, s)
		if n, ok := got.BytesOut.Get(); !ok || n != 7000 {
			t.Errorf("%s: bytes_out is %v, want 7000", name, got.BytesOut)
		}
		hosts, err := s.Hosts(t.Context(), integrations.HostsQuery{From: noon().Add(-15 * time.Minute), To: noon(), Networks: []string{"192.0.2.0/24"}, Top: 5})
		if err != nil || len(hosts) != 1 || hosts[0].Flows != 1 {
			t.Errorf("%s: the hosts are %+v (%v), want one with one flow", name, hosts, err)
		}
		for _, f := range s.Probe(t.Context()) {
			if !f.OK {
				t.Errorf("%s: the probe complains %q", name, f.What)
			}
		}
	}
	s := openFolder(t, folder)
	s.config.Only = contract.Match(t, "in_if", "99")
	if got := traffic(t, s); got.BytesOut.IsKnown() {
		t.Errorf("bytes_out is %v where no record counts, want unknown", got.BytesOut)
	}
	found := s.Probe(t.Context())
	if len(found) != 3 || found[1].OK || !strings.Contains(found[1].What, "only: no new record has it: in_if is 99") {
		t.Errorf("the probe says %+v, want the value that does not occur", found)
	}
}

func TestMatchesAreNoFilter(t *testing.T) {
	for _, tt := range []struct{ column, value string }{
		{"in_if", "1 or any"}, {"in_if", "-1"}, {"proto", "tcp) or (any"}, {"router", "any"}, {"event", "allow"}, {"forwarding_status", "256"}, {"src", "10.0.0.1"}, {"proto", ""},
	} {
		_, err := Open(Config{Folder: "/tmp", Program: "nfdump", Longest: time.Minute, Records: 1, Timeout: time.Minute, Without: contract.Match(t, tt.column, tt.value)})
		if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), tt.column) {
			t.Errorf("%s %q: got %v, want it refused", tt.column, tt.value, err)
		}
	}
}

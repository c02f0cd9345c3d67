package elastic

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestOnlySomeRecordsCount(t *testing.T) {
	counts, not := documentOf(NetFlow, seen(2*time.Minute, ownHost, "198.51.100.1", 443, 5000, 10)), documentOf(NetFlow, seen(time.Minute, ownHost, "198.51.100.2", 443, 9_000_000, 10))
	counts["netflow.flow_direction"], not["netflow.flow_direction"], not["event.action"] = int64(0), int64(1), "flow_denied"
	last := documentOf(NetFlow, later())
	last["netflow.flow_direction"] = int64(0)
	for name, change := range map[string]func(*Config){
		"only":    func(c *Config) { c.Only = contract.Match(t, "netflow.flow_direction", "0") },
		"without": func(c *Config) { c.Without = contract.Match(t, "event.action", "flow_denied", "flow_dropped") },
	} {
		for _, records := range []int{maxRecords, 1} {
			s := start(t, []document{counts, not, last}).open(NetFlow, func(c *Config) { change(c); c.Records = records })
			is(t, name+": bytes_out", trafficOf(t, s).BytesOut, 5000)
			for _, f := range s.Probe(t.Context()) {
				if !f.OK {
					t.Errorf("%s: the probe complains %q", name, f.What)
				}
			}
		}
	}
	s := start(t, []document{counts, last}).open(NetFlow, func(c *Config) { c.Without = contract.Match(t, "event.action", "flow_denied") })
	found := s.Probe(t.Context())
	if len(found) != 2 || found[1].OK || !strings.Contains(found[1].What, "without: no new record has it: event.action is flow_denied") {
		t.Errorf("the probe says %+v, want the value that does not occur", found)
	}
}

package elastic

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestAFlowThatIsLongerThanLongest(t *testing.T) {
	for _, l := range []Layout{NetFlow, Zeek, PANOS, FortiGate, FTD} {
		contract.LongerThanLongest(t, func(t testing.TB, longest time.Duration, records []contract.Seen) integrations.Flows {
			return harness(l, nil, func(c *Config) { c.Longest = longest }).OpenSeen(t, records)
		})
	}
}

func TestConfiguredRate(t *testing.T) {
	for _, most := range []int{1, 100} {
		contract.ConfiguredRate(t, func(t testing.TB, rate int, records []contract.Seen) integrations.Flows {
			return harness(NetFlow, nil, func(c *Config) { c.Records, c.Sampling = most, int64(rate) }).OpenSeen(t, records)
		})
	}
}

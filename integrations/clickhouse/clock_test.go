package clickhouse

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestAFlowThatIsLongerThanLongest(t *testing.T) {
	contract.LongerThanLongest(t, func(t testing.TB, longest time.Duration, records []contract.Seen) integrations.Flows {
		l := layouts()[2]
		usual := l.config
		l.config = func(c *Config) { usual(c); c.Longest = longest }
		return openerOf(l).open(t, records)
	})
}

func TestConfiguredRate(t *testing.T) {
	for _, l := range layouts() {
		contract.ConfiguredRate(t, func(t testing.TB, rate int, records []contract.Seen) integrations.Flows {
			l, usual := l, l.config
			l.config = func(c *Config) { usual(c); c.Sampling = rate }
			return openerOf(l).open(t, records)
		})
	}
}

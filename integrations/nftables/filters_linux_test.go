package nftables

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// theirFilter is an administrator's filter, which counts what it sees of a host, and lets
// what is established pass, as most do. There a flow may be handed to a flowtable, whose
// packets come by no chain any more.
const theirFilter = `table inet filter {
	counter seen { }
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr ` + hostA + ` counter name seen
		ct state established,related accept
	}
}
`

// seen is how many packets of the host their filter has seen.
func (n network) seen(t *testing.T) int {
	t.Helper()
	words := strings.Fields(n.gateway.in("nft", "list", "counter", "inet", "filter", "seen"))
	for i, w := range words {
		if w == "packets" {
			packets, err := strconv.Atoi(words[i+1])
			require.NoError(t, err)
			return packets
		}
	}
	t.Fatal("their counter is not there")
	return 0
}

// What is blocked or is too much never comes to the filters of others, so that none of it
// has its flow handed to a flowtable. That a connection is established, and accepted there,
// takes no limit away.
func TestNothingThatIsDroppedComesToTheFilters(t *testing.T) {
	n := newNetwork(t)
	n.gateway.load(theirFilter)
	g := n.gateway.gateway()
	block := order(t, "key-1", hostA)
	block.Action, block.Rate, block.Filter = incident.Block, 0, &incident.Filter{Direction: incident.Outbound, Transport: "tcp"}
	apply(t, g, block)
	assert.False(t, n.reaches(hostA, n.internet, farEnd))
	assert.Positive(t, reading(t, g, block).Counters.DroppedPackets)
	assert.Zero(t, n.seen(t), "packets that were blocked came to the filter")
	_, err := g.Undo(t.Context(), block)
	require.NoError(t, err)

	limit := order(t, "key-2", hostA)
	limit.Rate = 10_000_000
	apply(t, g, limit)
	within(t, "TCP that is established and accepted", n.send(t, sending{from: hostA, port: 5501, seconds: 4, omit: 2}).rate, limit.Rate, 0.35)
	assert.Positive(t, reading(t, g, limit).Counters.DroppedPackets)
	// The last packets of a connection are still on their way.
	assert.Eventually(t, func() bool { return reading(t, g, limit).Counters.PassedPackets == int64(n.seen(t)) }, 10*time.Second, 100*time.Millisecond,
		"the filter sees what was let through, and nothing else")
}

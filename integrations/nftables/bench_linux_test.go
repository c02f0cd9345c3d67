package nftables

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// stand puts limits on as many other hosts, each with two addresses: a hundred in one change,
// once the maps are there.
func stand(t testing.TB, in space, limits int) {
	t.Helper()
	g := in.gateway()
	for i := 0; i < limits; {
		if i == 0 {
			apply(t, g, another(t, i))
			i++
			continue
		}
		conn, err := dial(t.Context(), in.path())
		require.NoError(t, err)
		s, err := read(conn, &Scope{})
		require.NoError(t, err)
		b := &batch{}
		for range min(100, limits-i) {
			l, err := g.limit("test", another(t, i))
			require.NoError(t, err)
			require.NoError(t, s.build(b, l, standing{Limit: l, chain: l.chainName()}))
			i++
		}
		require.NoError(t, b.send(conn, s.since, false))
		require.NoError(t, conn.Close())
	}
}

// another is an order on another host for each number.
func another(t testing.TB, i int) incident.Order {
	t.Helper()
	return order(t, fmt.Sprintf("lease/rate_limit/gateway/device-%04d", i),
		fmt.Sprintf("10.1.%d.%d", i/200, i%200+1), fmt.Sprintf("2001:db8:1::%x", i+1))
}

// BenchmarkApplyAndUndo applies a limit, reads it back, takes it away and reads again.
func BenchmarkApplyAndUndo(b *testing.B) {
	for _, limits := range []int{0, 999} {
		b.Run(fmt.Sprintf("%d standing", limits), func(b *testing.B) {
			space := newSpace(b)
			g := space.gateway()
			stand(b, space, limits)
			o := order(b, "lease/rate_limit/gateway/ws-042", "192.0.2.2", "2001:db8::2")
			var applied, undone time.Duration
			for b.Loop() {
				began := time.Now()
				apply(b, g, o)
				require.True(b, reading(b, g, o).Stands)
				applied += time.Since(began)
				began = time.Now()
				_, err := g.Undo(b.Context(), o)
				require.NoError(b, err)
				require.False(b, reading(b, g, o).Stands)
				undone += time.Since(began)
			}
			b.ReportMetric(applied.Seconds()*1000/float64(b.N), "ms/apply")
			b.ReportMetric(undone.Seconds()*1000/float64(b.N), "ms/undo")
		})
	}
}

// A packet of a host without a limit costs as little with many limits as with one.
func TestAThousandLimitsDoNotSlowOthersDown(t *testing.T) {
	n := newNetwork(t)
	g := n.gateway.gateway()
	paced := func(port int) received {
		return n.send(t, sending{from: hostC, port: port, paced: "500M", seconds: 4, omit: 1})
	}
	before := paced(5501)
	stand(t, n.gateway, 1000)
	after := paced(5502)
	t.Logf("%.1f of %.1f Mbit/s", after.rate/1e6, before.rate/1e6)
	assert.GreaterOrEqual(t, after.rate, before.rate*0.95)
	held, err := g.table.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, held, 1000)
	assert.Empty(t, held[999].Problem)
}

// BenchmarkUnlimited sends as fast as it goes from a host without a limit, with and without
// limits of others.
func BenchmarkUnlimited(b *testing.B) {
	for _, limits := range []int{0, 1000} {
		b.Run(fmt.Sprintf("%d standing", limits), func(b *testing.B) {
			n := newNetwork(b)
			stand(b, n.gateway, limits)
			rate := 0.0
			for b.Loop() {
				rate += n.send(b, sending{from: hostC, port: 5600, seconds: 4, omit: 1}).rate
			}
			b.ReportMetric(rate/1e9/float64(b.N), "Gbit/s")
		})
	}
}

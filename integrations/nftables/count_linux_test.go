package nftables

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func countOnly(t testing.TB, g *Gateway, o incident.Order) {
	t.Helper()
	require.NoError(t, g.CountOnly(t.Context(), o, 10*time.Minute))
}

func countedOf(t testing.TB, g *Gateway, o incident.Order) incident.Counters {
	t.Helper()
	n, err := g.Counted(t.Context(), o)
	require.NoError(t, err)
	return n
}

func uncounted(t testing.TB, g *Gateway, o incident.Order) {
	t.Helper()
	_, err := g.Counted(t.Context(), o)
	refused(t, err, integrations.NotFound, "no rule counts it")
}

// eachWay runs a test at a gateway that is here, and at one that is reached over SSH.
func eachWay(t *testing.T, test func(t *testing.T, s space, open func(...func(*Config)) *Gateway)) {
	t.Run("here", func(t *testing.T) {
		s := newSpace(t)
		test(t, s, s.gateway)
	})
	t.Run("over SSH", func(t *testing.T) {
		a := newAfar(t, openGuard+"max_limits: 2\n")
		test(t, a.space, func(edit ...func(*Config)) *Gateway { return a.open(t, edit...) })
	})
}

// A rule that only counts stands beside the limit of its order, whichever comes first, and
// neither ends with the other.
func TestCountingStandsBesideALimit(t *testing.T) {
	eachWay(t, func(t *testing.T, s space, open func(...func(*Config)) *Gateway) {
		g := open()
		first, second := order(t, "key-1", "192.0.2.2", "2001:db8::2"), order(t, "key-2", "192.0.2.3")
		countOnly(t, g, first)
		assert.False(t, reading(t, g, first).Stands)
		apply(t, g, first)
		apply(t, g, second)
		countOnly(t, g, second)
		for _, o := range []incident.Order{first, second} {
			r := reading(t, g, o)
			assert.True(t, r.Stands)
			assert.Equal(t, o.Rate, r.Rate)
			countedOf(t, g, o)
		}
		uncounted(t, g, order(t, "key-3", "192.0.2.2", "2001:db8::2"))
		uncounted(t, g, order(t, "key-1", "192.0.2.3"))

		_, err := g.Undo(t.Context(), first)
		require.NoError(t, err)
		assert.False(t, reading(t, g, first).Stands)
		assert.True(t, reading(t, g, second).Stands, "the limit of another host")
		countedOf(t, g, first)
		countedOf(t, open(), first) // A later process knows it.
		_, err = g.Undo(t.Context(), second)
		require.NoError(t, err)
		standing, err := g.Standing(t.Context())
		require.NoError(t, err)
		assert.Empty(t, standing)
		assert.NotContains(t, s.rules(), "drop")
		assert.NotContains(t, s.rules(), "limit rate")
	})
}

// The gateway ends it, not later than it was asked for and a bit.
func TestACountingRuleEndsByItself(t *testing.T) {
	eachWay(t, func(t *testing.T, s space, open func(...func(*Config)) *Gateway) {
		g := open()
		o := order(t, "key-1", "192.0.2.2")
		left := func() time.Duration {
			l, err := g.counting("test", o)
			require.NoError(t, err)
			held, err := g.table.List(t.Context(), &l.Scope)
			require.NoError(t, err)
			require.Len(t, held, 1)
			return held[0].Left
		}
		require.NoError(t, g.CountOnly(t.Context(), o, 5*time.Minute))
		assert.LessOrEqual(t, left(), 5*time.Minute+slack)
		assert.Greater(t, left(), 5*time.Minute)
		was := s.generation()
		require.NoError(t, g.CountOnly(t.Context(), o, 5*time.Minute-time.Second))
		assert.Equal(t, was, s.generation(), "the same end changes nothing")
		require.NoError(t, g.CountOnly(t.Context(), o, time.Hour))
		assert.Greater(t, left(), time.Hour)

		other := order(t, "key-2", "192.0.2.9")
		l, err := g.counting("test", other)
		require.NoError(t, err)
		l.Left = time.Second
		_, err = g.table.Put(t.Context(), l)
		require.NoError(t, err)
		wait(t, "the rule has not ended", func() bool {
			_, err := g.Counted(t.Context(), other)
			return integrations.KindOf(err) == integrations.NotFound && err != nil
		})
		// A later change clears its remains away, once the kernel has let go of them.
		wait(t, "its remains are there", func() bool {
			apply(t, g, order(t, "key-3", "192.0.2.4"))
			return !strings.Contains(s.rules(), "key-2")
		})
		countedOf(t, g, o)
	})
}

// Rules that only count take no room from limits, have room of their own, and are none for
// whoever asks what stands.
func TestCountingTakesNoRoomFromLimits(t *testing.T) {
	eachWay(t, func(t *testing.T, _ space, open func(...func(*Config)) *Gateway) {
		g := open(func(c *Config) { c.MaxLimits = 2 })
		for i := range 2 {
			countOnly(t, g, order(t, fmt.Sprintf("key-%d", i), fmt.Sprintf("192.0.2.%d", i+2)))
		}
		err := g.CountOnly(t.Context(), order(t, "key-2", "192.0.2.4"), time.Minute)
		refused(t, err, integrations.Denied, "it holds 2 rules that only count")
		apply(t, g, order(t, "key-0", "192.0.2.2"))
		apply(t, g, order(t, "key-1", "192.0.2.3"))
		third := order(t, "key-2", "192.0.2.4")
		_, err = g.Apply(t.Context(), third)
		refused(t, err, integrations.Denied, "it holds 2 limits")
		assert.False(t, reading(t, g, third).Stands)
		var all strings.Builder
		for _, f := range g.Probe(t.Context()) {
			fmt.Fprintln(&all, f.What)
		}
		assert.Contains(t, all.String(), "2 limits and blocks stand")
		assert.NotContains(t, all.String(), "has not its effect")
	})
}

// What another lease counts on the same traffic is not taken over.
func TestCountingOfAnotherKeyIsAConflict(t *testing.T) {
	eachWay(t, func(t *testing.T, _ space, open func(...func(*Config)) *Gateway) {
		g := open()
		limit, block := order(t, "key-1", "192.0.2.2"), order(t, "key-2", "192.0.2.2")
		limit.Filter = &incident.Filter{Direction: incident.Outbound, RemotePort: 53}
		block.Action, block.Rate, block.Filter = incident.Block, 0, limit.Filter
		countOnly(t, g, limit)
		countOnly(t, g, block) // Of a block of the same traffic it is another rule.
		other := limit
		other.Key = "key-3"
		refused(t, g.CountOnly(t.Context(), other, time.Minute), integrations.Conflict, "key-1")
		uncounted(t, g, other)
		countedOf(t, g, limit)
	})
}

// What somebody did to a rule that counts is seen, mended by the next look, and no limit in
// between.
func TestACountingRuleThatWasChangedByHand(t *testing.T) {
	for name, script := range map[string]string{
		"it drops":            "add rule inet stanch CHAIN drop",
		"it has no rule":      "flush chain inet stanch CHAIN",
		"nothing leads to it": "flush chain inet stanch counted",
		"its hook is gone":    "flush chain inet stanch counted; delete chain inet stanch counted",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpace(t)
			g := s.gateway()
			o := order(t, "key-1", "192.0.2.2")
			countOnly(t, g, o)
			chain := s.rules()[strings.Index(s.rules(), "count-"):]
			s.load(strings.ReplaceAll(script, "CHAIN", chain[:len("count-0123456789abcdef")]) + "\n")
			_, err := g.Counted(t.Context(), o)
			require.Equal(t, integrations.NotFound, integrations.KindOf(err), err)
			assert.False(t, reading(t, g, o).Stands)
			countOnly(t, g, o)
			countedOf(t, g, o)
			assert.NotContains(t, s.rules(), "drop")
		})
	}
}

// Rules that an administrator saves and loads again count on.
func TestACountingRuleThatIsSavedAndLoadedAgain(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	o := order(t, "lease/rate_limit/gateway/ws-042", "192.0.2.2", "2001:db8::2")
	countOnly(t, g, o)
	apply(t, g, o)
	saved := s.in("nft", "list", "ruleset")
	s.load("flush ruleset\n" + saved)
	countedOf(t, g, o)
	assert.True(t, reading(t, g, o).Stands)
	was := s.generation()
	countOnly(t, g, o)
	assert.Equal(t, was, s.generation(), "nothing is missing")
}

// countedTraffic fails unless what was counted is within a tenth of what was sent.
func countedTraffic(t testing.TB, what string, before, after incident.Counters, sent int64) {
	t.Helper()
	t.Logf("%s: %d bytes counted of %d", what, after.PassedBytes-before.PassedBytes, sent)
	assert.InEpsilon(t, sent, after.PassedBytes-before.PassedBytes, 0.1, what)
}

// A rule that only counts counts what its host sends, of both families, and holds nothing
// back. It counts what is offered where a limit is in place.
func TestCountingHoldsNothingBack(t *testing.T) {
	n := newNetwork(t)
	g := n.gateway.gateway()
	o := order(t, "key-1", hostA, hostA6)
	countOnly(t, g, o)
	before := countedOf(t, g, o)
	got := n.all(t,
		sending{from: hostA, port: 5601, udp: "30M", seconds: 3},
		sending{from: hostA6, port: 5602, udp: "30M", seconds: 3},
		sending{from: hostB, port: 5603, udp: "30M", seconds: 3},
	)
	for i, what := range []string{"over IPv4", "over IPv6", "of another host"} {
		within(t, "UDP "+what, got[i].rate, 30_000_000, 0.15)
	}
	after := countedOf(t, g, o)
	countedTraffic(t, "not limited", before, after, got[0].bytes+got[1].bytes)

	o.Rate = 8_000_000
	apply(t, g, o)
	limited := n.send(t, sending{from: hostA, port: 5604, udp: "40M", seconds: 4, omit: 2})
	within(t, "UDP, limited", limited.rate, o.Rate, 0.1)
	offered := reading(t, g, o).Counters
	require.Greater(t, offered.DroppedBytes, offered.PassedBytes)
	countedTraffic(t, "limited", after, countedOf(t, g, o), offered.PassedBytes+offered.DroppedBytes)
}

// What only counts is asked for by the four requests that a helper takes, and is as bounded
// as a limit is.
func TestAHelperCountsWithinItsBounds(t *testing.T) {
	a := newAfar(t, "networks: [10.0.0.0/8]\nactions: [rate_limit]\n")
	before := a.space.rules()
	ask := func(change func(*Limit)) error {
		l, err := a.counting("test", orderOn(t, "10.1.0.5"))
		require.NoError(t, err)
		l.Left = time.Minute
		change(&l)
		_, err = a.table.Put(context.WithoutCancel(t.Context()), l)
		return err
	}
	for what, c := range map[string]struct {
		change func(*Limit)
		kind   integrations.Kind
		words  string
	}{
		"another network":   {func(l *Limit) { l.Addresses = orderScope(t, "192.0.2.2").Addresses }, integrations.NotFound, "none of the helper's networks"},
		"longer than a day": {func(l *Limit) { l.Left = 25 * time.Hour }, integrations.Invalid, "it is to stay for"},
		"no end":            {func(l *Limit) { l.Left = 0 }, integrations.Invalid, "it has ended already"},
		"a rate":            {func(l *Limit) { l.Rate = 8_000_000 }, integrations.Invalid, "has no rate"},
		"no key":            {func(l *Limit) { l.Key = "" }, integrations.Invalid, "it has no key"},
		"what it may not hold": {func(l *Limit) {
			l.Action, l.Filter = countBlock, &incident.Filter{Direction: incident.Outbound, RemotePort: 53}
		}, integrations.Denied, "block is not in the helper's actions"},
		"a block of all":          {func(l *Limit) { l.Action = countBlock }, integrations.Invalid, "isolation"},
		"an action that is none":  {func(l *Limit) { l.Action = "count_isolate" }, integrations.Invalid, "invalid action"},
		"an action that is twice": {func(l *Limit) { l.Action = countPrefix + countLimit }, integrations.Invalid, "invalid action"},
	} {
		t.Run(what, func(t *testing.T) { refused(t, ask(c.change), c.kind, c.words) })
	}
	require.Equal(t, before, a.space.rules())
	require.NoError(t, ask(func(*Limit) {}))
}

func orderScope(t testing.TB, addresses ...string) Scope {
	t.Helper()
	s, err := scope(order(t, "key", addresses...))
	require.NoError(t, err)
	return s
}

package nftables

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// openGuard is a helper's configuration for what the tests limit.
const openGuard = "networks: [192.0.2.0/24, 10.0.0.0/8, 2001:db8::/32]\n"

// afar is a gateway in a network namespace that is reached by a real SSH server, through a
// door.
type afar struct {
	*Gateway
	sshd  *servertest.SSHD
	door  *servertest.Door
	space space
	guard string
}

// newAfar opens a gateway afar, whose helper has a guard.
func newAfar(t testing.TB, guard string, edit ...func(*Config)) afar {
	t.Helper()
	a := afar{space: newSpace(t), guard: guardFile(t, guard)}
	a.sshd = servertest.NewSSHD(t, a.helper("serve"))
	a.door = servertest.NewDoor(t, a.sshd.Port())
	a.Gateway = a.open(t, edit...)
	return a
}

// open opens another client of it.
func (a afar) open(t testing.TB, edit ...func(*Config)) *Gateway {
	t.Helper()
	c := Config{Networks: []string{"192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"}, MaxLimits: defaultMaxLimits, Remote: settings(a.sshd, a.door.Port())}
	for _, e := range edit {
		e(&c)
	}
	opened, err := open(t.Context(), &c)
	require.NoError(t, err)
	g := opened.(*Gateway)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

// helper is the command that is the gateway's helper in its namespace.
func (a afar) helper(mode string) string {
	return fmt.Sprintf("exec nsenter --net=%s %s", a.space.path(), helperIs(mode, a.guard))
}

// fail makes the gateway fail.
func (a afar) fail(t testing.TB) func(contract.Fault) {
	return func(fault contract.Fault) {
		mode := "serve"
		if fault == contract.LoseAnswer {
			mode = "lose"
		}
		a.sshd.Allow(t, a.helper(mode))
		if fault == contract.Deny {
			a.sshd.Deny(t)
		}
		// What stands was let in by what was allowed before.
		a.door.Break(contract.Down)
		a.door.Break(fault)
	}
}

func TestContractOverSSH(t *testing.T) {
	k := contract.Knobs{
		Kind: "nftables", ReadsFirst: true,
		Skip: map[string]string{"throttled says when to come back": "a gateway never says when to come back"},
	}
	contract.Enforcer(t, contract.EnforcerHarness{Knobs: k, Open: func(t testing.TB) contract.EnforcerWorld {
		a := newAfar(t, openGuard)
		w := worldIn(t, k, a.space, a.Gateway)
		w.Break = a.fail(t)
		return w
	}})
}

// orderOn is a limit of one host.
func orderOn(t testing.TB, address string) incident.Order {
	t.Helper()
	return incident.Order{
		Key: "lease/rate_limit/" + address, Action: incident.RateLimit, Target: contract.Knobs{}.Target(t, "host-"+address),
		Addresses: []string{address}, Rate: 10_000_000, Until: time.Now().Add(time.Hour),
	}
}

// stands fails the test unless a limit stands, or does not.
func stands(t testing.TB, g *Gateway, o incident.Order, want bool) {
	t.Helper()
	r, err := g.Read(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, want, r.Stands, "%+v", r)
}

// TestAHelperThatTakesLess has the gateway's administrator decide, whatever stanch.yaml says.
func TestAHelperThatTakesLess(t *testing.T) {
	a := newAfar(t, "networks: [10.0.0.0/8]\nactions: [rate_limit]\nlowest_rate: 5Mbit\nlink: 100Mbit\nmax_limits: 2\n")
	before := a.space.rules()
	refused := func(change func(*incident.Order), kind integrations.Kind, want string) {
		t.Helper()
		o := orderOn(t, "10.1.0.5")
		change(&o)
		_, err := a.Apply(t.Context(), o)
		require.ErrorContains(t, err, want)
		require.Equal(t, kind, integrations.KindOf(err))
		err = a.Plan(t.Context(), o)
		require.ErrorContains(t, err, want)
		require.Equal(t, kind, integrations.KindOf(err))
		require.Equal(t, before, a.space.rules())
	}
	refused(func(o *incident.Order) { o.Addresses = []string{"192.0.2.2"} }, integrations.NotFound, "it is in none of the helper's networks")
	refused(func(o *incident.Order) { o.Addresses = append(o.Addresses, "192.0.2.2") }, integrations.NotFound, "does not take 192.0.2.2")
	refused(func(o *incident.Order) { o.Rate = 1_000_000 }, integrations.Denied, "the helper's lowest_rate is 5 Mbit/s")
	refused(func(o *incident.Order) { o.Rate = 100_000_000 }, integrations.Invalid, "the helper's link is 100 Mbit/s")
	refused(func(o *incident.Order) { o.Until = time.Now().Add(31 * 24 * time.Hour) }, integrations.Invalid, "it is to stay for")
	refused(func(o *incident.Order) {
		o.Action, o.Rate, o.Filter = incident.Block, 0, &incident.Filter{Direction: incident.Outbound, RemotePort: 53}
	}, integrations.Denied, "not in the helper's actions")
	for _, address := range []string{"10.1.0.1", "10.1.0.2"} {
		_, err := a.Apply(t.Context(), orderOn(t, address))
		require.NoError(t, err)
	}
	before = a.space.rules()
	refused(func(o *incident.Order) {}, integrations.Denied, "full")

	found := a.Probe(t.Context())
	for want, ok := range map[string]bool{
		"the helper takes no addresses of 192.0.2.0/24, 2001:db8::/32": false,
		"2 of at most 2 limits are in use":                             false,
		"the helper does not take block":                               true,
		"its helper is stanch v1.test":                                 true,
	} {
		has(t, found, want, ok)
	}
}

// has fails the test unless there is a finding, which is in order or has its fix.
func has(t testing.TB, found []integrations.Finding, want string, ok bool) {
	t.Helper()
	for _, f := range found {
		if strings.Contains(f.What, want) {
			require.Equal(t, ok, f.OK, "%+v", f)
			require.True(t, ok || f.Fix != "", "%+v has no fix", f)
			return
		}
	}
	t.Errorf("nothing says that %s: %+v", want, found)
}

func TestStanchsOwnNumberCountsAtAHelperThatTakesMore(t *testing.T) {
	a := newAfar(t, openGuard, func(c *Config) { c.MaxLimits = 1 })
	_, err := a.Apply(t.Context(), orderOn(t, "10.1.0.1"))
	require.NoError(t, err)
	_, err = a.Apply(t.Context(), orderOn(t, "10.1.0.2"))
	require.ErrorContains(t, err, "full")
	has(t, a.Probe(t.Context()), "1 of at most 1 limits are in use", false)
}

func TestProbeOverSSH(t *testing.T) {
	a := newAfar(t, openGuard)
	a.space.forward()
	found := a.Probe(t.Context())
	require.Empty(t, warnings(found))
	has(t, found, "it has the host key SHA256:", true)
	has(t, found, "its helper takes the addresses of all our networks", true)
	has(t, found, "0 of at most 1000 limits are in use", true)
	has(t, found, "the kernel would take a limit", true)

	a.fail(t)(contract.Deny)
	has(t, a.Probe(t.Context()), "the host does not take the key of key_file", false)
	a.fail(t)(contract.Down)
	has(t, a.Probe(t.Context()), "check the gateway at", false)
	a.fail(t)(contract.Works)
	a.space.load("table inet stanch {\n chain theirs {\n }\n}\n")
	has(t, a.Probe(t.Context()), "not ours", false)
	other := a.open(t, func(c *Config) { c.HostKey = "SHA256:" + strings.Repeat("A", 43) })
	has(t, other.Probe(t.Context()), "the host shows another key", false)
}

// TestAHostKeyThatChanged has a gateway that shows another key than the day before sent
// nothing.
func TestAHostKeyThatChanged(t *testing.T) {
	a := newAfar(t, openGuard)
	other := a.open(t, func(c *Config) { c.HostKey = "SHA256:" + strings.Repeat("A", 43) })
	o := orderOn(t, "10.1.0.5")
	for what, call := range map[string]func() error{
		"read":  func() error { _, err := other.Read(t.Context(), o); return err },
		"apply": func() error { _, err := other.Apply(t.Context(), o); return err },
		"undo":  func() error { _, err := other.Undo(t.Context(), o); return err },
		"plan":  func() error { return other.Plan(t.Context(), o) },
	} {
		err := call()
		require.Equal(t, integrations.Denied, integrations.KindOf(err), "%s: %v", what, err)
		require.ErrorContains(t, err, "SHA256:"+strings.Repeat("A", 43))
		require.ErrorContains(t, err, settings(a.sshd, 1).HostKey)
	}
	stands(t, a.Gateway, o, false)
}

// TestTheServerIsStartedAnew between an apply and its undo: nothing is lost, and what could
// not be done was not.
func TestTheServerIsStartedAnew(t *testing.T) {
	a := newAfar(t, openGuard)
	o := orderOn(t, "10.1.0.5")
	_, err := a.Apply(t.Context(), o)
	require.NoError(t, err)
	a.sshd.Stop(t)
	a.door.Break(contract.Down) // A server that is stopped leaves connections that stand.
	a.door.Break(contract.Works)
	_, err = a.Undo(t.Context(), o)
	require.Equal(t, integrations.Unavailable, integrations.KindOf(err), "%v", err)
	a.sshd.Start(t)
	stands(t, a.Gateway, o, true)
	_, err = a.Undo(t.Context(), o)
	require.NoError(t, err)
	stands(t, a.Gateway, o, false)
}

// TestTheServerComesBackWithAnotherKey between an apply and its undo: it is sent nothing,
// and the undo works once it shows its own key again.
func TestTheServerComesBackWithAnotherKey(t *testing.T) {
	a := newAfar(t, openGuard)
	o := orderOn(t, "10.1.0.5")
	_, err := a.Apply(t.Context(), o)
	require.NoError(t, err)
	before := a.space.rules()
	a.sshd.Stop(t)
	a.door.Break(contract.Down)
	a.door.Break(contract.Works)
	restore := a.sshd.Rekey(t)
	a.sshd.Start(t)
	_, err = a.Undo(t.Context(), o)
	require.Equal(t, integrations.Denied, integrations.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "the host shows another key")
	require.NotContains(t, a.sshd.Log(), "publickey")
	require.Equal(t, before, a.space.rules())
	a.sshd.Stop(t)
	restore()
	a.sshd.Start(t)
	_, err = a.Undo(t.Context(), o)
	require.NoError(t, err)
	stands(t, a.Gateway, o, false)
}

// TestManyAtOnce has eight hosts limited and given back at once, by two clients.
func TestManyAtOnce(t *testing.T) {
	a := newAfar(t, openGuard)
	clients := []*Gateway{a.Gateway, a.open(t)}
	const n = 8
	all := func(do func(*Gateway, incident.Order) error) {
		errs := make(chan error, n)
		for i := range n {
			o := orderOn(t, fmt.Sprintf("10.1.0.%d", i+1))
			go func() { errs <- do(clients[i%len(clients)], o) }()
		}
		for range n {
			require.NoError(t, <-errs)
		}
	}
	all(func(g *Gateway, o incident.Order) error { _, err := g.Apply(t.Context(), o); return err })
	standing, err := a.Standing(t.Context())
	require.NoError(t, err)
	require.Len(t, standing, n)
	all(func(g *Gateway, o incident.Order) error { _, err := g.Undo(t.Context(), o); return err })
	standing, err = a.Standing(t.Context())
	require.NoError(t, err)
	require.Empty(t, standing)
	require.Equal(t, len(clients), strings.Count(a.sshd.Log(), "Accepted publickey"))
}

// BenchmarkOverSSH applies a limit and reads it back over a connection that stands, and
// over one that has to be made.
func BenchmarkOverSSH(b *testing.B) {
	a := newAfar(b, openGuard)
	o := orderOn(b, "10.1.0.5")
	round := func(g *Gateway) {
		if _, err := g.Apply(b.Context(), o); err != nil {
			b.Fatal(err)
		}
		stands(b, g, o, true)
	}
	undo := func() {
		b.StopTimer()
		defer b.StartTimer()
		if _, err := a.Undo(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			round(a.Gateway)
			undo()
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			g := a.open(b)
			round(g)
			undo()
		}
	})
}

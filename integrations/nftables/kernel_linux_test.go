package nftables

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// order is one on a host of a test, by its addresses.
func order(t testing.TB, key string, addresses ...string) incident.Order {
	t.Helper()
	target, err := incident.DeviceTarget("device of "+addresses[0], "ws-042")
	require.NoError(t, err)
	return incident.Order{
		Key: key, Action: incident.RateLimit, Target: target, Rate: 8_000_000, Addresses: addresses,
		Until: time.Now().Add(time.Hour), Reason: "test",
	}
}

func apply(t testing.TB, g *Gateway, o incident.Order) {
	t.Helper()
	_, err := g.Apply(t.Context(), o)
	require.NoError(t, err)
}

func reading(t testing.TB, g *Gateway, o incident.Order) incident.Reading {
	t.Helper()
	r, err := g.Read(t.Context(), o)
	require.NoError(t, err)
	return r
}

// refused fails unless an error is of the kind and has the words.
func refused(t testing.TB, err error, kind integrations.Kind, words string) {
	t.Helper()
	require.Error(t, err)
	assert.Equal(t, kind, integrations.KindOf(err), err.Error())
	assert.Contains(t, err.Error(), words)
}

const administrators = `
table inet filter {
	set admins { type ipv4_addr; elements = { 192.0.2.200 }; }
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr 192.0.2.66 counter drop comment "theirs"
		ip saddr @admins accept
	}
}
table ip nat {
	chain postrouting { type nat hook postrouting priority srcnat; policy accept; oifname "wan0" masquerade; }
}
`

func TestTheRulesOfOthersStayAsTheyAre(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	s.load(administrators)
	before := s.in("nft", "-j", "list", "ruleset")
	first, second := order(t, "key-1", "192.0.2.2", "2001:db8::2"), order(t, "key-2", "192.0.2.3")
	second.Filter = &incident.Filter{Direction: incident.Outbound, RemotePort: 443}
	apply(t, g, first)
	apply(t, g, second)
	require.Contains(t, s.rules(), "table inet stanch")
	for _, o := range []incident.Order{first, second} {
		_, err := g.Undo(t.Context(), o)
		require.NoError(t, err)
	}
	assert.Equal(t, before, s.in("nft", "-j", "list", "ruleset"), "nothing of ours is left, nothing of theirs has changed")
}

func TestATableOfOurNameThatIsNotOursIsRefused(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	s.load("table inet stanch {\n chain about {\n return comment \"of another stanch\"\n }\n chain forward {\n type filter hook forward priority 0\n ip saddr 192.0.2.2 drop\n }\n}\n")
	before := s.rules()
	o := order(t, "key-1", "192.0.2.2")
	_, err := g.Apply(t.Context(), o)
	refused(t, err, integrations.Denied, "not ours")
	refused(t, g.Plan(t.Context(), o), integrations.Denied, "not ours")
	_, err = g.Undo(t.Context(), o)
	refused(t, err, integrations.Denied, "not ours")
	_, err = g.Read(t.Context(), o)
	refused(t, err, integrations.Denied, "not ours")
	assert.False(t, g.Probe(t.Context())[0].OK)
	assert.Equal(t, before, s.rules())
}

func TestAFullTableTakesNoMore(t *testing.T) {
	s := newSpace(t)
	g := s.gateway(func(c *Config) { c.MaxLimits = 2 })
	apply(t, g, order(t, "key-1", "192.0.2.1"))
	apply(t, g, order(t, "key-2", "192.0.2.2", "2001:db8::2"))
	third := order(t, "key-3", "192.0.2.3")
	_, err := g.Apply(t.Context(), third)
	refused(t, err, integrations.Denied, "it holds 2 limits")
	refused(t, g.Plan(t.Context(), third), integrations.Denied, "it holds 2 limits")
	assert.False(t, reading(t, g, third).Stands)
	apply(t, g, order(t, "key-1", "192.0.2.1")) // It stands already.
	_, err = g.Undo(t.Context(), order(t, "key-1", "192.0.2.1"))
	require.NoError(t, err)
	apply(t, g, third)
}

// What was taken away by hand is seen, and put back by the next Apply.
func TestWhatWasChangedByHandIsSeen(t *testing.T) {
	for name, tt := range map[string]struct {
		script, detail string
		// refuses is what Apply says, where it does not repair it.
		refuses string
	}{
		"an element":           {"delete element inet stanch limit_out_ip4 { 192.0.2.2 }", "other addresses", ""},
		"the chain's rules":    {"flush chain inet stanch CHAIN", "not those that were made", ""},
		"another rule in it":   {"insert rule inet stanch CHAIN accept", "not those that were made", ""},
		"the hook's rules":     {"flush chain inet stanch forward", "has no rule for map", ""},
		"the hook's chain":     {"flush chain inet stanch forward; delete chain inet stanch forward", "no chain forward", ""},
		"the table's switch":   {"add table inet stanch { flags dormant; }", "dormant", "switched it off"},
		"an accepting verdict": {"delete element inet stanch limit_out_ip4 { 192.0.2.2 }; add element inet stanch limit_out_ip4 { 192.0.2.2 : accept }", "go to no chain", "held by"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpace(t)
			g := s.gateway()
			o := order(t, "key-1", "192.0.2.2", "192.0.2.3", "2001:db8::2")
			apply(t, g, o)
			chain := s.rules()[strings.Index(s.rules(), "limit-"):]
			s.load(strings.ReplaceAll(tt.script, "CHAIN", chain[:len("limit-0123456789abcdef")]) + "\n")
			r := reading(t, g, o)
			assert.False(t, r.Stands)
			assert.Contains(t, r.Detail, tt.detail)
			_, err := g.Apply(t.Context(), o)
			if tt.refuses != "" {
				require.ErrorContains(t, err, tt.refuses)
				return
			}
			require.NoError(t, err)
			assert.True(t, reading(t, g, o).Stands, s.rules())
			_, err = g.Undo(t.Context(), o)
			require.NoError(t, err)
			assert.Empty(t, s.rules())
		})
	}
}

func TestWhatOthersPutIntoOurTableStays(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	o := order(t, "key-1", "192.0.2.2")
	apply(t, g, o)
	s.load("add chain inet stanch theirs\nadd rule inet stanch theirs counter\nadd element inet stanch limit_out_ip4 { 192.0.2.9 : jump theirs }\n")
	_, err := g.Undo(t.Context(), o)
	require.NoError(t, err)
	r := reading(t, g, order(t, "key-2", "192.0.2.9"))
	assert.True(t, r.Stands)
	assert.Empty(t, r.Key)
	assert.Equal(t, "it has no end", r.Detail)
	assert.NotContains(t, s.rules(), "192.0.2.2 ")

	// A chain that nothing leads to yet is somebody's, too.
	s.load("delete element inet stanch limit_out_ip4 { 192.0.2.9 }\n")
	apply(t, g, o)
	_, err = g.Undo(t.Context(), o)
	require.NoError(t, err)
	assert.Contains(t, s.rules(), "chain theirs")
	assert.NotContains(t, s.rules(), "map ")
}

func TestALimitEndsByItself(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	short, long := order(t, "key-1", "192.0.2.2", "2001:db8::2"), order(t, "key-2", "192.0.2.3")
	_, err := g.table.Put(t.Context(), Limit{Scope: mustScope(t, short), Key: short.Key, Rate: short.Rate, Left: 1500 * time.Millisecond})
	require.NoError(t, err)
	require.True(t, reading(t, g, short).Stands)
	require.Eventually(t, func() bool { return !reading(t, g, short).Stands }, time.Minute, 50*time.Millisecond)
	require.Contains(t, s.rules(), "limit_out_ip6")
	// The next change clears its remains away, once the kernel has let go of them.
	require.Eventually(t, func() bool {
		long.Until = long.Until.Add(2 * time.Second)
		apply(t, g, long)
		return !strings.Contains(s.rules(), "limit_out_ip6") && strings.Count(s.rules(), "chain limit-") == 1
	}, time.Minute, 100*time.Millisecond)
	assert.True(t, reading(t, g, long).Stands)
}

func mustScope(t testing.TB, o incident.Order) Scope {
	t.Helper()
	sc, err := scope(o)
	require.NoError(t, err)
	return sc
}

func TestALaterEndProlongsAndLeavesTheRestAsItIs(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	o := order(t, "key-1", "192.0.2.2", "2001:db8::2")
	apply(t, g, o)
	rules := s.rules()
	later := o
	later.Until = o.Until.Add(time.Hour)
	before := s.generation()
	apply(t, g, later)
	require.Equal(t, before+1, s.generation())
	ends := regexp.MustCompile(`timeout \S+`)
	assert.Equal(t, ends.ReplaceAllString(rules, ""), ends.ReplaceAllString(s.rules(), ""), "nothing but the ends has changed")
	held, err := g.table.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, held, 1)
	assert.InDelta(t, (2*time.Hour + grace).Seconds(), held[0].Left.Seconds(), 30)
	apply(t, g, o) // An end that is earlier again shortens nothing.
	assert.Equal(t, before+1, s.generation())
}

func TestALowerRateKeepsWhatWasCounted(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	o := order(t, "key-1", "192.0.2.2")
	l, err := g.limit("test", o)
	require.NoError(t, err)
	l.Counters = &incident.Counters{PassedBytes: 5000, PassedPackets: 5, DroppedBytes: 7000, DroppedPackets: 7}
	apply(t, g, o)
	// Nothing flows here: what was counted is put in as the kernel lets us.
	conn, err := dial(t.Context(), s.path())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	st, err := read(conn, nil)
	require.NoError(t, err)
	held, err := st.standing(nil)
	require.NoError(t, err)
	b := &batch{}
	require.NoError(t, st.buildChain(b, Limit{Scope: l.Scope, Key: l.Key, Rate: l.Rate / 2, Counters: l.Counters}, held[0]))
	require.NoError(t, b.send(conn, st.since, false))
	o.Rate /= 4
	apply(t, g, o)
	r := reading(t, g, o)
	assert.Equal(t, o.Rate, r.Rate)
	assert.Equal(t, l.Counters, r.Counters)
}

// Two devices that share an address would be limited by each other's leases.
func TestAnAddressThatAnotherDeviceHoldsIsAConflict(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	apply(t, g, order(t, "key-1", "192.0.2.2"))
	both := order(t, "key-2", "192.0.2.2", "192.0.2.3")
	_, err := g.Apply(t.Context(), both)
	refused(t, err, integrations.Conflict, `"key-1"`)
	assert.False(t, reading(t, g, both).Stands)
	// The same key on other addresses is of another device: neither is taken for the other.
	apply(t, g, order(t, "key-1", "192.0.2.7"))
	_, err = g.Undo(t.Context(), order(t, "key-1", "192.0.2.7"))
	require.NoError(t, err)
	assert.True(t, reading(t, g, order(t, "key-1", "192.0.2.2")).Stands)
}

func TestAKeyOfAnyTextComesBack(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	for i, key := range []string{
		"lease/rate_limit/gateway/ws-042/outbound-udp-192.0.2.1", `a "quoted" key\`, "two\nlines; flush ruleset", "100%41", "ключ",
		"}\n table inet other {}", strings.Repeat("long/", 200),
	} {
		o := order(t, key, fmt.Sprintf("192.0.2.%d", i+1))
		apply(t, g, o)
		assert.Equal(t, key, reading(t, g, o).Key)
		blocked := o
		blocked.Action, blocked.Filter = incident.Block, &incident.Filter{Direction: incident.Outbound, RemotePort: 53}
		apply(t, g, blocked)
		assert.Equal(t, key, reading(t, g, blocked).Key)
	}
	// What nft saves of it, nft reads, and it means the same.
	saved := s.in("nft", "list", "ruleset")
	assert.NotContains(t, saved, "two\n")
	before, err := g.Standing(t.Context())
	require.NoError(t, err)
	s.load("flush ruleset\n")
	s.load(saved)
	after, err := g.Standing(t.Context())
	require.NoError(t, err)
	require.Len(t, after, 14)
	for i, o := range after {
		assert.WithinDuration(t, before[i].Until, o.Until, time.Minute)
		before[i].Until = o.Until
	}
	assert.Equal(t, before, after)
	long := order(t, strings.Repeat("long/", 200)+"r", "192.0.2.100")
	_, err = g.Apply(t.Context(), long)
	refused(t, err, integrations.Invalid, "1001 bytes")
}

func TestOrdersThatLimitNothingOrMoreThanAreMeantAreInvalid(t *testing.T) {
	s := newSpace(t)
	g := s.gateway(func(c *Config) { c.Link = 100_000_000 })
	for name, tt := range map[string]struct {
		edit  func(*incident.Order)
		words string
	}{
		"the link's rate":        {func(o *incident.Order) { o.Rate = 100_000_000 }, "limits nothing"},
		"less than a byte":       {func(o *incident.Order) { o.Rate = 7 }, "7 bits"},
		"more than is counted":   {func(o *incident.Order) { o.Rate = 1 << 50 }, "count up to"},
		"no end":                 {func(o *incident.Order) { o.Until = time.Time{} }, "no end"},
		"an end that has passed": {func(o *incident.Order) { o.Until = time.Now().Add(-time.Second) }, "to end at"},
		"a program":              {func(o *incident.Order) { o.Program = `C:\a.exe` }, "program"},
		"a remote network": {func(o *incident.Order) {
			o.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.0/24"}
		}, "remote address"},
		"every remote address": {func(o *incident.Order) {
			o.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "0.0.0.0"}
		}, "remote address"},
		"another family": {func(o *incident.Order) {
			o.Filter = &incident.Filter{Direction: incident.Outbound, RemoteIP: "2001:db8::9"}
		}, "family"},
		"a port above all": {func(o *incident.Order) { o.Filter = &incident.Filter{Direction: incident.Outbound, RemotePort: 65536} }, "port 65536"},
		"a negative port":  {func(o *incident.Order) { o.Filter = &incident.Filter{Direction: incident.Outbound, LocalPort: -1} }, "port -1"},
		"a port of icmp": {func(o *incident.Order) {
			o.Filter = &incident.Filter{Direction: incident.Outbound, RemotePort: 5, Transport: "icmp"}
		}, "icmp"},
		"a transport of no packet": {func(o *incident.Order) {
			o.Filter = &incident.Filter{Direction: incident.Outbound, Transport: "tcp; drop"}
		}, "transport"},
		"no direction": {func(o *incident.Order) { o.Filter = &incident.Filter{RemotePort: 53} }, "direction"},
	} {
		t.Run(name, func(t *testing.T) {
			o := order(t, "key-1", "192.0.2.2")
			tt.edit(&o)
			_, err := g.Apply(t.Context(), o)
			refused(t, err, integrations.Invalid, tt.words)
		})
	}
	assert.Empty(t, s.rules())
}

func TestAHostThatLeftTheNetworksIsStillGivenBack(t *testing.T) {
	s := newSpace(t)
	o := order(t, "key-1", "192.0.2.2")
	apply(t, s.gateway(), o)
	g := s.gateway(func(c *Config) { c.Networks = []string{"198.51.100.0/24"} })
	_, err := g.Read(t.Context(), o)
	refused(t, err, integrations.NotFound, "192.0.2.2 is in none of the networks")
	_, err = g.Undo(t.Context(), o)
	require.NoError(t, err)
	assert.Empty(t, s.rules())
}

func TestSettingsThatCannotBeMeantDoNotOpen(t *testing.T) {
	for name, c := range map[string]Config{
		"no network":      {MaxLimits: 1},
		"an address":      {MaxLimits: 1, Networks: []string{"192.0.2.1"}},
		"a host's bits":   {MaxLimits: 1, Networks: []string{"192.0.2.1/24"}},
		"IPv4 in IPv6":    {MaxLimits: 1, Networks: []string{"::ffff:192.0.2.0/120"}},
		"a negative link": {MaxLimits: 1, Networks: []string{"192.0.2.0/24"}, Link: -1},
		"no room":         {MaxLimits: 0, Networks: []string{"192.0.2.0/24"}},
		"too much room":   {MaxLimits: 1 << 20, Networks: []string{"192.0.2.0/24"}},
	} {
		_, err := open(t.Context(), &c)
		assert.Error(t, err, name)
	}
}

func TestANamespaceThatIsNotThereIsUnavailable(t *testing.T) {
	g := newSpace(t).gateway(func(c *Config) { c.NetNS += "-gone" })
	_, err := g.Apply(t.Context(), order(t, "key-1", "192.0.2.2"))
	refused(t, err, integrations.Unavailable, "no such file")
	assert.Contains(t, g.Probe(t.Context())[0].Fix, "netns")
}

// inUserNamespace has a run of this program be one without rights on the network.
const inUserNamespace = "STANCH_NFTABLES_WITHOUT_RIGHTS"

func TestWithoutRightsEverythingIsDenied(t *testing.T) {
	if os.Getenv(inUserNamespace) == "" {
		newSpace(t)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inUserNamespace+"=1")
		ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}
	g := (space{t: t}).gateway(func(c *Config) { c.NetNS = "" })
	o := order(t, "key-1", "192.0.2.2")
	_, err := g.Read(t.Context(), o)
	refused(t, err, integrations.Denied, "CAP_NET_ADMIN is needed")
	_, err = g.Apply(t.Context(), o)
	refused(t, err, integrations.Denied, "CAP_NET_ADMIN is needed")
	_, err = g.Undo(t.Context(), o)
	refused(t, err, integrations.Denied, "CAP_NET_ADMIN is needed")
	finding := g.Probe(t.Context())[0]
	assert.False(t, finding.OK)
	assert.Contains(t, finding.Fix, "CAP_NET_ADMIN")
}

// Several processes write to one gateway: helpers of several engines, and administrators.
func TestWritersAtTheSameTime(t *testing.T) {
	s := newSpace(t)
	before := s.generation()
	const writers, limits = 4, 6
	var wg sync.WaitGroup
	for range writers {
		g := s.gateway()
		for i := range limits {
			wg.Go(func() {
				_, err := g.Apply(t.Context(), order(t, fmt.Sprintf("key-%d", i), fmt.Sprintf("192.0.2.%d", i+1)))
				assert.NoError(t, err)
			})
		}
	}
	wg.Wait()
	assert.Equal(t, before+limits, s.generation(), "each is put in place once")
	g := s.gateway()
	for i := range limits {
		assert.True(t, reading(t, g, order(t, fmt.Sprintf("key-%d", i), fmt.Sprintf("192.0.2.%d", i+1))).Stands)
	}
	for range writers {
		g := s.gateway()
		for i := range limits {
			wg.Go(func() {
				_, err := g.Undo(t.Context(), order(t, fmt.Sprintf("key-%d", i), fmt.Sprintf("192.0.2.%d", i+1)))
				assert.NoError(t, err)
			})
		}
	}
	wg.Wait()
	assert.Equal(t, before+2*limits, s.generation(), "each is taken away once")
	assert.Empty(t, s.rules())
}

// The rights that the page of this kind gives the service are enough.
func TestOneCapabilityIsEnough(t *testing.T) {
	const without = "STANCH_NFTABLES_ONE_CAPABILITY"
	if os.Getenv(without) == "" {
		s := newSpace(t)
		cmd := exec.CommandContext(t.Context(), "ip", "netns", "exec", s.name, "setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all",
			os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), without+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: "+t.Name())
		return
	}
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	require.Contains(t, string(status), "CapEff:\t0000000000001000\n", "it has CAP_NET_ADMIN alone")
	g := (space{t: t}).gateway(func(c *Config) { c.NetNS = "" })
	o := order(t, "key-1", "192.0.2.2")
	apply(t, g, o)
	assert.True(t, reading(t, g, o).Stands)
	_, err = g.Undo(t.Context(), o)
	require.NoError(t, err)
	assert.False(t, reading(t, g, o).Stands)
}

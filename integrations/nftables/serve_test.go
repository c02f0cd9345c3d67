package nftables

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// noted is a table that notes what it was asked for. What it answers is what it was given.
type noted struct {
	put, deleted []Limit
	listed       int
	err          error
}

func (n *noted) List(context.Context, *Scope) ([]Limit, error) { n.listed++; return n.put, n.err }

func (n *noted) Put(_ context.Context, l Limit) (Limit, error) {
	n.put = append(n.put, l)
	return l, n.err
}

func (n *noted) Delete(_ context.Context, l Limit) (bool, error) {
	n.deleted = append(n.deleted, l)
	return true, n.err
}

func (n *noted) Check(context.Context, Limit) error { return n.err }

// ask is that of every request of these tests.
const ask = "0123456789abcdef"

func testGuard() Guard {
	return Guard{
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("2001:db8:1::/48")},
		Actions:  []incident.Action{incident.RateLimit, incident.Block},
		Link:     1_000_000_000, LowestRate: 1_000_000, MaxLimits: 100,
	}
}

// helperOf serves by a guard on a table.
func helperOf(g Guard, t table) helper {
	return helper{
		version: "v1", guard: func() (Guard, error) { return g, nil },
		open: func(Guard) (table, error) { return t, nil },
	}
}

func limitOf(addresses ...string) Limit {
	l := Limit{Scope: Scope{Action: incident.RateLimit}, Key: "lease/1", Rate: 10_000_000, Left: time.Hour}
	for _, a := range addresses {
		l.Addresses = append(l.Addresses, netip.MustParseAddr(a))
	}
	return l
}

func blockOf(f incident.Filter) Limit {
	l := limitOf("10.1.0.5")
	l.Action, l.Rate, l.Filter = incident.Block, 0, &f
	return l
}

func write(t testing.TB, q request) string {
	t.Helper()
	q.Version, q.Ask = wireVersion, ask
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// served is the answer to a text, or nil where that is no request.
func served(t testing.TB, h helper, text string) *answer {
	t.Helper()
	var out bytes.Buffer
	err := h.serve(t.Context(), strings.NewReader(text), &out)
	if _, none := errors.AsType[*NoRequestError](err); none {
		if out.Len() > 0 {
			t.Fatalf("the helper takes %q for no request, and answers %s", text, out.String())
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := unmarshalOne(out.Bytes(), &a); err != nil {
		t.Fatalf("the answer %q: %v", out.String(), err)
	}
	return &a
}

func TestServe(t *testing.T) {
	limit, scope := limitOf("10.1.0.5", "2001:db8:1::5"), limitOf("10.1.0.5").Scope
	for _, c := range []struct {
		q    request
		want answer
		then noted
	}{
		{request{Do: verbAdd, Limit: &limit}, answer{Limit: &limit}, noted{put: []Limit{limit}}},
		{request{Do: verbDel, Limit: &limit}, answer{Deleted: true}, noted{deleted: []Limit{limit}}},
		{request{Do: verbList}, answer{}, noted{listed: 1}},
		{request{Do: verbList, Of: &scope}, answer{}, noted{listed: 1}},
		{request{Do: verbCheck, Limit: &limit}, answer{}, noted{}},
		{request{Do: verbCheck}, answer{Gateway: &gateway{
			Helper: "v1", Networks: testGuard().Networks, Actions: testGuard().Actions, Link: 1_000_000_000, LowestRate: 1_000_000, MaxLimits: 100,
		}}, noted{listed: 1}},
	} {
		var n noted
		got := served(t, helperOf(testGuard(), &n), write(t, c.q))
		c.want.Version, c.want.Ask = wireVersion, ask
		compare := cmp.Options{cmp.AllowUnexported(noted{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
		if diff := cmp.Diff(&c.want, got, compare); diff != "" {
			t.Errorf("%s: %s", c.q.Do, diff)
		}
		if diff := cmp.Diff(c.then, n, compare); diff != "" {
			t.Errorf("%s: the table: %s", c.q.Do, diff)
		}
	}
}

// TestATablesErrorIsAnAnswer keeps its kind.
func TestATablesErrorIsAnAnswer(t *testing.T) {
	limit := limitOf("10.1.0.5")
	for _, kind := range integrations.Kinds() {
		n := noted{err: integrations.Errorf(kind, "put", "the table says no")}
		for _, q := range []request{{Do: verbAdd, Limit: &limit}, {Do: verbDel, Limit: &limit}, {Do: verbList}, {Do: verbCheck, Limit: &limit}, {Do: verbCheck}} {
			want := &answer{Version: wireVersion, Ask: ask, Refused: &refusal{kind, "the table says no"}}
			if diff := cmp.Diff(want, served(t, helperOf(testGuard(), &n), write(t, q))); diff != "" {
				t.Errorf("%s with %s: %s", q.Do, kind, diff)
			}
		}
	}
}

// TestTheGuardRefuses sends what no side of ours writes, past all that this side checks.
func TestTheGuardRefuses(t *testing.T) {
	with := func(change func(*Limit)) Limit {
		l := limitOf("10.1.0.5")
		change(&l)
		return l
	}
	addresses := func(all ...string) Limit { return with(func(l *Limit) { l.Scope = limitOf(all...).Scope }) }
	many := make([]string, 0, maxAddresses+1)
	for i := range maxAddresses + 1 {
		many = append(many, fmt.Sprintf("10.1.1.%d", i+1))
	}
	out := func(change func(*incident.Filter)) Limit {
		f := incident.Filter{Direction: incident.Outbound, RemoteIP: "192.0.2.53"}
		change(&f)
		return blockOf(f)
	}
	for what, c := range map[string]struct {
		limit Limit
		want  integrations.Kind
		// del reports whether to take it away is refused too.
		del bool
	}{
		"another network":         {addresses("10.2.0.5"), integrations.NotFound, false},
		"another network, too":    {addresses("10.1.0.5", "192.0.2.1"), integrations.NotFound, false},
		"IPv4 in IPv6":            {addresses("::ffff:10.1.0.5"), integrations.Invalid, true},
		"a zone":                  {addresses("fe80::1%eth0"), integrations.Invalid, true},
		"a link's own":            {addresses("fe80::1"), integrations.Invalid, true},
		"loopback":                {addresses("127.0.0.1"), integrations.Invalid, true},
		"every address":           {addresses("0.0.0.0"), integrations.Invalid, true},
		"a group":                 {addresses("224.0.0.1"), integrations.Invalid, true},
		"no address":              {addresses(), integrations.Invalid, true},
		"one twice":               {addresses("10.1.0.5", "10.1.0.5"), integrations.Invalid, true},
		"not sorted":              {addresses("10.1.0.6", "10.1.0.5"), integrations.Invalid, true},
		"too many":                {addresses(many...), integrations.Invalid, true},
		"no action":               {with(func(l *Limit) { l.Action = "" }), integrations.Invalid, true},
		"isolation":               {with(func(l *Limit) { l.Action = incident.Isolate }), integrations.Invalid, true},
		"no key":                  {with(func(l *Limit) { l.Key = "" }), integrations.Invalid, true},
		"a key of 10 kB":          {with(func(l *Limit) { l.Key = strings.Repeat("k", 10_000) }), integrations.Invalid, true},
		"a newline in the key":    {with(func(l *Limit) { l.Key = "a\nb" }), integrations.Invalid, true},
		"NUL in the key":          {with(func(l *Limit) { l.Key = "a\x00b" }), integrations.Invalid, true},
		"rate 0":                  {with(func(l *Limit) { l.Rate = 0 }), integrations.Invalid, false},
		"a negative rate":         {with(func(l *Limit) { l.Rate = -10_000_000 }), integrations.Invalid, false},
		"a rate below the lowest": {with(func(l *Limit) { l.Rate = 999_999 }), integrations.Denied, false},
		"the link's rate":         {with(func(l *Limit) { l.Rate = 1_000_000_000 }), integrations.Invalid, false},
		"ended":                   {with(func(l *Limit) { l.Left = 0 }), integrations.Invalid, false},
		"ended long ago":          {with(func(l *Limit) { l.Left = -time.Hour }), integrations.Invalid, false},
		"a chain":                 {with(func(l *Limit) { l.Chain = "limit-0123456789abcdef" }), integrations.Invalid, false},
		"ten years":               {with(func(l *Limit) { l.Left = 10 * 365 * 24 * time.Hour }), integrations.Invalid, false},
		"counters":                {with(func(l *Limit) { l.Counters = &incident.Counters{} }), integrations.Invalid, false},
		"a problem":               {with(func(l *Limit) { l.Problem = "none" }), integrations.Invalid, false},
		"a block with a rate":     {with(func(l *Limit) { *l = out(func(*incident.Filter) {}); l.Rate = 2_000_000 }), integrations.Invalid, false},
		"a block of everything":   {with(func(l *Limit) { l.Action, l.Rate = incident.Block, 0 }), integrations.Invalid, true},
		"a filter of everything":  {with(func(l *Limit) { l.Filter = &incident.Filter{Direction: incident.Outbound} }), integrations.Invalid, true},
		"no direction":            {out(func(f *incident.Filter) { f.Direction = "" }), integrations.Invalid, true},
		"a remote network":        {out(func(f *incident.Filter) { f.RemoteIP = "192.0.2.0/24" }), integrations.Invalid, true},
		"a remote name":           {out(func(f *incident.Filter) { f.RemoteIP = "example.com" }), integrations.Invalid, true},
		"a remote wildcard":       {out(func(f *incident.Filter) { f.RemoteIP = "*" }), integrations.Invalid, true},
		"a remote with a quote":   {out(func(f *incident.Filter) { f.RemoteIP = "192.0.2.53\"; flush ruleset; \"" }), integrations.Invalid, true},
		"a remote with a newline": {out(func(f *incident.Filter) { f.RemoteIP = "192.0.2.53\n" }), integrations.Invalid, true},
		"a remote in another way": {out(func(f *incident.Filter) { f.RemoteIP = "2001:DB8::1" }), integrations.Invalid, true},
		"a port too high":         {out(func(f *incident.Filter) { f.RemotePort = 65536 }), integrations.Invalid, true},
		"a negative port":         {out(func(f *incident.Filter) { f.LocalPort = -1 }), integrations.Invalid, true},
		"a transport of its own":  {out(func(f *incident.Filter) { f.Transport = "udp drop" }), integrations.Invalid, true},
		"a port of what has none": {out(func(f *incident.Filter) { f.Transport = "icmp"; f.RemotePort = 53 }), integrations.Invalid, true},
	} {
		for _, do := range []verb{verbAdd, verbCheck, verbDel} {
			if do == verbCheck && (what == "no key" || what == "ended") || do == verbDel && !c.del {
				continue
			}
			var n noted
			got := served(t, helperOf(testGuard(), &n), write(t, request{Do: do, Limit: &c.limit}))
			if got == nil || got.Refused == nil || got.Refused.Kind != c.want || got.Refused.Why == "" {
				t.Errorf("%s of %s: %+v, want it refused as %s", do, what, got, c.want)
			}
			if len(n.put)+len(n.deleted) > 0 {
				t.Errorf("%s of %s was refused, and done", do, what)
			}
		}
	}
}

// TestWhatIsNotAllowedAnyMore can still be taken away: an action, and a network.
func TestWhatIsNotAllowedAnyMore(t *testing.T) {
	g := testGuard()
	g.Actions = []incident.Action{incident.RateLimit}
	var n noted
	block := blockOf(incident.Filter{Direction: incident.Outbound, RemotePort: 53})
	if got := served(t, helperOf(g, &n), write(t, request{Do: verbAdd, Limit: &block})); got.Refused == nil || got.Refused.Kind != integrations.Denied || len(n.put) > 0 {
		t.Errorf("a block was answered with %+v, and put is %v", got, n.put)
	}
	if got := served(t, helperOf(g, &n), write(t, request{Do: verbDel, Limit: &block})); !got.Deleted {
		t.Errorf("it cannot be taken away: %+v", got)
	}
	elsewhere := limitOf("10.2.0.5")
	if got := served(t, helperOf(g, &n), write(t, request{Do: verbDel, Limit: &elsewhere})); !got.Deleted {
		t.Errorf("a limit of a network that was taken out cannot be taken away: %+v", got)
	}
}

func TestNoRequest(t *testing.T) {
	limit := limitOf("10.1.0.5")
	good := write(t, request{Do: verbAdd, Limit: &limit})
	member := func(text string) string { return strings.Replace(good, "{", "{"+text+",", 1) }
	for what, text := range map[string]string{
		"nothing": "", "no JSON": "add 10.1.0.5", "a list": "[" + good + "]", "a text": `"add"`, "null": "null",
		"torn": good[:len(good)/2], "two": good + good, "more behind": good + "x", "no version": strings.Replace(good, `"version":1`, `"a":1`, 1),
		"another table": member(`"table":"filter"`), "a command": member(`"command":"id"`), "a path": member(`"config":"/tmp/x"`),
		"another verb": strings.Replace(good, `"add"`, `"flush"`, 1), "no verb": strings.Replace(good, `"do":"add",`, "", 1),
		"an unknown member deeper": strings.Replace(good, `"rate"`, `"table":"filter","rate"`, 1),
		"no ask":                   strings.Replace(good, ask, "", 1), "a network": strings.Replace(good, "10.1.0.5", "10.1.0.0/16", 1),
		"a rate with a unit": strings.Replace(good, "10000000", `"10Mbit"`, 1), "a rate too large": strings.Replace(good, "10000000", "99999999999999999999", 1),
		"not UTF-8": strings.Replace(good, "lease/1", "lease/\xff", 1), "large": good + strings.Repeat(" ", 1<<20),
		"no limit": write(t, request{Do: verbAdd}), "a list of a limit": write(t, request{Do: verbList, Limit: &limit}),
		"a check of a scope": write(t, request{Do: verbCheck, Of: &limit.Scope}),
	} {
		var n noted
		if got := served(t, helperOf(testGuard(), &n), text); got != nil {
			t.Errorf("%s was taken for a request, and answered with %+v", what, got)
		}
		if len(n.put)+len(n.deleted)+n.listed > 0 {
			t.Errorf("%s reached the table", what)
		}
	}
}

func TestARequestOfAnotherVersion(t *testing.T) {
	var n noted
	got := served(t, helperOf(testGuard(), &n), `{"version":7,"what":"ever"}`)
	if got == nil || got.Refused == nil || !strings.Contains(got.Refused.Why, "version 7") || !strings.Contains(got.Refused.Why, "version 1") {
		t.Errorf("it was answered with %+v", got)
	}
}

// TestARequestThatDoesNotCome ends the helper.
func TestARequestThatDoesNotCome(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, out := io.Pipe()
	defer out.Close()
	err := helperOf(testGuard(), &noted{}).serve(ctx, in, &bytes.Buffer{})
	if _, none := errors.AsType[*NoRequestError](err); !none {
		t.Errorf("it ended with %v", err)
	}
}

// FuzzServe sends any text. What is no request, and what the guard refuses, must not reach
// the table, and what reaches it must be what the guard allows.
func FuzzServe(f *testing.F) {
	limit := limitOf("10.1.0.5", "2001:db8:1::5")
	block := blockOf(incident.Filter{Direction: incident.Inbound, LocalPort: 53, Transport: "udp"})
	for _, q := range []request{
		{Do: verbAdd, Limit: &limit},
		{Do: verbAdd, Limit: &block},
		{Do: verbDel, Limit: &limit},
		{Do: verbCheck, Limit: &block},
		{Do: verbCheck},
		{Do: verbList},
		{Do: verbList, Of: &block.Scope},
	} {
		f.Add([]byte(write(f, q)))
	}
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"ask":"0123456789abcdef","do":"add","limit":{"action":"rate_limit","addresses":["10.1.0.5\n","10.1.0.0/24"],"rate":-1,"left":1e99}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var n noted
		a := served(t, helperOf(testGuard(), &n), string(text))
		if (a == nil || a.Refused != nil) && len(n.put)+len(n.deleted)+n.listed > 0 {
			t.Fatalf("%q was refused (%+v), and reached the table: %+v", text, a, n)
		}
		for _, l := range n.put {
			if err := testGuard().allows(l, false); err != nil {
				t.Fatalf("%q put %+v, which the guard refuses: %v", text, l, err)
			}
			for _, host := range l.Addresses {
				if !host.IsValid() || host.Unmap() != host || host.Zone() != "" || !inside(netip.PrefixFrom(host, host.BitLen()), testGuard().Networks) {
					t.Fatalf("%q put %s", text, host)
				}
			}
			if l.Left <= 0 || l.Left > 31*24*time.Hour || len(l.Key) > longestKey || l.Rate < 0 || strings.ContainsAny(l.Key, "\n\x00") {
				t.Fatalf("%q put %+v", text, l)
			}
		}
	})
}

// What a playbook may ask for is not too long for a gateway.
func TestTheLongestLeaseIsTaken(t *testing.T) {
	l := Limit{Scope: Scope{Action: incident.RateLimit, Addresses: []netip.Addr{netip.MustParseAddr("10.1.0.5")}}, Key: "key", Rate: 8000, Left: playbooks.MaxTTL + grace}
	g := Guard{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Actions: []incident.Action{incident.RateLimit}, MaxLimits: 1}
	if err := g.allows(l, false); err != nil {
		t.Errorf("a lease of %s: %v", playbooks.MaxTTL, err)
	}
}

// Who sends what is no request is told in words, not in names of Go types.
func TestNoRequestIsToldInPlainWords(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:              "it is not one JSON object: it is of another type: array",
		`{"version":"1"}`: "it is not one JSON object: version cannot be: string",
		`{"version":1,"ask":"0123456789abcdef","do":"add","limit":{"rate":1e400}}`: "it is not understood: limit.rate cannot be: number 1e400",
	} {
		var q request
		if err := unmarshalOne([]byte(text), &q); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

package splunk

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
)

func TestQuote(t *testing.T) {
	for value, want := range map[string]string{
		"ws-042":                    `"ws-042"`,
		"":                          `""`,
		`a" OR index="x`:            `"a\" OR index=\"x"`,
		`\`:                         `"\\"`,
		`\" | delete`:               `"\\\" | delete"`,
		"a] | outputlookup b [":     `"a] | outputlookup b ["`,
		"größe":                     `"größe"`,
		"10.0.0.1) OR (src_ip=10.1": `"10.0.0.1) OR (src_ip=10.1"`,
	} {
		if got, err := quote(value); err != nil || got != want {
			t.Errorf("%q is quoted as %s (%v), want %s", value, got, err, want)
		}
	}
	for _, value := range []string{"*", "10.0.*", "`drop`", "a\nb", "a\x00b", "a\tb", "\xff"} {
		if got, err := quote(value); err == nil {
			t.Errorf("%q is quoted as %s, want an error", value, got)
		}
	}
}

// The text of a search in full, so that each change of it is seen.
func TestSearchText(t *testing.T) {
	c := FlowsSpec().NewConfig().(*FlowsConfig)
	c.URL, c.Token, c.Stamp, c.Indices = "https://splunk.example:8089", "t", AtEnd, []string{"netfw", "pan-logs"}
	column, err := integrations.ColumnOf("vendor_product")
	if err != nil {
		t.Fatal(err)
	}
	c.Without = []integrations.Match{{Column: column, Is: []integrations.Literal{integrations.LiteralOf(`Palo "Alto"`)}}}
	s, err := OpenFlows(*c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	got := s.spl(tstats{sums: []string{"max(_time) AS last"}, where: []string{fieldDestPort + "=53"}, by: []string{fieldSensor, "_time span=5m"}, then: "| head 3"}, true)
	want := `| tstats summariesonly=true allow_old_summaries=false fillnull_value="unknown" count max(_time) AS last` +
		` FROM datamodel=Network_Traffic.All_Traffic WHERE All_Traffic.dest_port=53 index IN ("netfw", "pan-logs")` +
		` NOT All_Traffic.vendor_product IN ("Palo \"Alto\"")` +
		` NOT All_Traffic.action IN ("blocked", "block", "denied", "deny", "dropped", "drop", "rejected", "reject", "reset", "failure")` +
		` BY All_Traffic.dvc, _time span=5m | head 3`
	if got != want {
		t.Errorf("the search is\n%s\nwant\n%s", got, want)
	}
}

// An address with a mask is a network in a search: none is asked for.
func TestAddressesAreNoNetworks(t *testing.T) {
	forms := spellings([]netip.Addr{netip.MustParseAddr("10.20.4.43"), netip.MustParseAddr("2001:db8:20::42")})
	for _, form := range forms {
		if strings.ContainsAny(form, `/*"\`) {
			t.Errorf("%q is asked for", form)
		}
	}
	four, six := contract.Spelled()
	if len(forms) < len(four)+len(six)-5 {
		t.Errorf("there are %d spellings, %q", len(forms), forms)
	}
}

// Every value from outside is one value in the search.
func TestAddressesOnly(t *testing.T) {
	s := newTraffic(t, indexed(), splunkfake.Logging{}, nil).openFlows(t)
	for _, ip := range []string{`") | delete`, "192.0.2.0/24", "*", ""} {
		q := contract.Quarter()
		q.IPs = []string{ip}
		if _, err := s.Traffic(t.Context(), q); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("traffic of %q: %v, want invalid", ip, err)
		}
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2026, 11, 28, 23, 45, 0, 250_000_000, time.UTC)
	for _, text := range []string{"1795909500.25", "1795909500.250", "2026-11-28T23:45:00.250+00:00", "2026-11-29T05:30:00.250+05:45"} {
		if got, ok := instant(text); !ok || !got.Equal(at) {
			t.Errorf("%q is %s, want %s", text, got, at)
		}
	}
	for _, text := range []string{"", "now", "1795909500.x", "2026-11-28"} {
		if got, ok := instant(text); ok {
			t.Errorf("%q is %s, want no time", text, got)
		}
	}
	if got := epoch(at.Add(time.Microsecond), true); got != "1795909500.251" {
		t.Errorf("the bound is %s", got)
	}
}

func TestComplaint(t *testing.T) {
	for text, c := range map[string]struct {
		kind string
		bad  bool
	}{
		"base lispy: [ AND ]": {"DEBUG", false},
		"Your timerange was substituted based on your search string":       {"INFO", false},
		"Search auto-finalized after time limit (30 seconds) reached.":     {"INFO", true},
		"Search results might be incomplete: the search process on b died": {"WARN", true},
		"Unable to distribute to peer named b":                             {"WARN", true},
		"something of a type that is new":                                  {"", true},
		"Error in 'tstats' command":                                        {"FATAL", true},
	} {
		if err := complaint("search", []message{{c.kind, text}}); (err != nil) != c.bad {
			t.Errorf("%s %q: %v", c.kind, text, err)
		}
	}
}

// A role may bound how far back its users search.
func TestASearchThatBeginsLater(t *testing.T) {
	from := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	rows := number(3)
	whole := job{State: "DONE", Done: true, Rows: &rows, Earliest: "2026-03-02T09:00:00.000+00:00"}
	if n, err := whole.whole("search", tstats{from: from}); n != 3 || err != nil {
		t.Errorf("%d rows: %v", n, err)
	}
	whole.Earliest = "2026-03-02T09:30:00.000+00:00"
	if _, err := whole.whole("search", tstats{from: from}); integrations.KindOf(err) != integrations.Denied {
		t.Errorf("a search that begins half an hour later: %v, want denied", err)
	}
}

func TestOpenFlowsRefuses(t *testing.T) {
	for want, set := range map[string]func(*FlowsConfig){
		"url":                      func(c *FlowsConfig) { c.URL = "splunk.example" },
		"write a token":            func(c *FlowsConfig) { c.Token = "" },
		"stamp":                    func(c *FlowsConfig) { c.Stamp = "" },
		"summaries":                func(c *FlowsConfig) { c.Summaries = "none" },
		"model":                    func(c *FlowsConfig) { c.Model = "a b" },
		"timeout":                  func(c *FlowsConfig) { c.Timeout = time.Hour },
		"longest":                  func(c *FlowsConfig) { c.Longest = 0 },
		"records":                  func(c *FlowsConfig) { c.Records = maxRows },
		`index "*"`:                func(c *FlowsConfig) { c.Indices = []string{"*"} },
		`index "a) OR (index=b"`:   func(c *FlowsConfig) { c.Indices = []string{"a) OR (index=b"} },
		`index ""`:                 func(c *FlowsConfig) { c.Indices = []string{""} },
		"cannot be written":        func(c *FlowsConfig) { c.Only = []integrations.Match{matchOf(t, "dvc", "fw*")} },
		"is compared with nothing": func(c *FlowsConfig) { c.Only = []integrations.Match{matchOf(t, "dvc")} },
		`column name "a.b"`:        func(c *FlowsConfig) { c.Without = []integrations.Match{matchOf(t, "a.b", "x")} },
		"read authorities":         func(c *FlowsConfig) { c.CA = "/no/such/file.pem" },
	} {
		c := FlowsSpec().NewConfig().(*FlowsConfig)
		c.URL, c.Token, c.Stamp = "https://splunk.example:8089", "wrong-and-secret", AtEnd
		set(c)
		_, err := OpenFlows(*c)
		if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open: %v, want an invalid error with %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "wrong-and-secret") {
			t.Errorf("open: the error shows a secret: %v", err)
		}
	}
}

func matchOf(t *testing.T, column string, values ...string) integrations.Match {
	t.Helper()
	c, err := integrations.ColumnOf(column)
	if err != nil {
		t.Fatal(err)
	}
	m := integrations.Match{Column: c}
	for _, v := range values {
		m.Is = append(m.Is, integrations.LiteralOf(v))
	}
	return m
}

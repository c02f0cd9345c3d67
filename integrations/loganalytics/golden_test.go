package loganalytics

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

var update = flag.Bool("update", false, "write the queries of testdata/kql anew")

func layouts() []Layout {
	return []Layout{CommonSecurityLog, NTANetAnalytics, AzureNetworkAnalytics, VMConnection}
}

// at is the end of the window of the goldens.
func at() time.Time { return time.Date(2026, 11, 28, 23, 45, 0, 0, time.UTC) }

// statements are all that is asked of a layout, by a name each.
func statements(t *testing.T, l Layout) map[string]string {
	t.Helper()
	s := &Store{config: *defaults(), now: at}
	s.config.Layout = l
	column, err := integrations.ColumnOf("Computer")
	if err != nil {
		t.Fatal(err)
	}
	s.config.Only = []integrations.Match{{Column: column, Is: []integrations.Literal{integrations.LiteralOf(`a"b`)}}}
	s.config.Without = []integrations.Match{{Column: column, Is: []integrations.Literal{integrations.LiteralOf(`c\`), integrations.LiteralOf("d")}}}
	if l == NTANetAnalytics || l == AzureNetworkAnalytics {
		s.config.Only, s.config.Without = nil, nil
	}
	s.layout = s.config.layout()
	one := flowmath.Question{Addrs: []netip.Addr{netip.MustParseAddr("10.20.4.42"), netip.MustParseAddr("2001:db8:20::42")}, From: at().Add(-15 * time.Minute), To: at()}
	each, own := one, one
	each.Each = true
	own.Addrs, own.Own = nil, flowmath.Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fc00::/7")}
	a := asker{s, "test"}
	whole := s.stamped(at().Add(-time.Hour), at())
	whole.then("take", "1")
	return map[string]string{
		"few": s.statement(one).views().few(2001).String(), "largest": s.statement(one).views().largest(1500, "Measured desc, Sent desc, Begun desc").String(),
		"services": s.statement(one).services().largest(10_001, largestFirst).String(),
		"service":  s.statement(each).services().where("SentFlows > 0").then("summarize", "arg_max(Sent, *) by Local").String(),
		"total":    s.statement(one).totals(false).String(), "totals": s.statement(each).totals(true).String(),
		"ranking": s.statement(own).ranked().largest(40, "Sent desc, Local asc").String(),
		"parts":   s.statement(one).parts(time.Minute, 15).String(), "senders": s.statement(one).senders().largest(10, "Last desc").String(),
		"left": a.leaving(own.Own, own.From, own.To).services().String(), "left-parts": a.leaving(own.Own, own.From, own.To).parts(time.Minute, 15, "Local").String(),
		"left-sensors": a.leaving(own.Own, own.From, own.To).seers().String(),
		"sensors":      s.statement(flowmath.Question{From: one.From, To: one.To}).sensors().String(), "stamped": whole.String(),
	}
}

// TestQueries compares what is asked with the goldens, and has Microsoft's own service for the
// language judge it.
func TestQueries(t *testing.T) {
	var all []string
	for _, l := range layouts() {
		for name, query := range statements(t, l) {
			all = append(all, query)
			file := filepath.Join("testdata", "kql", string(l)+"-"+name+".kql")
			if *update {
				if err := os.WriteFile(file, []byte(query+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), query+"\n"); diff != "" {
				t.Errorf("%s: %s", file, diff)
			}
		}
	}
	apispec.CheckLogAnalyticsKQL(t, all...)
}

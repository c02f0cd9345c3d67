package loganalytics

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/loganalytics/loganalyticsfake"
)

// another opens a store of a workspace by another hand, behind the description of the API.
func another(t testing.TB, l Layout, o loganalyticsfake.Options, set ...func(*Config)) (*loganalyticsfake.Double, *Store) {
	t.Helper()
	d := loganalyticsfake.New(o)
	server := httptest.NewServer(apispec.Load(t, "loganalytics", "microsoft-login").Handler(t, d.Handler()))
	t.Cleanup(server.Close)
	c := defaults()
	c.Tenant, c.ClientID, c.ClientSecret, c.Workspace = d.Tenant, d.ClientID, integrations.Secret(d.ClientSecret), d.Workspace
	c.Layout, c.URL, c.LoginURL, c.Longest = l, server.URL, server.URL, 2*time.Hour
	for _, f := range set {
		f(c)
	}
	s, err := open(*c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return d, s
}

func fill(t testing.TB, d *loganalyticsfake.Double, table string, seen []contract.Seen) {
	t.Helper()
	for _, f := range seen {
		if err := d.Add(table, entryOf(f)); err != nil {
			t.Fatal(err)
		}
	}
}

// Public addresses stand in lists of their own, and rows are generated after their interval.
func TestTrafficAnalyticsOfAnother(t *testing.T) {
	for table, l := range map[string]Layout{"NTANetAnalytics": NTANetAnalytics, "AzureNetworkAnalytics_CL": AzureNetworkAnalytics, "CommonSecurityLog": CommonSecurityLog} {
		d, s := another(t, l, loganalyticsfake.Options{})
		fill(t, d, table, []contract.Seen{contract.Second(time.Minute, 90_000, 100), contract.Second(2*time.Minute, 1_000, 7), contract.Second(-time.Hour, 1, 1)})
		denied := entryOf(contract.Second(time.Minute, 1<<40, 0))
		denied.Denied, denied.Dst = true, netip.MustParseAddr("198.51.100.99")
		if err := d.Add(table, denied); err != nil {
			t.Fatal(err)
		}
		got, err := s.Traffic(t.Context(), contract.Quarter())
		if err != nil {
			t.Errorf("%s: %v", table, err)
			continue
		}
		// What traffic analytics added up is spread over its interval.
		if n, ok := got.BytesOut.Get(); !ok || n <= 0 || n > 91_000 || table == "CommonSecurityLog" && n != 91_000 {
			t.Errorf("%s: bytes_out is %v", table, got.BytesOut)
		}
		if n, _ := got.Destinations.Get(); n != 1 {
			t.Errorf("%s: destinations is %v, want 1", table, got.Destinations)
		}
		for _, r := range d.Reads() {
			if r.From.IsZero() || r.To.IsZero() {
				t.Errorf("%s: a query reads rows of all time: %v", table, r)
			}
		}
	}
}

// Machines of VM insights say what they sent, minute by minute.
func TestMachinesOfAnother(t *testing.T) {
	d, s := another(t, VMConnection, loganalyticsfake.Options{})
	in := contract.Second(3*time.Minute, 40, 5_000)
	in.SrcIP, in.DstIP = in.DstIP, in.SrcIP
	fill(t, d, "VMConnection", []contract.Seen{contract.Second(time.Minute, 90_000, 100), in, contract.Second(-time.Hour, 1, 1)})
	got, err := s.Traffic(t.Context(), contract.Quarter())
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got.BytesOut.Get(); !ok || n != 95_000 {
		t.Errorf("bytes_out is %v, want what it sent of both connections", got.BytesOut)
	}
	if n, ok := got.BytesIn.Get(); !ok || n != 140 {
		t.Errorf("bytes_in is %v, want 140", got.BytesIn)
	}
}

// A part of an answer is none, and neither is one to a token that is not taken any more.
func TestAnswersOfAnother(t *testing.T) {
	d, s := another(t, CommonSecurityLog, loganalyticsfake.Options{})
	fill(t, d, "CommonSecurityLog", []contract.Seen{contract.Second(time.Minute, 90_000, 100), contract.Second(-time.Hour, 1, 1)})
	for name, fault := range map[string]loganalyticsfake.Fault{
		"partial": {Partial: true}, "torn": {Torn: true}, "slow": {Status: 504}, "throttled": {Status: 429}, "page": {Status: 200, Body: "<html>"},
	} {
		d.Break(&fault)
		got, err := s.Traffic(t.Context(), contract.Quarter())
		if err == nil {
			t.Errorf("%s: it returned %v", name, got.BytesOut)
		} else if strings.Contains(err.Error(), d.ClientSecret) {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	d.Break(nil)
	d, s = another(t, CommonSecurityLog, loganalyticsfake.Options{MostRows: 1})
	fill(t, d, "CommonSecurityLog", []contract.Seen{contract.Second(time.Minute, 90_000, 100), contract.Second(2*time.Minute, 90_000, 100), contract.Second(-time.Hour, 1, 1)})
	if got, err := s.Traffic(t.Context(), contract.Quarter()); err == nil {
		t.Errorf("of an answer that was cut it returned %v", got.BytesOut)
	}
	_, s = another(t, VMConnection, loganalyticsfake.Options{Tables: []string{"CommonSecurityLog"}})
	if got, err := s.Traffic(t.Context(), contract.Quarter()); err == nil || !strings.Contains(err.Error(), "VMConnection") {
		t.Errorf("of a table that is not there it returned %v, %v", got.BytesOut, err)
	}
	d, s = another(t, CommonSecurityLog, loganalyticsfake.Options{})
	if got, err := s.Traffic(t.Context(), contract.Quarter()); err == nil {
		if n, ok := got.BytesOut.Get(); ok {
			t.Errorf("of a workspace without data bytes_out is a known %d", n)
		}
	}
	fill(t, d, "CommonSecurityLog", []contract.Seen{contract.Second(time.Minute, 90_000, 100), contract.Second(-time.Hour, 1, 1)})
	d.ForgetTokens()
	if _, err := s.Traffic(t.Context(), contract.Quarter()); err != nil || d.Tokens() != 2 {
		t.Errorf("after its token was forgotten it took %d tokens: %v", d.Tokens(), err)
	}
	d, s = another(t, CommonSecurityLog, loganalyticsfake.Options{Nobody: true})
	if _, err := s.Traffic(t.Context(), contract.Quarter()); err == nil || d.Tokens() != 1 {
		t.Errorf("without a role it took %d tokens: %v", d.Tokens(), err)
	}
}

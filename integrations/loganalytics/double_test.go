package loganalytics

import (
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/loganalytics/loganalyticsfake"
)

// entryOf is a flow as the double takes it.
func entryOf(f contract.Seen) loganalyticsfake.Entry {
	r := flowmath.Record{
		Start: f.Start, Duration: f.Duration, Src: netip.MustParseAddr(f.SrcIP), Dst: netip.MustParseAddr(f.DstIP),
		SrcPort: uint16(f.SrcPort), DstPort: uint16(f.DstPort), Transport: f.Transport, Sampling: 1, Sensor: f.Sensor,
		Orig: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesOut, Packets: flowmath.NotSeen},
		Resp: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesIn, Packets: flowmath.NotSeen},
	}
	return loganalyticsfake.Entry{Record: r}
}

// judged is the double of a workspace whose requests and answers are judged by the
// description of the API, behind a server that can be broken.
type judged struct {
	*loganalyticsfake.Double
	*faulty.Server
}

// openJudged opens the store of a double's table with the flows. No query may be without
// bounds.
func openJudged(t testing.TB, l Layout, entries []loganalyticsfake.Entry) (judged, *Store) {
	t.Helper()
	// The documents' limit is for half a minute; a suite asks as often in a second.
	d := loganalyticsfake.New(loganalyticsfake.Options{Rate: 1 << 20})
	if err := d.Add((&Config{Layout: l}).layout().table, entries...); err != nil {
		t.Fatal(err)
	}
	handler := apispec.Load(t, "loganalytics", "microsoft-login").Handler(t, d.Handler())
	// Entra is another server, and does not fail with the workspace.
	server, login := faulty.New(t, handler), httptest.NewServer(handler)
	t.Cleanup(login.Close)
	c := defaults()
	c.Tenant, c.ClientID, c.ClientSecret, c.Workspace, c.Layout = d.Tenant, d.ClientID, integrations.Secret(d.ClientSecret), d.Workspace, l
	c.URL, c.LoginURL, c.Longest = server.URL(), login.URL, 2*defaultLongest
	s, err := open(*c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		if n := d.Unbounded(); n > 0 {
			t.Errorf("%d queries took rows of all time", n)
		}
	})
	return judged{d, server}, s
}

// onTheDouble is the harness of the layout of firewalls on the double.
func onTheDouble(skip map[string]string, set ...func(*Store)) contract.FlowsHarness {
	var mu sync.Mutex
	servers := map[integrations.Flows]judged{}
	return contract.FlowsHarness{
		Knobs: contract.Knobs{Kind: "loganalytics", Skip: skip}, Uncounted: true,
		OpenSeen: func(t testing.TB, seen []contract.Seen) integrations.Flows {
			var entries []loganalyticsfake.Entry
			for _, f := range seen {
				entries = append(entries, entryOf(f))
			}
			w, s := openJudged(t, CommonSecurityLog, entries)
			for _, f := range set {
				f(s)
			}
			mu.Lock()
			defer mu.Unlock()
			servers[s] = w
			return s
		},
		Break: func(f integrations.Flows, fault contract.Fault) {
			mu.Lock()
			defer mu.Unlock()
			servers[f].Server.Break(fault)
		},
	}
}

func TestOnTheDouble(t *testing.T) {
	t.Run("flows", func(t *testing.T) { contract.Flows(t, onTheDouble(noSampling())) })
	t.Run("summed", func(t *testing.T) { contract.Flows(t, onTheDouble(noSampling(), summed)) })
	t.Run("hosts", func(t *testing.T) { contract.Hunter(t, onTheDouble(nil)) })
	t.Run("survey", func(t *testing.T) {
		const why = "the layout's records are of all packets"
		contract.Surveyor(t, onTheDouble(map[string]string{"a survey counts the records and names the sensors": why, "a survey reports the worst coverage": why}))
	})
}

// TestTablesOfTheDouble has the same flow in each table that holds bytes, and another that
// was denied.
func TestTablesOfTheDouble(t *testing.T) {
	for _, l := range layouts() {
		t.Run(string(l), func(t *testing.T) {
			f := sent(9*time.Minute, "198.51.100.7", 443, 9000, 90)
			denied := entryOf(sent(8*time.Minute, "198.51.100.8", 443, 5000, 5))
			denied.Denied = true
			_, s := openJudged(t, l, []loganalyticsfake.Entry{entryOf(f), denied, entryOf(later())})
			q := quarter()
			q.To = q.To.Add(flowmath.Hearing)
			got, err := s.Traffic(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			is(t, "bytes_out", got.BytesOut, 9000)
			is(t, "bytes_in", got.BytesIn, 90)
			top, _ := got.Top.Get()
			if len(top) == 0 || top[0].IP != "198.51.100.7" || top[0].Port != 443 {
				t.Errorf("top is %+v", top)
			}
		})
	}
}

// TestPartsOfTheDouble: half of the rows are no answer.
func TestPartsOfTheDouble(t *testing.T) {
	w, s := openJudged(t, CommonSecurityLog, []loganalyticsfake.Entry{entryOf(later())})
	w.Double.Break(&loganalyticsfake.Fault{Partial: true})
	if got, err := s.Traffic(t.Context(), quarter()); integrations.KindOf(err) != integrations.Unavailable && integrations.KindOf(err) != integrations.Invalid || err == nil {
		t.Errorf("traffic is %v: %v, want an error", got.BytesOut, err)
	}
}

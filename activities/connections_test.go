package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// telling is an EDR that returns the connections that it is asked for.
type telling struct {
	connections []incident.Connection
	asked       []integrations.ConnectionQuery
	// refuses is the error of every question about tuples.
	refuses integrations.Kind
}

func (e *telling) Connections(_ context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	e.asked = append(e.asked, q)
	if e.refuses != "" && len(q.Tuples) > 0 {
		return nil, integrations.Errorf(e.refuses, "read connections", "no more than a day at once")
	}
	var found []incident.Connection
	for _, c := range e.connections {
		own := slices.Contains(q.Tuples, c.Tuple) || slices.Contains(q.Tuples, c.Tuple.Reversed())
		if !c.At.Before(q.From) && c.At.Before(q.To) && (own || len(q.Tuples) == 0) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b incident.Connection) int { return b.At.Compare(a.At) })
	return found[:min(len(found), q.Limit)], nil
}

var alerted = time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)

// sent is a flow that began so long before the alert, and the connection that
// it belongs to.
func sent(ago time.Duration, port int, bytes int64, path string) (incident.Flow, incident.Connection) {
	f := incident.Flow{
		Start: alerted.Add(-ago), Duration: time.Second, BytesOut: bytes, BytesIn: 100, PacketsOut: 1 + bytes/1200,
		Tuple: incident.Tuple{SrcIP: "10.20.4.42", SrcPort: port, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"},
	}
	return f, incident.Connection{At: f.Start, Tuple: f.Tuple, Process: incident.Process{
		Path: incident.Known(path, incident.FromEDR), PID: incident.Known(int64(4711), incident.FromEDR),
	}}
}

func find(t *testing.T, edr *telling, flows []incident.Flow) (ConnectionsOut, traffic.JoinResult) {
	t.Helper()
	out, joined := findBy(t, edr, flows)
	for _, q := range edr.asked {
		if q.To.Sub(alerted) > 24*time.Hour || alerted.Sub(q.From) > 24*time.Hour+15*time.Minute {
			t.Errorf("asked from %s to %s, further than a day from %s", q.From, q.To, alerted)
		}
		if len(q.Tuples) > integrations.MaxTuples || q.Limit <= 0 {
			t.Errorf("asked for %d tuples at once, limit %d", len(q.Tuples), q.Limit)
		}
	}
	return out, joined
}

func findBy(t *testing.T, edr integrations.Connections, flows []incident.Flow) (ConnectionsOut, traffic.JoinResult) {
	t.Helper()
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("edr", integrations.Spec{Kind: "telling"}, edr)
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.findConnections(t.Context(), EnrichIn{
		Use: "edr", Target: &target, At: alerted, Window: 15 * time.Minute, Sample: Packed[[]incident.Flow]{Value: flows},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, traffic.Join(flows, out.Connections.Value)
}

const sender, browser = `C:\Tools\sender.exe`, `C:\Apps\browser.exe`

// Who sends is found however far apart the clocks are, up to a day, and however
// long ago the flows began.
func TestConnectionsAreFoundWhereTheClocksSayOtherwise(t *testing.T) {
	for _, c := range []struct {
		name  string
		began time.Duration
		skew  time.Duration
		wide  bool
		found bool
	}{
		{"clocks agree", 10 * time.Minute, 0, false, true},
		{"the endpoint is 12 minutes behind", 14 * time.Minute, -12 * time.Minute, false, true},
		{"the endpoint is 14 minutes ahead", 2 * time.Minute, 14 * time.Minute, false, true},
		{"the endpoint is 3 hours behind", 10 * time.Minute, -3 * time.Hour, true, true},
		{"the endpoint is 12 hours ahead", 10 * time.Minute, 12 * time.Hour, true, true},
		{"the endpoint is two days behind", 10 * time.Minute, -48 * time.Hour, true, false},
		{"the flows began 25 minutes ago", 25 * time.Minute, 0, false, true},
		{"the flows began 23 hours ago", 23 * time.Hour, 0, false, true},
		{"the flows began three days ago", 72 * time.Hour, 0, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			edr := &telling{}
			var flows []incident.Flow
			for i := range 20 {
				f, conn := sent(c.began-time.Duration(i)*time.Second, 50000+i, 9_000_000, sender)
				f.Duration = c.began
				conn.At = conn.At.Add(c.skew)
				flows, edr.connections = append(flows, f), append(edr.connections, conn)
			}
			out, joined := find(t, edr, flows)
			path, _ := joined.Process.Path.Get()
			if (path == sender) != c.found || (out.Wide != "") != c.wide {
				t.Errorf("%s: %q of %d connections (%s); want found: %v, wide: %v", joined.Attribution, path, len(out.Connections.Value), out.Wide, c.found, c.wide)
			}
			if c.wide && !strings.Contains(out.Wide, "24h before and after") {
				t.Errorf("it is told as %q", out.Wide)
			}
		})
	}
}

// On a busy host the newest connections are others': those of the largest flows
// are asked for by their addresses and ports.
func TestABusyHostsLargestFlowsFindTheirConnections(t *testing.T) {
	edr := &telling{}
	var flows []incident.Flow
	for i := range 30 {
		f, conn := sent(14*time.Minute, 50000+i, 90_000_000, sender)
		flows, edr.connections = append(flows, f), append(edr.connections, conn)
	}
	for i := range 2000 {
		_, conn := sent(10*time.Minute-time.Duration(i)*300*time.Millisecond, 10000+i, 900, browser)
		edr.connections = append(edr.connections, conn)
	}
	out, joined := find(t, edr, flows)
	if path, _ := joined.Process.Path.Get(); joined.Attribution != incident.Exact || path != sender {
		t.Errorf("%s: %q", joined.Attribution, path)
	}
	if n := len(out.Connections.Value); n > maxConnections || out.Wide != "" {
		t.Errorf("%d connections, %s", n, out.Wide)
	}
	if len(edr.asked) != 2 {
		t.Errorf("asked %d times", len(edr.asked))
	}
}

// A quiet host is asked about once; without flows there is nothing to look
// further for.
func TestConnectionsAreAskedForOnceWhereThatTells(t *testing.T) {
	f, conn := sent(5*time.Minute, 50000, 9_000_000, sender)
	edr := &telling{connections: []incident.Connection{conn}}
	if out, _ := find(t, edr, []incident.Flow{f}); len(edr.asked) != 1 || out.Wide != "" {
		t.Errorf("asked %d times, %s", len(edr.asked), out.Wide)
	}
	edr = &telling{connections: []incident.Connection{conn}}
	if out, _ := find(t, edr, nil); len(edr.asked) != 1 || out.Wide != "" || len(out.Connections.Value) != 1 {
		t.Errorf("without flows asked %d times, %s: %d connections", len(edr.asked), out.Wide, len(out.Connections.Value))
	}
}

// Traffic that no connection explains has no process, and how far was looked is said.
func TestAHiddenSenderIsLookedForWithinADay(t *testing.T) {
	edr := &telling{}
	var flows []incident.Flow
	for i := range 40 {
		f, _ := sent(time.Duration(i)*20*time.Second, 61000+i, 60_000, "")
		flows = append(flows, f)
		_, conn := sent(time.Duration(i)*20*time.Second, 50000+i, 900, browser)
		edr.connections = append(edr.connections, conn)
	}
	out, joined := find(t, edr, flows)
	if joined.Process.Path.IsKnown() || !strings.Contains(out.Wide, "0 more") {
		t.Errorf("%s: %v, %q", joined.Attribution, joined.Process.Path, out.Wide)
	}
	if want := fmt.Sprint(alerted.Add(-24*time.Hour), alerted.Add(24*time.Hour)); fmt.Sprint(edr.asked[1].From, edr.asked[1].To) != want {
		t.Errorf("asked from %s to %s", edr.asked[1].From, edr.asked[1].To)
	}
}

// cut is a flow store whose exporter cuts long flows into records of a minute.
type cut struct{ integrations.Flows }

func (cut) Traffic(_ context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	var t incident.Traffic
	for at := q.From.Add(-20 * time.Second); at.Before(q.To); at = at.Add(time.Minute) {
		f, _ := sent(alerted.Sub(at), 50000, 9_000_000, "")
		f.Duration = time.Minute - time.Second
		t.Sample = append(t.Sample, f)
	}
	return t, nil
}

// A flood that began long before the window, and comes as records of a minute,
// is its process's all the same.
func TestALongFloodIsItsProcesses(t *testing.T) {
	_, began := sent(25*time.Minute, 50000, 0, sender)
	edr := &telling{connections: []incident.Connection{began}}
	for i := range 50 {
		_, conn := sent(time.Duration(i)*10*time.Second, 40000+i, 900, browser)
		edr.connections = append(edr.connections, conn)
	}
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("flows", integrations.Spec{Kind: "cut"}, cut{})
	out, err := a.getTraffic(t.Context(), EnrichIn{Use: "flows", At: alerted, Window: 15 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, joined := find(t, edr, out.Sample.Value)
	if path, _ := joined.Process.Path.Get(); joined.Attribution != incident.Exact || path != sender || joined.Explained != joined.Bytes {
		t.Errorf("%s: %q explains %d of %d", joined.Attribution, path, joined.Explained, joined.Bytes)
	}
}

// An EDR that does not answer the further question leaves what the first one
// brought, and is reported; one that is down is asked again.
func TestAFurtherQuestionThatIsRefused(t *testing.T) {
	f, _ := sent(5*time.Minute, 61000, 60_000, "")
	_, conn := sent(time.Minute, 50000, 900, browser)
	conn.DstIP = "198.51.100.9"
	edr := &telling{connections: []incident.Connection{conn}, refuses: integrations.Invalid}
	out, joined := find(t, edr, []incident.Flow{f})
	if len(out.Connections.Value) != 1 || joined.Attribution != incident.ProcessList || !strings.Contains(out.Wide, "asked for: it refused the request") {
		t.Errorf("%d connections, %s, %q", len(out.Connections.Value), joined.Attribution, out.Wide)
	}
	edr.refuses = integrations.Unavailable
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("edr", integrations.Spec{Kind: "telling"}, edr)
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	in := EnrichIn{Use: "edr", Target: &target, At: alerted, Window: 15 * time.Minute, Sample: Packed[[]incident.Flow]{Value: []incident.Flow{f}}}
	if _, err := a.findConnections(t.Context(), in); integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("an EDR that is down: %v", err)
	}
}

package traffic

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// slices are the records of one long flow, as an exporter with an active
// timeout writes them.
func slicesOf(at time.Time, n int, each time.Duration, port int, bytes int64) []incident.Flow {
	var flows []incident.Flow
	for i := range n {
		f := guessedFlow(at.Add(time.Duration(i)*each), port, "198.51.100.7", 443, "tcp", bytes)
		f.Duration = each - 100*time.Millisecond
		flows = append(flows, f)
	}
	return flows
}

// One long flow is its connection's however many records it comes in, also
// where the window began after the connection did.
func TestALongFlowIsOfOneConnection(t *testing.T) {
	const path, other = `C:\Tools\sender.exe`, `C:\Apps\browser.exe`
	connected := func(ago time.Duration, path string) incident.Connection {
		c := guessedConnection(slicesOf(guessedAt, 1, time.Minute, 50000, 1)[0], path, 100)
		c.At = guessedAt.Add(-ago)
		return c
	}
	for name, c := range map[string]struct {
		running bool
		conns   []incident.Connection
		exact   bool
	}{
		"it began in the window":                     {false, []incident.Connection{connected(0, path)}, true},
		"it was under way already":                   {true, []incident.Connection{connected(10*time.Minute, path)}, true},
		"it had been for hours":                      {true, []incident.Connection{connected(9*time.Hour, path)}, true},
		"the port was used before by the same":       {true, []incident.Connection{connected(9*time.Hour, path), connected(time.Hour, path)}, true},
		"the port was used before by another":        {true, []incident.Connection{connected(9*time.Hour, other), connected(time.Hour, path)}, false},
		"it is new, and the port was used before":    {false, []incident.Connection{connected(10*time.Minute, path)}, false},
		"it is new, and the endpoint said nothing":   {false, nil, false},
		"it was under way, and the endpoint is mute": {true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			flows := slicesOf(guessedAt, 14, time.Minute, 50000, 5_000_000)
			flows[0].Running = c.running
			got := Join(flows, c.conns)
			named, _ := got.Process.Path.Get()
			if exact := got.Attribution == incident.Exact && named == path && got.Explained == got.Bytes; exact != c.exact {
				t.Errorf("%s: %q, %d of %d bytes are explained", got.Attribution, named, got.Explained, got.Bytes)
			}
			if skew, ok := got.ClockSkew.Get(); ok && skew != 0 {
				t.Errorf("the clocks are reported as %s apart", skew)
			}
		})
	}
}

// Many flows that were under way when the window began are no evidence of the
// clocks: all their connections are as much older.
func TestFlowsUnderWaySayNothingOfTheClocks(t *testing.T) {
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 40 {
		many := slicesOf(guessedAt.Add(time.Duration(i)*50*time.Millisecond), 14, time.Minute, 50000+i, 1_000_000)
		many[0].Running = true
		c := guessedConnection(many[0], `C:\Tools\sender.exe`, 100)
		c.At = c.At.Add(-10 * time.Minute)
		flows, conns = append(flows, many...), append(conns, c)
	}
	got := Join(flows, conns)
	if got.Attribution != incident.Exact || got.Explained != got.Bytes || got.ClockSkew.IsKnown() {
		t.Errorf("%s: %d of %d bytes, clocks %s apart", got.Attribution, got.Explained, got.Bytes, got.ClockSkew)
	}
}

// Where another process takes over the port within one use, later flows may be
// either's.
func TestATakenOverPortIsNobodys(t *testing.T) {
	flows := slicesOf(guessedAt, 10, time.Minute, 50000, 1_000_000)
	first, second := guessedConnection(flows[0], `C:\a.exe`, 1), guessedConnection(flows[6], `C:\b.exe`, 2)
	got := Join(flows, []incident.Connection{first, second})
	if path, _ := got.Process.Path.Get(); path == `C:\b.exe` || got.Explained > 6_000_000 {
		t.Errorf("%s: %q explains %d", got.Attribution, path, got.Explained)
	}
}

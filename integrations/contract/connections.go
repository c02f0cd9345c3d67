package contract

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// ConnectionsHarness opens EDRs that report connections.
type ConnectionsHarness struct {
	Knobs
	// Open returns an EDR that has the device, and exactly the connections
	// of it.
	Open func(t testing.TB, device incident.Target, connections []incident.Connection) integrations.Connections
	// Break makes an EDR that Open returned fail.
	Break func(integrations.Connections, Fault)
	// At is the hour around which the connections are laid, for EDRs that keep
	// recent ones only. The zero time means a fixed one.
	At time.Time
}

// Connections checks an [integrations.Connections].
func Connections(t *testing.T, h ConnectionsHarness) {
	t.Helper()
	run(t, "Connections", h, connectionsChecks())
}

func connectionsChecks() []check[ConnectionsHarness] {
	return slices.Concat([]check[ConnectionsHarness]{
		{"connections come with their process, newest first", checkConnections},
		{"connections are bounded, the newest are kept", checkConnectionsLimit},
		{"connections of some tuples, whichever end comes first", checkConnectionsTuples},
		{"an unknown device is not found, a zero target invalid", checkConnectionsTarget},
	}, faultChecks(func(t testing.TB, h ConnectionsHarness) (func(Fault), []call) {
		device := h.device(t)
		c := h.Open(t, device, h.laid())
		var breakIt func(Fault)
		if h.Break != nil {
			breakIt = func(fault Fault) { h.Break(c, fault) }
		}
		return breakIt, []call{{"connections", false, func(ctx context.Context) error {
			_, err := c.Connections(ctx, h.query(device))
			return err
		}}}
	}))
}

func (h ConnectionsHarness) device(t testing.TB) incident.Target {
	t.Helper()
	device, err := incident.DeviceTarget(h.id("ws-042"), "accounting-2")
	h.fine(t, "make a target", err)
	return device
}

func (h ConnectionsHarness) at() time.Time {
	if h.At.IsZero() {
		return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	}
	return h.At.UTC().Truncate(time.Hour)
}

func (h ConnectionsHarness) query(device incident.Target) integrations.ConnectionQuery {
	return integrations.ConnectionQuery{Target: device, From: h.at().Add(-5 * time.Minute), To: h.at(), Limit: 100}
}

// laid are connections one minute apart: one before the five minutes that the
// checks ask for, five in it, one at its end. They are not in order.
func (h ConnectionsHarness) laid() []incident.Connection {
	var out []incident.Connection
	for _, ago := range []int{3, 6, 0, 1, 5, 2, 4} {
		edr := incident.FromEDR
		out = append(out, incident.Connection{
			At: h.at().Add(-time.Duration(ago) * time.Minute),
			Tuple: incident.Tuple{
				SrcIP: "192.0.2.2", SrcPort: 50000 + ago, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
			},
			Process: incident.Process{
				Path: incident.Known(fmt.Sprintf(`C:\Tools\sender%d.exe`, ago), edr), Name: incident.Known(fmt.Sprintf("sender%d.exe", ago), edr),
				PID: incident.Known(int64(4000+ago), edr),
			},
		})
	}
	return out
}

func (h ConnectionsHarness) ports(t testing.TB, q integrations.ConnectionQuery, want ...int) []incident.Connection {
	t.Helper()
	got, err := h.Open(t, q.Target, h.laid()).Connections(t.Context(), q)
	h.fine(t, "connections", err)
	var ports []int
	for _, c := range got {
		ports = append(ports, c.SrcPort)
	}
	if !slices.Equal(ports, want) {
		t.Errorf("the connections' source ports are %v, want %v", ports, want)
	}
	return got
}

func checkConnections(t testing.TB, h ConnectionsHarness) {
	q := h.query(h.device(t))
	got := h.ports(t, q, 50001, 50002, 50003, 50004, 50005)
	for i, c := range got {
		image(t, "path", c.Process.Path, fmt.Sprintf(`C:\Tools\sender%d.exe`, i+1))
		is(t, "pid", c.Process.PID, int64(4001+i))
		if c.DstIP != "198.51.100.1" || c.DstPort != 53 || c.Transport != "udp" || c.SrcIP != "192.0.2.2" {
			t.Errorf("connection %d is %+v", i, c.Tuple)
		}
		if want := h.at().Add(-time.Duration(i+1) * time.Minute); !c.At.Equal(want) {
			t.Errorf("connection %d is at %s, want %s", i, c.At, want)
		}
	}
}

func checkConnectionsLimit(t testing.TB, h ConnectionsHarness) {
	q := h.query(h.device(t))
	q.Limit = 2
	h.ports(t, q, 50001, 50002)
}

// The tuples' own connections are returned, regardless of the number of newer ones.
func checkConnectionsTuples(t testing.TB, h ConnectionsHarness) {
	q := h.query(h.device(t))
	of := func(ago int) incident.Tuple { return h.laid()[slices.Index([]int{3, 6, 0, 1, 5, 2, 4}, ago)].Tuple }
	other := of(1)
	other.DstPort = 54
	transport := of(2)
	transport.Transport = "tcp"
	q.Tuples, q.Limit = []incident.Tuple{of(4), of(5).Reversed(), of(6), other, transport}, 2
	h.ports(t, q, 50004, 50005)
	q.Tuples = []incident.Tuple{other}
	h.ports(t, q)
}

func checkConnectionsTarget(t testing.TB, h ConnectionsHarness) {
	device := h.device(t)
	c := h.Open(t, device, h.laid())
	_, err := c.Connections(t.Context(), h.query(h.unknownDevice(t)))
	h.want(t, "connections of an unknown device", err, integrations.NotFound)
	_, err = c.Connections(t.Context(), h.query(incident.Target{}))
	h.want(t, "connections of a zero target", err, integrations.Invalid)
}

// image fails unless the value is a path of the image, as people or as the kernel write it:
// by the letter of its volume, or by its device.
func image(t testing.TB, what string, v incident.Value[string], want string) {
	t.Helper()
	if got, ok := v.Get(); !ok || !traffic.SameImage(got, want) {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

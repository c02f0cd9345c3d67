package memory

import (
	"fmt"
	"reflect"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// givenWindow is the window of a given volume when the facts have none.
const givenWindow = 15 * time.Minute

// SetFacts makes the estate answer with the given facts for a host, regardless of
// its description. A field that is known, or unknown with a reason, is
// answered as given; the zero Value leaves what is computed. A fact of which
// every field is unknown with a reason (see [incident.Explain]) was not
// obtained: the EDR has no such device, reports no connection, and so on.
//
// A given candidate, where no process is given, is the process of the
// connections that the EDR reports; they match the flows by destination at best.
//
// A known volume (traffic.bytes_out, else traffic.rate) becomes a stream of
// the given process and shape that began one window ago and goes on, in place
// of the host's own: what is measured after a containment reacts to it. So the
// given volumes are answered as given only until the first action on the host
// was accepted; all else stays.
func (e *Estate) SetFacts(hostID string, given incident.Facts) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	if !ok {
		return fmt.Errorf("set facts: no host %q", hostID)
	}
	if who := given.Candidate; (who.Path.IsKnown() || who.Name.IsKnown()) && !anyKnown(given.Process) {
		given.Process = who
		if how, _ := given.Traffic.Attribution.Get(); how == "" || how == string(incident.Exact) {
			given.Traffic.Attribution = incident.Known(string(incident.Destination), incident.Assumed)
		}
	}
	if rate := givenRate(given.Traffic); rate >= 0 {
		sender := h.Host
		sender.Processes = []Process{givenProcess(given, rate)}
		if err := sender.validate(); err != nil {
			return fmt.Errorf("set facts: %w", err)
		}
		window, ok := given.Traffic.Window.Get()
		if !ok {
			window = givenWindow
		}
		h.Host, h.lanes = sender, sender.lanes(e.now().UTC().Add(-window))
	}
	if online, ok := given.Endpoint.Online.Get(); ok {
		h.online = online
	}
	h.given = given
	return nil
}

// givenRate returns the rate that the facts imply, or -1.
func givenRate(t incident.Traffic) int64 {
	window, ok := t.Window.Get()
	if !ok {
		window = givenWindow
	}
	if bytes, ok := t.BytesOut.Get(); ok {
		return bitsPerSecond(bytes, window)
	}
	if rate, ok := t.Rate.Get(); ok {
		return rate
	}
	return -1
}

// givenProcess sends at the rate in the shape of the given role. What the facts
// leave out is that of a script host.
func givenProcess(given incident.Facts, rate int64) Process {
	p := Process{
		Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Name: "powershell.exe", PID: 4242,
		CommandLine: `powershell.exe -File C:\Users\Public\send.ps1`, Script: `C:\Users\Public\send.ps1`,
		User: `CORP\user`, Signed: true, Parent: `C:\Windows\explorer.exe`,
	}
	set := func(to *string, v incident.Value[string]) {
		if s, ok := v.Get(); ok {
			*to = s
		}
	}
	set(&p.Path, given.Process.Path)
	set(&p.Name, given.Process.Name)
	if pid, ok := given.Process.PID.Get(); ok {
		p.PID = pid
	}
	role, _ := given.Traffic.Role.Get()
	s := shaped(incident.Role(role))
	s.BitsOut = rate
	top, _ := given.Traffic.Top.Get()
	if len(top) == 0 {
		p.Streams = []Stream{s}
		return p
	}
	var sum int64
	for _, t := range top {
		sum += max(0, t.Bytes)
	}
	for _, t := range top {
		one := s
		one.Destinations, one.DstPort, one.Transport = []string{t.IP}, int(t.Port), t.Transport
		one.BitsOut = rate / int64(len(top))
		if sum > 0 {
			one.BitsOut = share(max(0, t.Bytes), rate, sum)
		}
		p.Streams = append(p.Streams, one)
	}
	return p
}

// shaped is a stream that [traffic.Classify] recognises as the role.
func shaped(role incident.Role) Stream {
	switch role {
	case incident.Requester:
		return Stream{Destinations: peers("198.51.100.", 24), DstPort: 53, Transport: "udp", PacketBytes: 70}
	case incident.Reflector:
		return Stream{Destinations: peers("198.51.100.", 24), SrcPort: 53, Transport: "udp", PacketBytes: 1200}
	case incident.Flooder:
		return Stream{Destinations: peers("198.51.100.", 1), DstPort: 80, Transport: "udp"}
	case incident.Discovery:
		return Stream{Destinations: []string{"239.255.255.250"}, DstPort: 1900, Transport: "udp", PacketBytes: 150}
	case incident.Transfer, incident.UnknownRole:
	}
	return Stream{Destinations: peers("198.51.100.", 1), DstPort: 443, Transport: "tcp"}
}

// peers returns n addresses of a network.
func peers(network string, n int) []string {
	ips := make([]string, 0, n)
	for i := range n {
		ips = append(ips, fmt.Sprintf("%s%d", network, i+1))
	}
	return ips
}

// volumeSeen reports whether the facts leave the volume visible.
func (h *host) volumeSeen() bool {
	bytes := h.given.Traffic.BytesOut
	return bytes.IsKnown() || bytes.Why() == ""
}

// givenTraffic puts the given facts over what was measured.
func (h *host) givenTraffic(t incident.Traffic, window time.Duration, touched bool) incident.Traffic {
	given := h.given.Traffic
	if withheld(given) {
		return given
	}
	if touched {
		forget(&given.BytesOut, &given.BytesIn, &given.PacketsOut, &given.Flows, &given.Destinations, &given.Rate)
		if given.Top.IsKnown() {
			given.Top = incident.Value[[]incident.TopFlow]{}
		}
	}
	if given.Window.IsKnown() {
		given.Window = incident.Value[time.Duration]{}
	}
	if bytes, ok := given.BytesOut.Get(); ok && !stated(given.Rate) {
		given.Rate = incident.Known(bitsPerSecond(bytes, window), given.BytesOut.From())
	}
	if !h.volumeSeen() && !stated(given.Rate) {
		given.Rate = incident.NotKnown[int64](given.BytesOut.Why())
	}
	return override(t, given)
}

// forget drops what is known, and keeps what is unknown for a reason.
func forget(values ...*incident.Value[int64]) {
	for _, v := range values {
		if v.IsKnown() {
			*v = incident.Value[int64]{}
		}
	}
}

// touched reports whether an action on the host was accepted before a moment.
func (e *Estate) touched(h *host, before time.Time) bool {
	for _, c := range e.containments {
		if c.Order.Target.ID() == h.ID && c.AcceptedAt.Before(before) {
			return true
		}
	}
	for _, k := range e.kills {
		if k.Host == h.ID && k.At.Before(before) {
			return true
		}
	}
	return false
}

// stated reports whether a value is known, or unknown for a reason.
func stated(f incident.Field) bool {
	_, from, why := f.Any()
	return from != incident.Unknown || why != ""
}

// override returns computed with every field that given states.
func override[T any](computed, given T) T {
	c, g := reflect.ValueOf(&computed).Elem(), reflect.ValueOf(given)
	for i := range g.NumField() {
		if f, ok := g.Field(i).Interface().(incident.Field); ok && stated(f) {
			c.Field(i).Set(g.Field(i))
		}
	}
	return computed
}

// anyKnown reports whether a fact has a known field.
func anyKnown[T any](fact T) bool {
	for _, f := range fields(fact) {
		if _, from, _ := f.Any(); from != incident.Unknown {
			return true
		}
	}
	return false
}

// withheld reports whether every field of a fact is unknown for a reason.
func withheld[T any](fact T) bool {
	for _, f := range fields(fact) {
		if _, from, why := f.Any(); from != incident.Unknown || why == "" {
			return false
		}
	}
	return true
}

func fields[T any](fact T) []incident.Field {
	var out []incident.Field
	v := reflect.ValueOf(fact)
	for i := range v.NumField() {
		if f, ok := v.Field(i).Interface().(incident.Field); ok {
			out = append(out, f)
		}
	}
	return out
}

package incident

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
)

// Facts that come from outside are normalised where they enter: fillers
// become unknown, and the words of closed vocabularies their one spelling. Doing
// it again changes nothing.

// InWords normalises an inventory's answer about a host.
func (a *Asset) InWords(roles Vocabulary) {
	settle(a)
	a.Role = roles.Of(a.Role)
	if tags, ok := a.Tags.Get(); ok && slices.ContainsFunc(tags, Filler) {
		said := slices.DeleteFunc(slices.Clone(tags), Filler)
		if a.Tags = Known(said, a.Tags.From()); len(said) == 0 {
			a.Tags = NotKnown[[]string]("the tags say that there is no value")
		}
	}
}

// InWords normalises an EDR's answer about a device.
func (e *Endpoint) InWords(roles Vocabulary) {
	isolation := e.Isolation // none is a word of ours there.
	settle(e)
	e.Isolation = Isolations().Of(isolation)
	e.Role, e.OS = roles.Of(e.Role), OSes().Of(e.OS)
	if ips, ok := e.IP.Get(); ok {
		e.IP = Known(slices.DeleteFunc(slices.Clone(ips), nowhere), e.IP.From())
	}
}

// InWords normalises an EDR's answer about a process.
func (p *Process) InWords() { settle(p) }

// InWords normalises a connection, so that it matches its flow.
func (c *Connection) InWords() {
	c.Process.InWords()
	c.Tuple.InWords()
}

// InWords writes the addresses and the transport of a tuple in their one
// spelling.
func (t *Tuple) InWords() {
	for _, ip := range []*string{&t.SrcIP, &t.DstIP} {
		if a, err := netip.ParseAddr(*ip); err == nil {
			*ip = a.Unmap().WithZone("").String()
		}
	}
	if name, ok := Transports().Word(t.Transport); ok {
		t.Transport = name
	}
}

// InWords normalises the words of facts. The role of traffic is ours already,
// and unknown is one of its words.
func (f *Facts) InWords(roles Vocabulary) {
	f.Asset.InWords(roles)
	f.Endpoint.InWords(roles)
	f.Process.InWords()
	f.Candidate.InWords()
	a := &f.Alert
	a.Category, a.Host.OS = Categories().Of(a.Category), OSes().Of(a.Host.OS)
	a.Destination.Transport = Transports().Of(a.Destination.Transport)
	if top, ok := f.Traffic.Top.Get(); ok {
		top = slices.Clone(top)
		for i := range top {
			if name, ok := Transports().Word(top[i].Transport); ok {
				top[i].Transport = name
			}
		}
		f.Traffic.Top = Known(top, f.Traffic.Top.From())
	}
}

// nowhere reports whether a text is not the address of a host: empty, or the
// address that means none or all.
func nowhere(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return Filler(ip) || err == nil && (a.IsUnspecified() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}))
}

// settle makes the texts below the struct that fact points to unknown where they
// are fillers.
func settle(fact any) {
	for _, f := range reflect.ValueOf(fact).Elem().Fields() {
		if v, ok := f.Addr().Interface().(*Value[string]); ok {
			if text, known := v.Get(); known && Filler(text) {
				*v = NotKnown[string](fmt.Sprintf("%s says %s, which is no value", v.From(), strconv.QuoteToASCII(text)))
			}
		}
	}
}

// ClosedField returns the vocabulary of a field that policies read, such as
// asset.role, if it has one. Within a list of objects the path is that of the
// object's type: TopFlow.transport.
func ClosedField(path string, roles Vocabulary) (Vocabulary, bool) {
	switch path {
	case "asset.role", "endpoint.role":
		return roles, true
	case "alert.host.os", "endpoint.os":
		return OSes(), true
	case "alert.category":
		return Categories(), true
	case "alert.destination.transport", "TopFlow.transport":
		return Transports(), true
	case "endpoint.isolation":
		return Isolations(), true
	case "alert.status":
		return Statuses(), true
	case "traffic.role":
		return TrafficRoles(), true
	case "traffic.attribution":
		return Attributions(), true
	case "traffic.coverage":
		return Coverages(), true
	}
	return Vocabulary{}, false
}

// ClosedTexts visits the known texts of facts that have a vocabulary, by path.
func ClosedTexts(f *Facts, roles Vocabulary, visit func(path, text string, of Vocabulary)) {
	for _, v := range []struct {
		path  string
		value Value[string]
	}{
		{"alert.category", f.Alert.Category},
		{"alert.host.os", f.Alert.Host.OS},
		{"alert.destination.transport", f.Alert.Destination.Transport},
		{"asset.role", f.Asset.Role},
		{"endpoint.isolation", f.Endpoint.Isolation},
		{"endpoint.os", f.Endpoint.OS},
		{"endpoint.role", f.Endpoint.Role},
		{"traffic.attribution", f.Traffic.Attribution},
		{"traffic.coverage", f.Traffic.Coverage},
		{"traffic.role", f.Traffic.Role},
	} {
		text, known := v.value.Get()
		of, closed := ClosedField(v.path, roles)
		if known && closed {
			visit(v.path, text, of)
		}
	}
}

// Isolations are the states in which an EDR can hold a device.
func Isolations() Vocabulary { return isolations() }

// Statuses are the states of an alert.
func Statuses() Vocabulary { return statuses() }

// TrafficRoles are the words for what traffic looks like.
func TrafficRoles() Vocabulary { return trafficRoles() }

// Attributions are the words for how bytes and processes were joined.
func Attributions() Vocabulary { return attributions() }

// Coverages are the words for what sensors could see.
func Coverages() Vocabulary { return coverages() }

package incident

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// SharedRoles are the words, as an asset's role or as one of its tags, by which
// an inventory says that traffic at the asset's addresses is others': the hosts
// behind it send under them.
func SharedRoles() []string { return []string{"nat", "proxy", "vpn", "load_balancer"} }

// SharedAddress is an address under which several hosts send. No host can be
// identified by it, so none is contained because of it.
type SharedAddress struct {
	IP string `json:"ip"`
	// Kind is one of [SharedRoles], Asset the name of what holds the address.
	Kind  string `json:"kind"`
	Asset string `json:"asset,omitempty"`
}

// String says it in words: 10.0.0.7 is the NAT address of fw-01.
func (s SharedAddress) String() string {
	kind := strings.ReplaceAll(s.Kind, "_", " ")
	if s.Kind == "nat" || s.Kind == "vpn" {
		kind = strings.ToUpper(kind)
	}
	if s.Asset == "" || s.Asset == s.IP {
		return fmt.Sprintf("%s is a %s address", s.IP, kind)
	}
	return fmt.Sprintf("%s is the %s address of %s", s.IP, kind, s.Asset)
}

// NotAttributable says why the addresses do not identify a host; empty for
// none.
func NotAttributable(shared []SharedAddress) string {
	if len(shared) == 0 {
		return ""
	}
	parts := make([]string, 0, len(shared))
	for _, s := range shared {
		parts = append(parts, s.String())
	}
	return "source not attributable: " + strings.Join(parts, ", ")
}

// SharedKind returns for what an asset shares its addresses, if it does.
func (a Asset) SharedKind() (string, bool) {
	role, _ := a.Role.Get()
	tags, _ := a.Tags.Get()
	for _, word := range append([]string{role}, tags...) {
		if key := AssetRoleKey(word); slices.Contains(SharedRoles(), key) {
			return key, true
		}
	}
	return "", false
}

// Without returns the host without the identifiers that are shared addresses.
func (h AlertHost) Without(shared []SharedAddress) AlertHost {
	is := func(text string) bool {
		return slices.ContainsFunc(shared, func(s SharedAddress) bool { return sameAddress(s.IP, text) })
	}
	why := NotAttributable(shared)
	for _, v := range []*Value[string]{&h.ID, &h.Name} {
		if text, ok := v.Get(); ok && is(text) {
			*v = NotKnown[string](why)
		}
	}
	if ips, ok := h.IP.Get(); ok && slices.ContainsFunc(ips, is) {
		own := slices.DeleteFunc(slices.Clone(ips), is)
		if h.IP = Known(own, h.IP.From()); len(own) == 0 {
			h.IP = NotKnown[[]string](why)
		}
	}
	return h
}

// Named reports whether anything names the host.
func (h AlertHost) Named() bool { return h.ID.IsKnown() || h.Name.IsKnown() || h.IP.IsKnown() }

// Addresses are the addresses by which the host is named, each once; an alert
// that knows no better has one for the id or the name.
func (h AlertHost) Addresses() []string {
	ips, _ := h.IP.Get()
	all := slices.Clone(ips)
	for _, v := range []Value[string]{h.ID, h.Name} {
		text, _ := v.Get()
		if _, err := netip.ParseAddr(text); err == nil && !slices.ContainsFunc(all, func(ip string) bool { return sameAddress(ip, text) }) {
			all = append(all, text)
		}
	}
	return all
}

// At returns those of the shared addresses that are among the host's.
func (h AlertHost) At(shared []SharedAddress) []SharedAddress {
	var found []SharedAddress
	for _, s := range shared {
		if slices.ContainsFunc(h.Addresses(), func(ip string) bool { return sameAddress(s.IP, ip) }) {
			found = append(found, s)
		}
	}
	return found
}

func sameAddress(a, b string) bool {
	left, errLeft := netip.ParseAddr(a)
	right, errRight := netip.ParseAddr(b)
	return errLeft == nil && errRight == nil && left.Unmap().WithZone("") == right.Unmap().WithZone("")
}

// Disown makes everything that the traffic at shared addresses would say of the
// host unknown, and so also which of its processes sent it: it is the traffic
// of all that send under them.
func (f *Facts) Disown(shared []SharedAddress) {
	if len(shared) == 0 {
		return
	}
	why := NotAttributable(shared)
	joined := cmp.Or(f.Process.Path.Why(), why)
	f.Traffic, f.Baseline, f.Process, f.Candidate = Traffic{}, Baseline{}, Process{}, Process{}
	Explain(&f.Traffic, why)
	Explain(&f.Baseline, why)
	Explain(&f.Process, joined)
}

// AssumeDevice makes what was found out about the device assumed: the device
// may be another. Traffic at an address that the alert itself names is measured.
func (f *Facts) AssumeDevice() {
	Assume(&f.Endpoint)
	Assume(&f.Process)
	Assume(&f.Candidate)
	Assume(&f.Asset)
	if len(f.Alert.Host.Addresses()) == 0 {
		Assume(&f.Traffic)
		Assume(&f.Baseline)
	}
}

// DisownShared does the same where the inventory says of the host itself that
// others send under its addresses, also where it does not list them.
func (f *Facts) DisownShared() {
	ips, _ := f.Endpoint.IP.Get()
	if len(ips) == 0 {
		ips = f.Alert.Host.Addresses()
	}
	if len(ips) == 0 {
		ips = []string{"the host's"}
	}
	f.Disown(f.Asset.Shares(ips))
}

// Shares are the addresses as the asset shares them, if it does.
func (a Asset) Shares(ips []string) []SharedAddress {
	kind, ok := a.SharedKind()
	if !ok {
		return nil
	}
	name, _ := a.Name.Get()
	shared := make([]SharedAddress, 0, len(ips))
	for _, ip := range ips {
		shared = append(shared, SharedAddress{IP: ip, Kind: kind, Asset: name})
	}
	return shared
}

package elastic

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// endpoint is a device that was found, with what else there is of it.
func (s *search) endpoint(id agentID) incident.Endpoint {
	f := s.all[id]
	e := incident.Endpoint{
		ID: incident.Known(string(id), incident.FromEDR), Name: f.value(f.name()), OS: f.os(), Role: f.role(), IP: s.addresses(f), Online: f.online(),
		LastSeen: incident.NotKnown[time.Time]("Elastic does not say"),
		Users:    incident.NotKnown[[]string]("Elastic's record of a device has no users"),
		Tags:     incident.NotKnown[[]string]("Elastic's record of a device has no tags"),
		Groups:   incident.NotKnown[[]string]("Elastic names no policy of the device"),
		Route:    incident.NotKnown[string]("Elastic does not tell how the agent reaches it"),
	}
	if name := f.Metadata.Endpoint.Policy.Applied.Name; name != "" {
		// Elastic has no groups: devices are grouped by the policy that they apply.
		e.Groups = incident.Known([]string{name}, incident.FromEDR)
	}
	for _, at := range []time.Time{f.CheckIn.Time, f.Metadata.Written.Time} {
		if !at.IsZero() {
			e.LastSeen = incident.Known(at, incident.FromEDR)
			break
		}
	}
	word, ok := s.more[id]
	if !ok {
		word = incident.NotKnown[string](fmt.Sprintf("more than %d devices match: none was asked about", asked))
	}
	e.Isolation = word
	return e
}

func (d device) value(text string) incident.Value[string] {
	if text == "" {
		return incident.NotKnown[string]("Elastic does not say")
	}
	return incident.Known(text, incident.FromEDR)
}

// isolationWord is whether the device is isolated, given what was ordered on it, or why
// that cannot be seen.
func (d device) isolationWord(actions []action, denied error) incident.Value[string] {
	isolated := d.Metadata.Endpoint.State.Isolation
	switch {
	case denied != nil:
		return incident.NotKnown[string](denied.Error())
	case isolated == nil || d.written().IsZero():
		return incident.NotKnown[string]("the device does not say whether it is isolated")
	}
	return incident.Known(isolationOf(*isolated, d.written(), d.CheckIn.Time, actions).word(), incident.FromEDR)
}

func (d device) os() incident.Value[string] {
	for _, name := range []string{d.Metadata.Host.OS.Type, d.Metadata.Host.OS.Family} {
		if name != "" {
			return incident.Known(strings.ToLower(name), incident.FromEDR)
		}
	}
	return d.value("")
}

// role is what the device is, where the operating system says so. A server's does not say
// whether it is a domain controller, so that nothing is said of servers.
func (d device) role() incident.Value[string] {
	variant := d.Metadata.Host.OS.Ext.Variant
	if variant == "" {
		variant = d.Metadata.Host.OS.Full
	}
	name := strings.ToLower(variant)
	switch {
	case name == "":
		return d.value("")
	case strings.Contains(name, "server"):
		return incident.NotKnown[string](fmt.Sprintf("Elastic says %s, and not whether it is a domain controller", httpx.Quote(variant)))
	case strings.HasPrefix(name, "windows"):
		return incident.Known("workstation", incident.FromEDR)
	}
	return incident.NotKnown[string](fmt.Sprintf("Elastic says %s, and not what it is for", httpx.Quote(variant)))
}

// online is whether the agent answers, as Fleet says.
func (d device) online() incident.Value[bool] {
	switch {
	case d.answers():
		return incident.Known(true, incident.FromEDR)
	case d.is("offline", "inactive", "unenrolled"):
		return incident.Known(false, incident.FromEDR)
	case d.Status == "":
		return incident.NotKnown[bool]("Elastic does not say")
	}
	return incident.NotKnown[bool](fmt.Sprintf("Elastic says %s", httpx.Quote(d.Status)))
}

// addresses are those that the device had at the time of the query: those in its events
// around it, and where the query is about now and the agent answers, those that it reports.
func (s *search) addresses(f *found) incident.Value[[]string] {
	ips := slices.Clone(f.had)
	if s.isNow() && f.answers() {
		ips = append(ips, f.reported()...)
	}
	slices.Sort(ips)
	ips = slices.Compact(ips)
	switch {
	case len(ips) > 0:
		return incident.Known(ips, incident.FromEDR)
	case s.isNow():
		return incident.NotKnown[[]string]("the device does not answer, and wrote no event lately: which addresses it has now is not known")
	}
	return incident.NotKnown[[]string]("no event of the device is of within " + incident.FormatDuration(addressesAround) + " of " + s.at.UTC().Format(time.RFC3339))
}

// reported are the addresses of the device's last report.
func (d device) reported() []string { return usable(d.Metadata.Host.IPs) }

// usable are the addresses among texts, without those that other devices have too.
func usable(texts []string) []string {
	var ips []string
	for _, ip := range addressesOf(texts) {
		if ok := func(a netip.Addr) bool { return !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() }; ok(ip) {
			ips = append(ips, ip.String())
		}
	}
	return ips
}

package activities

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ownAddresses are the addresses that are the device's and nobody else's, as its EDR
// tells them; where there are none, or others send under one of them, it says why. They
// are sorted, so that the same ones make the same plan.
func ownAddresses(facts incident.Facts, shared []incident.SharedAddress) (own []string, problem string) {
	ips, known := facts.Endpoint.IP.Get()
	if !known {
		return nil, incident.IPPath + " is unknown" + inBrackets(facts.Endpoint.IP.Why())
	}
	for _, text := range ips {
		if ip, ok := ownAddress(text); ok {
			own = append(own, ip)
		}
	}
	slices.Sort(own)
	own = slices.Compact(own)
	if len(own) == 0 {
		return nil, incident.IPPath + " is unknown" + inBrackets("none of the device's addresses is one by which a network knows it: "+strings.Join(ips, ", "))
	}
	if all := facts.Asset.Shares(own); len(all) > 0 {
		shared = all
	}
	device := incident.AlertHost{IP: facts.Endpoint.IP}
	if why := incident.NotAttributable(device.At(shared)); why != "" {
		return nil, why
	}
	return own, ""
}

// ownAddress is the address as every product writes it, where it is one of those by
// which others reach a device.
func ownAddress(text string) (string, bool) {
	ip, err := netip.ParseAddr(text)
	ip = ip.Unmap()
	return ip.String(), err == nil && ip.Zone() == "" && ip.IsGlobalUnicast()
}

// Beside are the addresses by which an alert, or one before it, names a device, and its
// EDR does not: what leaves them is not known to be the device's, and nothing that is done
// to the device at its addresses reaches it there. They are none where the EDR tells no
// address.
func Beside(alert incident.AlertHost, before []string, endpoint incident.Endpoint) []string {
	has, known := endpoint.IP.Get()
	if !known {
		return nil
	}
	var its, beside []string
	for _, text := range has {
		if ip, ok := ownAddress(text); ok {
			its = append(its, ip)
		}
	}
	for _, text := range slices.Concat(before, alert.Addresses()) {
		if ip, ok := ownAddress(text); ok && !slices.Contains(slices.Concat(its, beside), ip) && len(beside) < maxAddresses {
			beside = append(beside, ip)
		}
	}
	return beside
}

// NamedBeside says it for people.
func NamedBeside(beside []string) string {
	const most = 5
	text := strings.Join(beside[:min(len(beside), most)], ", ")
	if more := len(beside) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return "the alert names " + text + ", which the EDR does not know as the device's"
}

// strange are those of the addresses beside a device's that are of a family in which its
// EDR knows it by none: what it sends in that family is not known.
func strange(beside, own []string) []string {
	return slices.DeleteFunc(slices.Clone(beside), func(ip string) bool {
		return slices.ContainsFunc(own, func(other string) bool { return isIPv6(other) == isIPv6(ip) })
	})
}

func isIPv6(text string) bool {
	ip, err := netip.ParseAddr(text)
	return err == nil && ip.Unmap().Is6()
}

// moved says that the device does not have every address any more that the plan names
// it by; empty where it has.
func (in ContainIn) moved(facts incident.Facts) string {
	has, known := facts.Endpoint.IP.Get()
	var now []string
	for _, text := range has {
		if ip, ok := ownAddress(text); ok {
			now = append(now, ip)
		}
	}
	gone := slices.ContainsFunc(in.Step.Addresses, func(ip string) bool { return !slices.Contains(now, ip) })
	switch {
	case !gone:
		return ""
	case !known:
		return fmt.Sprintf("the device's addresses are unknown now%s, the plan is for %s", inBrackets(facts.Endpoint.IP.Why()), strings.Join(in.Step.Addresses, ", "))
	}
	slices.Sort(now)
	return fmt.Sprintf("the device has %s now, the plan is for %s", strings.Join(now, ", "), strings.Join(in.Step.Addresses, ", "))
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

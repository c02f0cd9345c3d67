package falconfake

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// The states of containment.
const (
	normal      = "normal"
	containing  = "containment_pending"
	contained   = "contained"
	lifting     = "lift_containment_pending"
	unknownWord = "quarantine_review"
)

// status is what the product says of a device's containment: what was asked for
// last and is open, or else what the device is.
func (d *Double) status(h edrtest.Host) string {
	open := d.w.Open(h.ID, edrtest.Isolate, edrtest.Release)
	switch {
	case d.o.UnknownWords:
		return unknownWord
	case len(open) > 0 && open[len(open)-1].Kind == edrtest.Isolate:
		return containing
	case len(open) > 0:
		return lifting
	case d.w.Isolated(h.ID):
		return contained
	}
	return normal
}

// record is a device as the hosts' API shows it.
func (d *Double) record(h edrtest.Host) object {
	kind, description := "1", "Workstation"
	switch h.Role {
	case "domain_controller":
		kind, description = "2", "Domain Controller"
	case "server":
		kind, description = "3", "Server"
	}
	r := object{
		"device_id": h.ID, "cid": d.o.CID, "hostname": h.Name, "machine_domain": h.Domain,
		"agent_version": "7.18.18605.0", "platform_id": "0", "platform_name": "Windows",
		"os_version": h.OS, "product_type": kind, "product_type_desc": description,
		"mac_address": mac(h.ID), "external_ip": publicIP, "status": d.status(h),
		"first_seen": stamp(h.LastSeen.AddDate(-1, 0, 0)), "last_seen": stamp(h.LastSeen),
		"modified_timestamp": stamp(h.LastSeen), "reduced_functionality_mode": "no",
		"rtr_state": "enabled", "provision_status": "Provisioned", "filesystem_containment_status": normal,
		"tags": list(d, h.Tags), "groups": list(d, h.Groups), "ou": d.empty(), "policies": d.empty(),
		"device_policies": object{"remote_response": object{"policy_type": "remote-response", "policy_id": d.o.CID, "applied": true}},
	}
	if ip := h.IP(); ip != "" {
		r["local_ip"], r["connection_ip"] = ip, ip
	}
	if len(h.Sessions) > 0 {
		last := h.Sessions[0]
		for _, s := range h.Sessions {
			if s.Since.After(last.Since) {
				last = s
			}
		}
		r["last_login_user"], r["last_login_user_sid"], r["last_login_timestamp"] = last.User, last.SID, stamp(last.Since)
	}
	return r
}

// publicIP is the address that all sensors reach the cloud from.
const publicIP = "192.0.2.1"

func list(d *Double, values []string) any {
	if len(values) == 0 {
		return d.empty()
	}
	return values
}

// stamp writes a time as the hosts' API does: UTC, in seconds.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// mac is a device's address on its network, made of its id.
func mac(id string) string {
	sum := sha256.Sum256([]byte(id))
	return fmt.Sprintf("02-%02x-%02x-%02x-%02x-%02x", sum[0], sum[1], sum[2], sum[3], sum[4])
}

// properties are those that hosts are filtered and sorted by, with how.
func properties() map[string]comparison {
	text, exact, address, times := comparison(compareText), comparison(compareExact), comparison(compareAddress), comparison(compareTime)
	return map[string]comparison{
		"device_id": exact, "cid": exact, "hostname": text, "machine_domain": text,
		"local_ip": address, "local_ip.raw": exact, "connection_ip": address, "external_ip": address,
		"mac_address": exact, "platform_name": text, "os_version": text, "product_type_desc": text,
		"status": exact, "tags": exact, "groups": exact, "first_seen": times, "last_seen": times,
		"modified_timestamp": times, "last_login_user": text, "last_login_timestamp": times,
		"agent_version": exact, "reduced_functionality_mode": exact, "rtr_state": exact,
	}
}

// values are a record's values of a property: none, one, or those of a list.
func values(r object, property string) []string {
	if property == "local_ip.raw" {
		property = "local_ip"
	}
	switch v := r[property].(type) {
	case string:
		return []string{v}
	case []string:
		return v
	}
	return nil
}

// compareExact compares whole values, with * as a wildcard.
func compareExact(value string, c condition) (bool, error) {
	if c.wild() {
		return glob(c.value, value), nil
	}
	return c.holds(strings.Compare(value, c.value))
}

// compareText compares as a text is searched: without brackets and wildcards a value
// matches all that begin with it (psfalcon#509), and case is nothing. In brackets
// only the value itself matches. Whether case counts there is not documented: it does.
func compareText(value string, c condition) (bool, error) {
	if c.bracketed {
		return compareExact(value, c)
	}
	value, c.value = strings.ToLower(value), strings.ToLower(c.value)
	if c.wild() {
		return glob(c.value, value), nil
	}
	if c.operator == "" || c.operator == "!" || c.operator == "~" {
		return strings.HasPrefix(value, c.value), nil
	}
	return c.holds(strings.Compare(value, c.value))
}

// compareAddress compares addresses; what is none is refused (psfalcon#272).
func compareAddress(value string, c condition) (bool, error) {
	want, err := netip.ParseAddr(c.value)
	if err != nil {
		return false, fmt.Errorf("invalid IP address for %s: %s", c.property, c.value)
	}
	got, err := netip.ParseAddr(value)
	return err == nil && got == want, nil
}

func compareTime(value string, c condition) (bool, error) {
	want, err := time.Parse(time.RFC3339, c.value)
	if err != nil {
		return false, errFilter
	}
	got, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return false, fmt.Errorf("the double wrote %q as a time", value)
	}
	return c.holds(got.Compare(want))
}

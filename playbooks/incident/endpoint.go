package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Endpoint is a device as the EDR knows it.
type Endpoint struct {
	ID        Value[string]    `json:"id" doc:"The EDR's id of the device."`
	Name      Value[string]    `json:"name" doc:"Host name."`
	IP        Value[[]string]  `json:"ip" doc:"Addresses at the time of the alert."`
	OS        Value[string]    `json:"os" doc:"Operating system family, lower case."`
	Role      Value[string]    `json:"role" doc:"workstation, server or domain_controller, as the EDR says."`
	Online    Value[bool]      `json:"online" doc:"Whether the agent answers now."`
	Isolation Value[string]    `json:"isolation" doc:"none, isolating, isolated or releasing."`
	LastSeen  Value[time.Time] `json:"last_seen" doc:"When the agent last answered."`
	Users     Value[[]string]  `json:"users" doc:"Accounts that are logged on, or were last."`
	Tags      Value[[]string]  `json:"tags" doc:"Tags that the device has in the EDR."`
	Groups    Value[[]string]  `json:"groups" doc:"Groups of the EDR that the device is in, by name where it tells names, else by id."`
	Route     Value[string]    `json:"route" doc:"How the agent reaches its cloud: direct, proxy or vpn."`
}

// RoutePath is the path of what [Endpoint.UnknownRoute] asks for.
const RoutePath = "endpoint.route"

// HeardPath is the path of what people are asked before a device is isolated again whose
// agent was not heard the last time: whether it would be heard now.
const HeardPath = "endpoint.heard"

// Target is exactly one device. It cannot be made without one, and it cannot
// hold two: the zero Target is refused by every integration.
type Target struct{ id, name, onlyBy string }

type targetJSON struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	OnlyBy string `json:"only_by,omitempty"`
}

// ID is the device's id in the EDR.
func (t Target) ID() string { return t.id }

// Name is the host name, for people.
func (t Target) Name() string {
	if t.name == "" {
		return t.id
	}
	return t.name
}

// UnknownRoute is what people must be asked before a device is isolated of which
// is not known how its agent reaches its cloud: behind a proxy or on a VPN it may
// not be reached any more, and so not be given back.
func (e Endpoint) UnknownRoute() []Missing {
	if e.Route.IsKnown() {
		return nil
	}
	return []Missing{{Path: RoutePath, Why: e.Route.Why()}}
}

// OnlyBy is the one identifier on which the alert and the device agree: id, name
// or address. It is empty where two agree. Nothing is done to a device that is
// known by one alone, unless people were asked about it and chose it.
func (t Target) OnlyBy() string { return t.onlyBy }

// Assumption says in words that only one identifier agrees; empty where two
// do.
func (t Target) Assumption() string {
	if t.onlyBy == "" {
		return ""
	}
	return fmt.Sprintf("only the %s agrees with device %s (%s)", t.onlyBy, t.Name(), t.id)
}

// IsZero reports whether the target names no device.
func (t Target) IsZero() bool { return t.id == "" }

// MarshalJSON implements [json.Marshaler].
func (t Target) MarshalJSON() ([]byte, error) {
	return json.Marshal(targetJSON{t.id, t.name, t.onlyBy})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Target) UnmarshalJSON(data []byte) error {
	var w targetJSON
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("read a target: %w", err)
	}
	t.id, t.name, t.onlyBy = w.ID, w.Name, w.OnlyBy
	return nil
}

// DeviceTarget returns the target for a device whose id is already exact: one
// that an operator configured, or that a lease holds. Alerts go through
// [ExactTarget].
func DeviceTarget(id, name string) (Target, error) {
	if strings.TrimSpace(id) == "" {
		return Target{}, errors.New("a target needs the id of one device")
	}
	return Target{id: id, name: name}, nil
}

// DevicePath is what a decision about an assumed device misses.
const DevicePath = "endpoint.id"

// Unchosen is what people must be asked before anything is done to the target,
// when they were shown and approved what the paths name; empty where two
// identifiers agree, or where they have chosen it.
func (t Target) Unchosen(answered []string) []Missing {
	if t.onlyBy == "" || slices.Contains(answered, DevicePath) {
		return nil
	}
	return []Missing{{Path: DevicePath, Why: t.Assumption()}}
}

// TargetError says why no exact target was found. Candidates are shown to
// people; nothing is done.
type TargetError struct {
	Reason     string
	Candidates []Endpoint
	// onlyBy is the one identifier on which the one device agrees, if that is
	// what is wrong.
	onlyBy string
}

func (e *TargetError) Error() string { return "no exact target: " + e.Reason }

// ExactTarget returns the one device on which two identifiers of the alert
// agree. No device, several, or agreement on a single identifier is a
// [TargetError]: the candidates are shown and nothing is done.
func ExactTarget(host AlertHost, candidates []Endpoint) (Target, Endpoint, error) {
	devices := dedupe(candidates)
	if len(host.Doubts) > 0 {
		return Target{}, Endpoint{}, &TargetError{Reason: strings.Join(host.Doubts, "; "), Candidates: devices}
	}
	switch len(devices) {
	case 0:
		return Target{}, Endpoint{}, &TargetError{Reason: "the EDR knows no such device"}
	case 1:
	default:
		return Target{}, Endpoint{}, &TargetError{Reason: fmt.Sprintf("%d devices match", len(devices)), Candidates: devices}
	}
	e := devices[0]
	id, ok := e.ID.Get()
	if !ok || id == "" {
		return Target{}, Endpoint{}, &TargetError{Reason: "the EDR gives the device no id", Candidates: devices}
	}
	if agreeing := agreement(host, e); len(agreeing) < 2 {
		reason := "no identifier of the alert agrees with the device"
		if len(agreeing) == 1 {
			reason = "only the " + agreeing[0] + " agrees with the device; two identifiers must"
		}
		wrong := &TargetError{Reason: reason, Candidates: devices}
		if !otherName(host, e) {
			wrong.onlyBy = strings.Join(agreeing, "")
		}
		return Target{}, Endpoint{}, wrong
	}
	name, _ := e.Name.Get()
	return Target{id: id, name: name}, e, nil
}

// otherName reports whether alert and device give the host different names.
// Addresses change hands, and products have ids of their own; a name does not
// become another.
func otherName(host AlertHost, e Endpoint) bool {
	name, hasName := host.Name.Get()
	eName, hasOther := e.Name.Get()
	_, err := netip.ParseAddr(name)
	return hasName && hasOther && err != nil && !sameName(name, eName)
}

// FindTarget returns the exact target, and where there is none the one device
// that matches the alert and agrees on a single identifier, unless its name is
// another. That is an assumption, which [Target.OnlyBy] names, and so is all
// that is known of the device.
func FindTarget(host AlertHost, candidates []Endpoint) (Target, Endpoint, error) {
	t, e, err := ExactTarget(host, candidates)
	problem, ok := errors.AsType[*TargetError](err)
	if !ok || problem.onlyBy == "" {
		return t, e, err
	}
	e = problem.Candidates[0]
	id, _ := e.ID.Get()
	name, _ := e.Name.Get()
	Assume(&e)
	return Target{id: id, name: name, onlyBy: problem.onlyBy}, e, nil
}

// agreement names the identifiers on which the alert and the device agree.
func agreement(host AlertHost, e Endpoint) []string {
	var agreeing []string
	id, hasID := host.ID.Get()
	name, hasName := host.Name.Get()
	eID, _ := e.ID.Get()
	eName, _ := e.Name.Get()
	if hasID && id != "" && strings.EqualFold(id, eID) {
		agreeing = append(agreeing, "id")
	}
	// An alert without a device id carries the name there; that is one
	// identifier, not two.
	if sameName(name, eName) && hasName || len(agreeing) == 0 && hasID && sameName(id, eName) {
		agreeing = append(agreeing, "name")
	}
	ips, _ := host.IP.Get()
	eIPs, _ := e.IP.Get()
	if slices.ContainsFunc(ips, func(ip string) bool { return slices.Contains(eIPs, ip) }) {
		agreeing = append(agreeing, "address")
	}
	return agreeing
}

// HostName returns a host name without the blanks around it and the dot of the
// root at its end, which are no part of the name.
func HostName(s string) string { return strings.TrimSuffix(strings.TrimSpace(s), ".") }

// sameName compares host names: case does not matter, and a short name agrees
// with a full one only where one of them has no domain.
func sameName(a, b string) bool {
	a, b = HostName(a), HostName(b)
	if a == "" || b == "" {
		return false
	}
	if strings.EqualFold(a, b) {
		return true
	}
	shortA, domainA, _ := strings.Cut(a, ".")
	shortB, domainB, _ := strings.Cut(b, ".")
	return strings.EqualFold(shortA, shortB) && (domainA == "" || domainB == "")
}

func dedupe(candidates []Endpoint) []Endpoint {
	var out []Endpoint
	for _, c := range candidates {
		id, _ := c.ID.Get()
		if !slices.ContainsFunc(out, func(o Endpoint) bool { oid, _ := o.ID.Get(); return oid == id }) {
			out = append(out, c)
		}
	}
	return out
}

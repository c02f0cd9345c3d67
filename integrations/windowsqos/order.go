package windowsqos

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// limit is an order that was checked.
type limit struct {
	target   incident.Target
	name     string
	program  string
	rate     int64
	remote   netip.Addr
	port     int
	protocol string // TCP, UDP, or empty for both
	until    int64  // in seconds since 1970; 0 is not said
}

// nameOf is the policy's name of a key. The key itself may hold what no name does.
func nameOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "stanch-" + hex.EncodeToString(sum[:16])
}

// namedOf checks whose policy an order means. What is in place is removed by its name alone.
func namedOf(op string, o incident.Order) (limit, error) {
	if o.Target.ID() == "" || o.Action != incident.RateLimit {
		return limit{}, integrations.Refuse(integrations.Invalid, op, "the order has no target, or is a %q: only rate_limit can be done", o.Action)
	}
	l := limit{target: o.Target, name: nameOf(o.Key), program: o.Program, rate: o.Rate}
	if !o.Until.IsZero() {
		l.until = o.Until.Unix()
	}
	return l, nil
}

// limitOf checks what an order limits, but not whether that may be: what stands is read
// whatever it is of. The error has words for people.
func limitOf(op string, o incident.Order) (limit, error) {
	l, err := namedOf(op, o)
	if err != nil {
		return limit{}, err
	}
	if l.rate < step || l.rate > maxRate {
		return limit{}, integrations.Refuse(integrations.Invalid, op, "a policy limits to between 8192 bit/s and 1 Tbit/s")
	}
	if err := l.filter(o.Filter); err != nil {
		return limit{}, integrations.Refuse(integrations.Invalid, op, "%w", err)
	}
	if err := checkPath(l.program); err != nil {
		return limit{}, integrations.Refuse(integrations.Invalid, op, "%w", err)
	}
	return l, nil
}

// allowedOf is limitOf for what is to be put in place.
func allowedOf(op string, o incident.Order) (limit, error) {
	l, err := limitOf(op, o)
	if err != nil {
		return limit{}, err
	}
	if err := checkProgram(l.program, l.remote.IsValid() || l.port != 0); err != nil {
		return limit{}, integrations.Refuse(integrations.Invalid, op, "%w", err)
	}
	return l, nil
}

// keyed fails for an order without a key.
func keyed(op string, o incident.Order) error {
	if o.Key == "" {
		return integrations.Refuse(integrations.Invalid, op, "the order has no key")
	}
	return nil
}

// filter takes over which of the program's traffic is meant.
func (l *limit) filter(f *incident.Filter) error {
	if f == nil {
		return nil
	}
	switch f.Transport {
	case "":
	case "tcp", "udp":
		l.protocol = strings.ToUpper(f.Transport)
	default:
		return errors.New("a policy knows TCP and UDP alone")
	}
	if f.RemoteIP != "" {
		a, err := netip.ParseAddr(f.RemoteIP)
		if err != nil || a.Zone() != "" || a.Unmap().IsUnspecified() {
			return errors.New("the limit's destination is not one address")
		}
		l.remote = a.Unmap()
	}
	l.port = f.RemotePort
	switch {
	case f.Direction != incident.Outbound:
		return errors.New("a policy limits what a device sends alone")
	case f.LocalPort != 0:
		return errors.New("a limit by the device's own port is not supported")
	case f.RemotePort < 0 || f.RemotePort > 65535:
		return errors.New("the limit's port is not one")
	case !l.remote.IsValid() && l.port == 0 && l.protocol == "":
		return errors.New("the limit's filter is empty")
	}
	return nil
}

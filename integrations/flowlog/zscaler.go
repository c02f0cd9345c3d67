package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func formatZscaler() Format {
	return Format{
		Name: "zscaler", Title: "Zscaler NSS feeds of web and firewall logs (JSON)",
		Doc: "A Nanolog feed in JSON, as for Splunk (`sourcetype` and `event`) or the fields alone, with the names of Zscaler's fields: of web logs `reqsize`, `respsize`, `cip`, `cintip`, `sip`, " +
			"`login`, `devicehostname`, `action`; of firewall logs `csip`, `cdip`, `csport`, `cdport`, `outbytes`, `inbytes`, `user`. Each line counts for itself. Of the two client addresses " +
			"the private one is the host, where one is; without it the site's translated address would be. What was blocked or dropped did not leave.\n\n" +
			"The time is without a zone: give that of the feed, or add `tz` or `epochtime` to it.",
		Zone: true, Exit: incident.ExitProxy, Frame: ByLine, Begins: beginsZscaler,
		New: func(o Options) (Parser, error) {
			return &zscaler{zone: o.Zone, zones: map[string]*time.Location{}}, nil
		},
	}
}

func beginsZscaler(head []byte) bool {
	client, size, feed := false, false, false
	firstMembers(head, func(key []byte, v value) {
		switch string(key) {
		case "sourcetype":
			feed = v.isText && bytes.HasPrefix(v.text, []byte("zscalernss-"))
		case "cintip":
			client = true
		case "reqsize", "respsize":
			size = true
		}
	})
	return feed || client && size
}

// maxZones bounds how many zones are remembered.
const maxZones = 64

// zscaler reads the objects of a feed.
type zscaler struct {
	jsonByLine
	zone   *time.Location
	zones  map[string]*time.Location
	f      zscalerFields
	people names
}

// zscalerFields is the fields of one object, as written; what is empty or not available is nil.
type zscalerFields struct {
	feed, time, zone, epoch                           []byte
	action, location, user, device                    []byte
	client, behind, server, url, protocol             []byte
	request, response, length                         []byte
	csip, cdip, csport, cdport, out, in, ms, duration []byte
	// Fields that a feed may have beside those of nearly the same meaning above, which count first.
	datetime, locationName, person, protocolName, address []byte
}

// settle has the second of two fields count where the first is not there.
func (f *zscalerFields) settle() {
	f.time, f.location, f.user = first(f.time, f.datetime), first(f.location, f.locationName), first(f.user, f.person)
	f.protocol, f.url = first(f.protocol, f.protocolName), first(f.url, f.address)
}

func (f *zscalerFields) field(name []byte) *[]byte {
	switch string(name) {
	case "sourcetype":
		return &f.feed
	case "time":
		return &f.time
	case "datetime":
		return &f.datetime
	case "tz":
		return &f.zone
	case "epochtime":
		return &f.epoch
	case "action":
		return &f.action
	case "location":
		return &f.location
	case "locationname":
		return &f.locationName
	case "login":
		return &f.user
	case "user":
		return &f.person
	case "devicehostname":
		return &f.device
	case "proto":
		return &f.protocol
	case "protocol":
		return &f.protocolName
	}
	return f.amount(name)
}

// amount is the fields of the ends, and of how much.
func (f *zscalerFields) amount(name []byte) *[]byte {
	switch string(name) {
	case "cip", "ClientIP":
		return &f.client
	case "cintip", "clientpublicIP":
		return &f.behind
	case "sip", "serverip":
		return &f.server
	case "eurl":
		return &f.url
	case "url":
		return &f.address
	case "reqsize", "requestsize":
		return &f.request
	case "respsize", "responsesize":
		return &f.response
	case "ctime":
		return &f.length
	case "csip":
		return &f.csip
	case "cdip":
		return &f.cdip
	case "csport":
		return &f.csport
	case "cdport":
		return &f.cdport
	case "outbytes":
		return &f.out
	case "inbytes":
		return &f.in
	case "durationms":
		return &f.ms
	case "duration":
		return &f.duration
	}
	return nil
}

func (p *zscaler) member(key []byte, v value) error {
	switch {
	case string(key) == "event" && v.object:
		return inside(v, p.member)
	case v.null() || v.object:
		return nil
	}
	if into := p.f.field(key); into != nil {
		return once(into, key, v.bytes())
	}
	return nil
}

// Parse implements [Parser].
func (p *zscaler) Parse(line []byte, e *Entry) error {
	p.f = zscalerFields{}
	f := &p.f
	rest, err := members(line, p.member)
	f.settle()
	switch {
	case err != nil:
		return err
	case len(space(rest)) > 0:
		return errors.New("text after the JSON object")
	case f.feed != nil && string(f.feed) != "zscalernss-web" && string(f.feed) != "zscalernss-fw":
		return fmt.Errorf("%w: the feed %s", ErrNoFlow, clip(string(f.feed)))
	case stopped(f.action):
		return fmt.Errorf("%w: %s", ErrNoFlow, clip(string(f.action)))
	}
	s := firewallSession{sensor: "zscaler", user: p.people.of(short(f.user)), device: p.people.of(short(f.device)), adds: true}
	if bytes.Equal(f.user, f.location) {
		s.user = "" // of traffic without a user that is the location's name
	}
	if f.csip != nil {
		s.src, s.srcPort, s.dst, s.dstPort, s.protocol = f.csip, f.csport, f.cdip, f.cdport, f.protocol
		s.sent, s.received = f.out, f.in
	} else {
		s.src, s.dst, s.protocol = f.host(), f.server, []byte("tcp")
		s.sent, s.received, s.payload = f.request, f.response, true
		s.dstPort = urlPort(f.protocol, f.url)
	}
	if err := p.times(&s); err != nil {
		return err
	}
	return e.firewall(&s)
}

// host is the private one of the client's two addresses. Zscaler calls the one before and the one after translation by names
// that feeds use for either.
func (f *zscalerFields) host() []byte {
	private := func(b []byte) bool {
		if len(b) > 64 {
			return false
		}
		a, err := netip.ParseAddr(string(b))
		return err == nil && a.IsPrivate()
	}
	if f.behind == nil || private(f.client) && !private(f.behind) {
		return f.client
	}
	return f.behind
}

// times places the line: its time is of the end.
func (p *zscaler) times(s *firewallSession) error {
	f := &p.f
	end, ok := epochTime(f.epoch)
	var err error
	switch {
	case ok:
	case f.time == nil:
		return errors.New("time is missing")
	default:
		end, err = textTime(f.time, p.zoneOf(f.zone))
	}
	if err != nil {
		return err
	}
	if ms, ok := parseDigits(first(f.length, f.ms)); ok && ms < 1e12 {
		s.length = time.Duration(ms) * time.Millisecond
	} else if s.length, err = seconds(f.duration); err != nil {
		return err
	}
	s.start = end.Add(-s.length)
	return nil
}

// zoneOf is the zone that the line names, or that of the options.
func (p *zscaler) zoneOf(name []byte) *time.Location {
	if name == nil {
		return p.zone
	}
	if zone, ok := zoneOf(name); ok {
		return zone
	}
	zone, known := p.zones[string(name)]
	if !known {
		if len(name) > 64 || len(p.zones) >= maxZones {
			return p.zone
		}
		var err error
		if zone, err = time.LoadLocation(string(name)); err != nil {
			zone = nil
		}
		p.zones[string(name)] = zone
	}
	if zone == nil {
		return p.zone
	}
	return zone
}

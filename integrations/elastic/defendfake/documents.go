package defendfake

import (
	"crypto/sha1" // the format of a community id, no secret
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// document is an event by the full names of its fields. A value is a string,
// int64, bool or [time.Time], or a list of strings.
type document struct {
	stream, id string
	fields     map[string]any
}

// documents are all events of data streams.
func (d *Double) documents(names []string) []document {
	var out []document
	for _, stream := range names {
		for _, h := range d.w.Hosts() {
			var events []map[string]any
			switch stream {
			case networkStream:
				events = d.defendNetwork(h)
			case processStream:
				events = defendProcesses(h)
			case powershellStream:
				events = d.scriptBlocks(h, stream)
			case sysmonStream:
				events = sysmon(h, stream)
			case winlogbeatStream:
				events = append(sysmon(h, stream), d.scriptBlocks(h, stream)...)
			}
			for i, fields := range events {
				sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", stream, h.ID, i))
				out = append(out, document{stream, base64.RawURLEncoding.EncodeToString(sum[:15]), fields})
			}
		}
	}
	return out
}

// base are the fields that every event has.
func base(h edrtest.Host, at time.Time, agent string) map[string]any {
	return map[string]any{
		"@timestamp": at, "event.created": at, "event.ingested": at.Add(2 * time.Second), "event.kind": "event", "ecs.version": "8.11.0",
		"agent.type": agent, "agent.version": version, "host.hostname": h.Name, "host.name": h.Name, "host.id": hostID(h),
		"host.os.type": "windows", "host.ip": append(h.IPsAt(at), "127.0.0.1", "::1"),
	}
}

// set adds fields to an event, without those that are empty.
func set(fields map[string]any, more map[string]any) {
	for name, v := range more {
		if s, ok := v.(string); ok && s == "" {
			continue
		}
		if t, ok := v.(time.Time); ok && t.IsZero() {
			continue
		}
		fields[name] = v
	}
}

// hostID is the id of a machine, which is not that of its agent.
func hostID(h edrtest.Host) string { return uuid("host", h.ID) }

func uuid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	x := hex.EncodeToString(sum[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// entityID is what Defend calls a process.
func entityID(agent string, p *edrtest.Process) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%d-%d", agent, p.PID, p.Start.UnixMilli()))
}

// processGUID is what Sysmon calls a process.
func processGUID(h edrtest.Host, p *edrtest.Process) string {
	return "{" + uuid("sysmon", h.ID, formatInt(p.PID), formatInt(p.Start.UnixMilli())) + "}"
}

// image is the last part of a Windows path.
func image(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// account divides a user's name.
func account(user string) (domain, name string) {
	if d, n, ok := strings.Cut(user, `\`); ok {
		return d, n
	}
	return "", user
}

// sid is the id of a user who is logged on.
func sid(h edrtest.Host, user string) string {
	_, name := account(user)
	for _, s := range h.Sessions {
		if strings.EqualFold(s.User, name) {
			return s.SID
		}
	}
	return ""
}

func userFields(h edrtest.Host, user string) map[string]any {
	domain, name := account(user)
	return map[string]any{"user.domain": domain, "user.name": name, "user.id": sid(h, user)}
}

// parentFields are those of a process's parent, by the id that a sensor gives it.
func parentFields(p *edrtest.Process, id func(*edrtest.Process) string) map[string]any {
	if p.Parent == nil {
		return nil
	}
	return map[string]any{
		"process.parent.pid": p.Parent.PID, "process.parent.executable": p.Parent.Path, "process.parent.name": image(p.Parent.Path),
		"process.parent.entity_id": id(p.Parent), "process.parent.command_line": p.Parent.CommandLine,
	}
}

// startFields are those of a process that only the event of its begin has.
func startFields(p *edrtest.Process) map[string]any {
	fields := map[string]any{"process.command_line": p.CommandLine, "process.hash.sha256": p.SHA256}
	if p.CommandLine != "" {
		fields["process.args"] = strings.Fields(p.CommandLine)
	}
	return fields
}

// wire are the addresses of a connection, from who began it.
func wire(c edrtest.Connection) map[string]any {
	direction, kind := "egress", "ipv4"
	if c.Inbound {
		direction = "ingress"
	}
	if a, err := netip.ParseAddr(c.DstIP); err == nil && a.Is6() {
		kind = "ipv6"
	}
	return map[string]any{
		"source.ip": c.SrcIP, "source.address": c.SrcIP, "source.port": int64(c.SrcPort),
		"destination.ip": c.DstIP, "destination.address": c.DstIP, "destination.port": int64(c.DstPort),
		"network.direction": direction, "network.transport": c.Transport, "network.type": kind,
	}
}

// bytesOf are a connection's, of who began it and of the other.
func bytesOf(c edrtest.Connection) (source, destination int64) {
	if c.Inbound {
		return c.BytesIn, c.BytesOut
	}
	return c.BytesOut, c.BytesIn
}

// communityID names a connection of TCP or UDP by the public specification, with
// the seed 0.
func communityID(c edrtest.Connection) string {
	number := map[string]byte{"tcp": 6, "udp": 17}[c.Transport]
	src, errSrc := netip.ParseAddr(c.SrcIP)
	dst, errDst := netip.ParseAddr(c.DstIP)
	if number == 0 || errSrc != nil || errDst != nil {
		return ""
	}
	from, to := netip.AddrPortFrom(src, uint16(c.SrcPort)), netip.AddrPortFrom(dst, uint16(c.DstPort))
	if to.Compare(from) < 0 {
		from, to = to, from
	}
	data := []byte{0, 0}
	data = append(data, from.Addr().AsSlice()...)
	data = append(data, to.Addr().AsSlice()...)
	data = append(data, number, 0, byte(from.Port()>>8), byte(from.Port()), byte(to.Port()>>8), byte(to.Port()))
	sum := sha1.Sum(data)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}

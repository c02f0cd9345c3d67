package falconfake

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// event is one of the sensor's. Every value is a string; @timestamp is in
// milliseconds since 1970.
type event map[string]string

// events are those of all devices, newest first.
func (d *Double) events() []event {
	var all []event
	for _, h := range d.w.Hosts() {
		b := &eventBuilder{d: d, h: h}
		for _, p := range h.Processes {
			b.process(p)
		}
		for _, c := range h.Connections {
			b.connection(c)
		}
		for _, s := range h.Sessions {
			b.add(s.Since, "UserLogon", "UserLogonV8", event{
				"UserName": s.User, "LogonDomain": s.Domain, "UserSid": s.SID, "LogonTime": seconds(s.Since),
			})
		}
		all = append(all, b.events...)
	}
	slices.SortStableFunc(all, newestFirst)
	return all
}

func newestFirst(a, b event) int {
	return cmp.Or(cmp.Compare(b.at(), a.at()), cmp.Compare(b["@id"], a["@id"]))
}

// at is the time of an event in milliseconds since 1970.
func (e event) at() int64 {
	ms, err := strconv.ParseInt(e["@timestamp"], 10, 64)
	if err != nil {
		return 0
	}
	return ms
}

// seconds writes a time as the sensor does: in seconds since 1970 with milliseconds.
func seconds(t time.Time) string {
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}

type eventBuilder struct {
	d      *Double
	h      edrtest.Host
	events []event
}

// add adds an event with what all events have.
func (b *eventBuilder) add(at time.Time, simple, name string, e event) {
	ms := strconv.FormatInt(at.UnixMilli(), 10)
	for k, v := range map[string]string{
		"event_simpleName": simple, "name": name, "aid": b.h.ID, "cid": b.d.o.CID, "aip": publicIP,
		"event_platform": "Win", "ComputerName": b.h.Name, "ContextTimeStamp": seconds(at), "timestamp": ms,
		"id": fmt.Sprintf("%s-%d", b.h.ID, len(b.events)), "ConfigBuild": "1007.3.0018605.11",
	} {
		e[k] = v
	}
	raw, err := json.Marshal(e)
	if err != nil {
		b.d.complain("write an event: %v", err)
		return
	}
	e["@rawstring"], e["@timestamp"], e["@ingesttimestamp"] = string(raw), ms, ms
	e["@id"] = fmt.Sprintf("%s_%d_%06d", b.h.ID, at.Unix(), len(b.events))
	e["#event_simpleName"], e["#repo"], e["#cid"] = simple, "base_sensor", b.d.o.CID
	b.events = append(b.events, e)
}

// processID is the sensor's own id of a process, which is never used again. It is
// not the id that the operating system gives, which is.
func processID(host string, p *edrtest.Process) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", host, p.PID, p.Start.UnixNano()))
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:8])>>20, 10)
}

// process adds what is told of a process. Its event is of the time of its start; of
// one that ran before the sensor did, of the time of the sensor's start. The product
// tells no signer.
func (b *eventBuilder) process(p *edrtest.Process) {
	id := processID(b.h.ID, p)
	e := event{
		"TargetProcessId": id, "RawProcessId": strconv.FormatInt(p.PID, 10), "SessionId": strconv.Itoa(p.Session),
		"ImageFileName": devicePath(p.Path), "FileName": base(p.Path), "FilePath": strings.TrimSuffix(devicePath(p.Path), base(p.Path)),
		"CommandLine": p.CommandLine, "SHA256HashData": p.SHA256, "UserName": user(p.User), "ProcessStartTime": seconds(p.Start),
	}
	if p.Parent != nil {
		e["ParentProcessId"], e["ParentBaseFileName"] = processID(b.h.ID, p.Parent), base(p.Parent.Path)
	}
	for k, v := range e {
		if v == "" && k != "CommandLine" {
			delete(e, k)
		}
	}
	switch began := b.d.o.SensorStarted; {
	case !p.Start.Before(began):
		b.add(p.Start, "ProcessRollup2", "ProcessRollup2V19", e)
	case p.End.IsZero() || p.End.After(began):
		b.add(began, "SyntheticProcessRollup2", "SyntheticProcessRollup2V10", e)
	}
	if !p.End.IsZero() {
		b.add(p.End, "EndOfProcess", "EndOfProcessV15", event{
			"TargetProcessId": id, "RawProcessId": strconv.FormatInt(p.PID, 10), "ProcessEndTime": seconds(p.End),
		})
	}
	for i, s := range p.Scripts {
		b.script(id, i, s)
	}
}

// script adds the contents of a script. The process is named by ContextProcessId or,
// as queries that people share expect, by TargetProcessId: here by turns. What was
// typed is in the history of the console too.
func (b *eventBuilder) script(process string, i int, s edrtest.Script) {
	sum := sha256.Sum256([]byte(s.Text))
	e := event{"ScriptContent": s.Text, "ScriptContentSource": "1", "ScriptingLanguageId": "4", "ContentSHA256HashData": fmt.Sprintf("%x", sum)}
	if s.Path != "" {
		e["ScriptContentName"] = s.Path
	}
	e[[]string{"ContextProcessId", "TargetProcessId"}[i%2]] = process
	b.add(s.At, "ScriptControlScanInfo", "ScriptControlScanInfoV2", e)
	if s.Path == "" {
		b.add(s.At, "CommandHistory", "CommandHistoryV2", event{"CommandHistory": s.Text, "TargetProcessId": process})
	}
}

// connection adds a connection. The product tells no bytes.
func (b *eventBuilder) connection(c edrtest.Connection) {
	at := ends(b.h, c)
	simple, direction := "NetworkConnect", "0"
	if c.Inbound {
		simple, direction = "NetworkReceiveAccept", "1"
	}
	family := "IP4"
	if ip, err := netip.ParseAddr(at.remote); err == nil && ip.Is6() && !ip.Is4In6() {
		family = "IP6"
	}
	e := event{
		"LocalAddress" + family: at.local, "LocalPort": strconv.Itoa(at.localPort),
		"RemoteAddress" + family: at.remote, "RemotePort": strconv.Itoa(at.remotePort),
		"Protocol": protocol(c.Transport), "ConnectionDirection": direction, "ConnectionFlags": "0", "InContext": "0",
	}
	if c.Process != nil {
		e["ContextProcessId"] = processID(b.h.ID, c.Process)
	}
	b.add(c.At, simple+family, simple+family+"V12", e)
}

// endpoints are the two ends of a connection as the device sees them.
type endpoints struct {
	local, remote         string
	localPort, remotePort int
}

// ends tells which end of a connection is the device's: the one with an address of
// its own, or else, of an inbound one, its destination.
func ends(h edrtest.Host, c edrtest.Connection) endpoints {
	own := func(ip string) bool {
		return slices.ContainsFunc(h.Addresses, func(a edrtest.Address) bool { return a.IP == ip })
	}
	if own(c.DstIP) && !own(c.SrcIP) || c.Inbound && !own(c.SrcIP) {
		return endpoints{c.DstIP, c.SrcIP, c.DstPort, c.SrcPort}
	}
	return endpoints{c.SrcIP, c.DstIP, c.SrcPort, c.DstPort}
}

func protocol(transport string) string {
	switch transport {
	case "tcp":
		return "6"
	case "udp":
		return "17"
	case "icmp":
		return "1"
	}
	return "0"
}

// devicePath writes a path as the sensor does: by the volume, not its letter.
func devicePath(path string) string {
	if len(path) > 2 && path[1] == ':' {
		return `\Device\HarddiskVolume3` + path[2:]
	}
	return path
}

// user is a name without its domain: the sensor tells that elsewhere.
func user(name string) string { return name[strings.LastIndex(name, `\`)+1:] }

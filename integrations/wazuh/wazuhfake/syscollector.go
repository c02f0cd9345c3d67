package wazuhfake

import (
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// openFor is how long a connection is taken to be open: the inventory lists those
// that are.
const openFor = 5 * time.Minute

// scanned is when the inventory was taken.
func (d *Double) scanned(o Options) time.Time {
	if o.ScannedAt.IsZero() {
		return d.world.Now()
	}
	return o.ScannedAt
}

func (d *Double) scan(o Options) document {
	return document{"id": 0, "time": o.date(d.scanned(o))}
}

// inventory answers with a list of what an agent has told of itself. It is what was
// true at the last scan, and says nothing of what was before.
func (d *Double) inventory(o Options, r *http.Request, filters, fields []string, of func(edrtest.Host) []document) (any, *failure) {
	h, f, failed := d.device(o, r, "syscollector:read")
	if f != nil {
		return nil, f
	}
	if failed != nil {
		failed.none = "No syscollector information was returned"
		return failed.document(0), nil
	}
	items := of(h)
	for _, item := range items {
		item["agent_id"] = h.ID
	}
	page, total, f := list(o, r.URL.Query(), items, filters, append(fields, "agent_id", "scan.id", "scan.time"))
	if f != nil {
		return nil, f
	}
	out := outcome{all: "All specified syscollector information was returned", done: page}
	return out.document(total), nil
}

func base(image string) string { return path.Base(strings.ReplaceAll(image, `\`, "/")) }

func (d *Double) processes(o Options, r *http.Request) (any, *failure) {
	filters := []string{"pid", "state", "ppid", "name"}
	fields := []string{"pid", "ppid", "name", "cmd", "argvs", "session", "start_time", "priority", "nlwp", "size", "vm_size", "state"}
	return d.inventory(o, r, filters, fields, func(h edrtest.Host) []document {
		var items []document
		for _, p := range h.Processes {
			at := d.scanned(o)
			if p.Start.After(at) || !p.End.IsZero() && !p.End.After(at) {
				continue
			}
			parent := int64(0)
			if p.Parent != nil {
				parent = p.Parent.PID
			}
			// The id is text, and that of the parent is a number. Who runs a process is
			// not told for Windows.
			items = append(items, document{
				"scan": d.scan(o), "pid": strconv.FormatInt(p.PID, 10), "ppid": parent, "name": base(p.Path), "cmd": p.Path, "argvs": p.CommandLine,
				"session": p.Session, "start_time": p.Start.Unix(), "priority": 8, "nlwp": 4, "size": 1000, "vm_size": 2000,
			})
		}
		return items
	})
}

func (d *Double) ports(o Options, r *http.Request) (any, *failure) {
	filters := []string{"pid", "protocol", "local.ip", "local.port", "remote.ip", "tx_queue", "state", "process"}
	fields := []string{"pid", "protocol", "local.ip", "local.port", "remote.ip", "remote.port", "tx_queue", "rx_queue", "inode", "state", "process"}
	return d.inventory(o, r, filters, fields, func(h edrtest.Host) []document {
		var items []document
		for _, c := range h.Connections {
			at := d.scanned(o)
			if c.At.After(at) || at.Sub(c.At) > openFor {
				continue
			}
			items = append(items, d.port(o, c))
		}
		return items
	})
}

// port is an open port. Windows knows no peer of a UDP socket.
func (d *Double) port(o Options, c edrtest.Connection) document {
	local, remote := document{"ip": c.SrcIP, "port": c.SrcPort}, document{"ip": c.DstIP, "port": c.DstPort}
	if c.Inbound {
		local, remote = remote, local
	}
	item := document{
		"scan": d.scan(o), "protocol": c.Transport, "local": local, "remote": remote, "tx_queue": 0, "rx_queue": 0, "inode": 0, "state": "established",
	}
	if c.Transport == "udp" {
		item["remote"] = document{"ip": "0.0.0.0", "port": 0}
		delete(item, "state")
	}
	if c.Process != nil {
		item["pid"], item["process"] = c.Process.PID, base(c.Process.Path)
	}
	return item
}

func (d *Double) netaddr(o Options, r *http.Request) (any, *failure) {
	fields := []string{"iface", "proto", "address", "broadcast", "netmask"}
	return d.inventory(o, r, fields, fields, func(h edrtest.Host) []document {
		var items []document
		for _, a := range h.Addresses {
			at := d.scanned(o)
			if at.Before(a.From) || !a.To.IsZero() && !at.Before(a.To) {
				continue
			}
			proto := "ipv4"
			if strings.Contains(a.IP, ":") {
				proto = "ipv6"
			}
			items = append(items, document{
				"scan": document{"id": 0}, "iface": "Ethernet", "proto": proto, "address": a.IP, "netmask": "255.255.255.0", "broadcast": "",
			})
		}
		return items
	})
}

// users are the accounts of a device: those that are known here are logged on.
func (d *Double) users(o Options, r *http.Request) (any, *failure) {
	fields := []string{"user.name", "user.full_name", "user.uuid", "user.last_login", "login.status", "login.tty", "login.type", "host_ip", "process_pid"}
	return d.inventory(o, r, nil, fields, func(h edrtest.Host) []document {
		var items []document
		for _, s := range h.Sessions {
			if s.Since.After(d.scanned(o)) {
				continue
			}
			items = append(items, document{
				"scan": d.scan(o), "host_ip": "", "process_pid": 0, "login": document{"status": 1, "tty": "", "type": "active"},
				"user": document{"name": s.User, "full_name": "", "uuid": s.SID, "last_login": s.Since.Unix()},
			})
		}
		return items
	})
}

func (d *Double) os(o Options, r *http.Request) (any, *failure) {
	fields := []string{"hostname", "architecture", "os.name", "os.platform", "os.version", "os.major", "os.minor", "release", "sysname", "version"}
	return d.inventory(o, r, nil, fields, func(h edrtest.Host) []document {
		return []document{{"scan": d.scan(o), "hostname": h.Name, "architecture": "x86_64", "os": osOf(h)}}
	})
}

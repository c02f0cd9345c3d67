package edrtest

import (
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Seen is a device that was just heard of, with an operating system in the product's
// words. It has had its addresses since yesterday.
func Seen(h Host, os string) Host {
	now := time.Now()
	h.OS, h.LastSeen, h.Addresses = os, now, slices.Clone(h.Addresses)
	for i := range h.Addresses {
		h.Addresses[i].From = now.Add(-24 * time.Hour)
	}
	return h
}

// Device is a device as a suite of package contract describes it.
func Device(e incident.Endpoint) Host {
	var h Host
	h.ID, _ = e.ID.Get()
	h.Name, _ = e.Name.Get()
	ips, _ := e.IP.Get()
	for _, ip := range ips {
		h.Addresses = append(h.Addresses, Address{IP: ip})
	}
	return h
}

// Connected is a device that has connections of a suite, each of a process of its own.
func Connected(device incident.Target, connections []incident.Connection) Host {
	h := Host{ID: device.ID(), Name: device.Name()}
	for _, c := range connections {
		p := &Process{Start: c.At.Add(-time.Hour), User: `CORP\anna`, Session: 2}
		p.Path, _ = c.Process.Path.Get()
		p.PID, _ = c.Process.PID.Get()
		h.Processes = append(h.Processes, p)
		h.Connections = append(h.Connections, Connection{At: c.At, Tuple: c.Tuple, Process: p})
	}
	return h
}

// Ran is a device that ran what a suite says, started from a desktop since long before.
func Ran(device incident.Target, executions []incident.Execution) Host {
	h := Host{ID: device.ID(), Name: device.Name()}
	first := time.Now()
	for _, e := range executions {
		if e.At.Before(first) {
			first = e.At
		}
	}
	long := first.Add(-24 * time.Hour)
	logon := &Process{PID: 800, Path: `C:\Windows\System32\userinit.exe`, Start: long}
	desktop := &Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: long, Parent: logon}
	h.Processes = []*Process{logon, desktop}
	for _, e := range executions {
		p := &Process{Start: e.At, Parent: desktop}
		p.Path, _ = e.Process.Path.Get()
		p.PID, _ = e.Process.PID.Get()
		p.CommandLine, _ = e.Process.CommandLine.Get()
		p.User, _ = e.Process.User.Get()
		if text, ok := e.Process.ScriptText.Get(); ok {
			file, _ := e.Process.Script.Get()
			p.Scripts = []Script{{At: e.At, Path: file, Text: text}}
		}
		h.Processes = append(h.Processes, p)
	}
	return h
}

// Sender is the device with an id and a name on which somebody is logged on, and a process
// sends.
func Sender(id, name string) Host {
	now := time.Now().Truncate(time.Millisecond)
	p := &Process{PID: 4001, Path: `C:\Program Files\Tools\sender.exe`, Start: now.Add(-10 * time.Minute), User: `CORP\anna`}
	return Host{
		ID: id, Name: name, Processes: []*Process{p}, Sessions: []Session{{User: "anna", Domain: "CORP", Since: now.Add(-time.Hour)}},
		Connections: []Connection{{At: now.Add(-time.Minute), Process: p, Tuple: incident.Tuple{
			SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
		}}},
	}
}

// EndIf is what a script of ours does that is to end a process, and says: "ended" for one
// that runs with the id and is of the image, and was started within two seconds of a time,
// in milliseconds of Unix time, where that is not 0; "other" for one that is not; and "gone"
// for none.
func (h Host) EndIf(pid int64, image string, started int64) (said string, ends []int64) {
	for _, p := range h.Processes {
		switch {
		case p.PID != pid || !p.End.IsZero():
		case !strings.EqualFold(p.Path, image), started != 0 && max(started-p.Start.UnixMilli(), p.Start.UnixMilli()-started) > 2000:
			return "other", nil
		default:
			return "ended", []int64{pid}
		}
	}
	return "gone", nil
}

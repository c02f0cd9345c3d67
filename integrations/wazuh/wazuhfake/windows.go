package wazuhfake

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// event is an event of Windows: the channel that it is in, and its members.
type event struct {
	channel, provider, id string
	pid                   int64
	at                    time.Time
	rule                  rule
	// data are pairs of a name and a value; those without a value are left out.
	data [][2]string
}

const (
	sysmonChannel     = "Microsoft-Windows-Sysmon/Operational"
	powershellChannel = "Microsoft-Windows-PowerShell/Operational"
)

// windowsEvents are the alerts of what an agent's Windows has recorded.
func (o Options) windowsEvents(h edrtest.Host) []alert {
	var events []event
	for _, p := range h.Processes {
		events = append(events, processCreated(p))
		for _, s := range p.Scripts {
			events = append(events, o.scriptBlocks(p, s)...)
		}
	}
	for _, c := range h.Connections {
		events = append(events, connected(c))
	}
	var out []alert
	for _, e := range events {
		if !o.Missing[e.id] {
			out = append(out, o.windowsAlert(h, e))
		}
	}
	return out
}

func (o Options) windowsAlert(h edrtest.Host, e event) alert {
	data := document{}
	for _, pair := range e.data {
		if pair[1] == "" {
			continue
		}
		name := pair[0]
		if o.Respell != nil {
			name = o.Respell(name)
		}
		data[name] = o.escaped(pair[1])
	}
	computer := h.Name
	if h.Domain != "" {
		computer += "." + h.Domain
	}
	return alertOf(h, e.at, e.rule, "windows_eventchannel", "EventChannel", document{"win": document{
		"system": document{
			"providerName": e.provider, "eventID": e.id, "channel": e.channel, "computer": computer, "level": "4",
			"systemTime": e.at.UTC().Format("2006-01-02T15:04:05.0000000Z"), "processID": strconv.FormatInt(e.pid, 10),
			"severityValue": "INFORMATION",
		},
		"eventdata": data,
	}})
}

// escaped is a value as the index holds it.
func (o Options) escaped(text string) string {
	if o.SingleBackslashes {
		return text
	}
	return strings.ReplaceAll(text, `\`, `\\`)
}

// guid is the id that Sysmon gives a process.
func guid(p *edrtest.Process) string {
	if p == nil {
		return ""
	}
	sum := strings.ToUpper(sumOf(fmt.Sprint(p.PID, p.Path, p.Start)))
	return "{" + sum[:8] + "-" + sum[8:12] + "-" + sum[12:16] + "-" + sum[16:20] + "-" + sum[20:] + "}"
}

func sysmon(id string, p *edrtest.Process, at time.Time, r rule) event {
	e := event{channel: sysmonChannel, provider: "Microsoft-Windows-Sysmon", id: id, pid: 2900, at: at, rule: r}
	e.data = append(e.data, [2]string{"utcTime", at.UTC().Format("2006-01-02 15:04:05.000")})
	if p != nil {
		e.data = append(e.data, [2]string{"processGuid", guid(p)}, [2]string{"processId", strconv.FormatInt(p.PID, 10)},
			[2]string{"image", p.Path}, [2]string{"user", p.User})
	}
	return e
}

// processCreated is Sysmon's event 1. It does not tell who signed an image.
func processCreated(p *edrtest.Process) event {
	e := sysmon("1", p, p.Start, rule{"61603", "Sysmon - Event 1: Process creation", 3, []string{"windows", "sysmon", "sysmon_event1"}})
	e.data = append(e.data, [2]string{"commandLine", p.CommandLine}, [2]string{"terminalSessionId", strconv.Itoa(p.Session)})
	if p.SHA256 != "" {
		e.data = append(e.data, [2]string{"hashes", "SHA256=" + strings.ToUpper(p.SHA256)})
	}
	if p.Parent != nil {
		e.data = append(e.data, [2]string{"parentProcessGuid", guid(p.Parent)}, [2]string{"parentProcessId", strconv.FormatInt(p.Parent.PID, 10)},
			[2]string{"parentImage", p.Parent.Path}, [2]string{"parentCommandLine", p.Parent.CommandLine})
	}
	return e
}

// connected is Sysmon's event 3. The source is who opened the connection. It has no
// bytes.
func connected(c edrtest.Connection) event {
	e := sysmon("3", c.Process, c.At, rule{"61605", "Sysmon - Event 3: Network connection", 3, []string{"windows", "sysmon", "sysmon_event3"}})
	v6 := strconv.FormatBool(strings.Contains(c.SrcIP, ":"))
	e.data = append(e.data, [2]string{"protocol", c.Transport}, [2]string{"initiated", strconv.FormatBool(!c.Inbound)},
		[2]string{"sourceIsIpv6", v6}, [2]string{"sourceIp", c.SrcIP}, [2]string{"sourcePort", strconv.Itoa(c.SrcPort)},
		[2]string{"destinationIsIpv6", v6}, [2]string{"destinationIp", c.DstIP}, [2]string{"destinationPort", strconv.Itoa(c.DstPort)})
	return e
}

// scriptBlocks are PowerShell's events 4104 of one script. A long one is in several,
// which have its id and their number.
func (o Options) scriptBlocks(p *edrtest.Process, s edrtest.Script) []event {
	text, parts := []rune(s.Text), [][]rune{}
	for size := o.BlockSize; size > 0 && len(text) > size; text = text[size:] {
		parts = append(parts, text[:size])
	}
	parts = append(parts, text)
	var events []event
	for i, part := range parts {
		events = append(events, event{
			channel: powershellChannel, provider: "Microsoft-Windows-PowerShell", id: "4104", pid: p.PID, at: s.At.Add(time.Duration(i) * time.Millisecond),
			rule: rule{"91802", "Powershell script block", 3, []string{"windows", "powershell"}},
			data: [][2]string{
				{"messageNumber", strconv.Itoa(i + 1)},
				{"messageTotal", strconv.Itoa(len(parts))},
				{"scriptBlockText", string(part)},
				{"scriptBlockId", guidOfScript(p, s)},
				{"path", s.Path},
			},
		})
	}
	return events
}

func guidOfScript(p *edrtest.Process, s edrtest.Script) string {
	sum := sumOf(fmt.Sprint(p.PID, s.At, s.Text))
	return sum[:8] + "-" + sum[8:12] + "-" + sum[12:16] + "-" + sum[16:20] + "-" + sum[20:]
}

package netqosfake

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Result is what the script left.
type Result struct {
	Exit   int
	Stdout string
}

// Run is the script on a machine, with its arguments as one line.
func (m *Machines) Run(machine, line string) Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := orderOf(line)
	said := map[string]any{
		"stanch": 1, "action": o.action, "name": o.name, "result": "done", "reason": "", "changed": false, "stands": false,
		"differs": false, "bps": 0, "other": false, "otherBps": 0, "competing": 0, "detail": "",
	}
	changed, problem := m.obey(machine, o)
	said["changed"] = changed
	exit := 0
	switch problem {
	case "":
		m.standing(machine, o, said)
	case "readback":
		said["result"], said["reason"], exit = "failed", problem, 2
		m.standing(machine, o, said)
	default:
		said["result"], said["reason"], exit = "refused", problem, 1
	}
	text, err := json.Marshal(said)
	if err != nil {
		return Result{Exit: 1, Stdout: err.Error()}
	}
	out := string(text)
	if m.options.Says != nil {
		out = m.options.Says(out)
	}
	return Result{exit, out + "\r\n"}
}

// obey does what is ordered, and returns whether it has changed something, and why it has
// not done it.
func (m *Machines) obey(machine string, o order) (changed bool, problem string) {
	switch {
	case o.refused != "":
		return false, o.refused
	case !regexp.MustCompile(`^stanch-[0-9a-f]{32}$`).MatchString(o.name):
		return false, "name"
	}
	switch o.action {
	case "verify":
		return false, ""
	case "remove":
		at := m.index(machine, o.name)
		if at < 0 {
			return false, ""
		}
		m.store[machine] = slices.Delete(m.store[machine], at, at+1)
		m.effects++
		return true, ""
	case "apply":
		return m.apply(machine, o)
	}
	return false, "action"
}

func (m *Machines) apply(machine string, o order) (changed bool, problem string) {
	switch {
	case o.until != 0 && m.now().Unix() >= o.until:
		return false, "late"
	case slices.Contains(m.options.Absent, o.want.AppPath):
		return false, "absent"
	case slices.Contains(m.options.Links, o.want.AppPath):
		return false, "link"
	}
	at := m.index(machine, o.name)
	if at < 0 {
		for _, p := range m.store[machine] {
			switch {
			case p.Bps == 0 || !p.sameTraffic(o.want):
			case p.Bps < o.want.Bps+8192:
				return false, ""
			case p.Precedence >= o.want.Precedence:
				return false, "outranked"
			}
		}
		if err := m.add(machine, o.want); err != nil {
			return false, "name"
		}
		m.effects++
		if m.options.Unlike {
			m.store[machine] = slices.Delete(m.store[machine], len(m.store[machine])-1, len(m.store[machine]))
			return true, "readback"
		}
		return true, ""
	}
	own := &m.store[machine][at]
	if own.sameTraffic(o.want) && own.Bps < o.want.Bps+8192 && own.Bps > 0 {
		return false, ""
	}
	*own = m.kept(o.want)
	m.effects++
	return true, ""
}

// standing says what the machine holds of the order's own, and of others on its program.
func (m *Machines) standing(machine string, o order, said map[string]any) {
	competing := 0
	for _, p := range m.store[machine] {
		same := p.sameTraffic(o.want) && o.want.AppPath != ""
		image := o.want.AppPath[strings.LastIndexByte(o.want.AppPath, '\\')+1:]
		switch {
		case strings.EqualFold(p.Name, o.name):
			said["stands"], said["differs"], said["bps"] = same, !same, p.Bps
		case p.Bps == 0 || image == "":
		case same:
			if least, _ := said["otherBps"].(int64); said["other"] == false || p.Bps < least {
				said["otherBps"] = p.Bps
			}
			said["other"] = true
		case strings.EqualFold(p.AppPath, o.want.AppPath) || strings.EqualFold(p.AppPath, image):
			competing++
		}
	}
	said["competing"] = competing
}

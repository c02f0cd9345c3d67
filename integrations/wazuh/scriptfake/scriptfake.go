// Package scriptfake is stanch.ps1 for tests: what the scripts of ours do on the machines
// of Wazuh's agents. It reads and writes what the script does, and is written after the
// script, not after the client.
package scriptfake

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

// isolate is the file that is ordered, and what it calls itself in its lines.
const (
	isolateFile = "stanch-isolate.cmd"
	isolate     = "isolate"
)

// order is what the script reads of its line. All are text, as Wazuh leaves them.
type order struct {
	Verb    string `json:"verb"`
	Agent   string `json:"agent"`
	Key     string `json:"key"`
	Order   string `json:"order"`
	Expires string `json:"expires"`
}

// number is a text as PowerShell's [int64] reads it; empty is 0.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func orderIn(alert any) order {
	var o struct {
		Data struct {
			Stanch order `json:"stanch"`
		} `json:"data"`
	}
	text, err := json.Marshal(alert)
	if err == nil {
		_ = json.Unmarshal(text, &o) // what cannot be read is no order, and refused
	}
	return o.Data.Stanch
}

// kept is what the script keeps from one order to the next.
type kept struct {
	seq, last int64
	isolated  bool
	owner     string
}

// Machines are those of the agents of a world, with the isolating script on each. They are
// safe for concurrent use.
type Machines struct {
	now func() time.Time

	mu  sync.Mutex
	all map[string]*kept
}

// Install puts the script on each machine of a world. What it returns is for
// [wazuhfake.Options].
func Install(w *edrtest.World) map[string]func(wazuhfake.Message) edrtest.Kind {
	m := &Machines{now: w.Now, all: map[string]*kept{}}
	w.OnScript(m.run)
	return map[string]func(wazuhfake.Message) edrtest.Kind{isolateFile: kindOf}
}

// kindOf is what an order does with a machine.
func kindOf(m wazuhfake.Message) edrtest.Kind {
	switch orderIn(m.Alert).Verb {
	case "isolate":
		return edrtest.Isolate
	case "release":
		return edrtest.Release
	}
	return edrtest.RunScript
}

// run is the script's one run on a machine. Its exit code is 0 where the machine is
// afterwards as it was ordered: it alone says so to the world, and to nobody else.
func (m *Machines) run(h edrtest.Host, name, input string) edrtest.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := m.all[h.ID]
	if state == nil {
		state = &kept{}
		m.all[h.ID] = state
	}
	var line struct {
		Parameters struct {
			Alert any `json:"alert"`
		} `json:"parameters"`
	}
	_ = json.Unmarshal([]byte(input), &line) // what cannot be read is no order, and refused
	o := orderIn(line.Parameters.Alert)
	switch {
	case name != isolateFile:
		return edrtest.Result{Exit: 1}
	case o.Agent != h.ID:
		return state.say(o, "other_agent", "", 1)
	case number(o.Order) <= state.last:
		return state.say(o, "stale", "", 1)
	case m.now().UnixMilli() > number(o.Expires):
		return state.say(o, "expired", "", 1)
	}
	state.last = number(o.Order)
	return state.carryOut(o)
}

func (k *kept) carryOut(o order) edrtest.Result {
	switch {
	case o.Verb == "isolate" && k.isolated:
		return k.say(o, "done", "it was isolated before", 0)
	case o.Verb == "isolate":
		k.isolated, k.owner = true, o.Key
		return k.say(o, "done", "", 0)
	case o.Verb == "release" && k.isolated && k.owner != o.Key:
		return k.say(o, "refused", "another isolated it", 1)
	case o.Verb == "release":
		k.isolated, k.owner = false, ""
		return k.say(o, "done", "", 0)
	}
	return k.say(o, "refused", "unknown verb", 1)
}

// say writes the script's line to the log of active responses.
func (k *kept) say(o order, result, detail string, exit int) edrtest.Result {
	k.seq++
	state := "none"
	if k.isolated {
		state = "isolated"
	}
	text, err := json.Marshal(map[string]any{
		"version": 1, "origin": map[string]string{"name": "stanch", "module": "active-response"}, "command": "add",
		"parameters": map[string]any{"extra_args": []string{}, "program": "active-response/bin/" + isolateFile},
		"stanch": map[string]string{
			"script": isolate, "verb": o.Verb, "key": o.Key, "order": o.Order, "result": result, "detail": detail,
			"seq": strconv.FormatInt(k.seq, 10), "state": state, "owner": k.owner,
		},
	})
	if err != nil {
		return edrtest.Result{Exit: 1, Stderr: err.Error()}
	}
	return edrtest.Result{Exit: exit, Stdout: string(text) + "\n"}
}

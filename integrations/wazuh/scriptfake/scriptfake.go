// Package scriptfake is stanch.ps1 for tests: what the scripts of ours do on the machines
// of Wazuh's agents. It reads and writes what the script does, and is written after the
// script, not after the client.
package scriptfake

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

// The parts of the script, each of which has a file that is ordered.
const (
	isolate = "isolate"
	kill    = "kill"
	run     = "run"
)

// partSize is how many bytes of a script's output go into a line.
const partSize = 6000

// order is what the script reads of its line. All are text, as Wazuh leaves them.
type order struct {
	Verb    string   `json:"verb"`
	Agent   string   `json:"agent"`
	Key     string   `json:"key"`
	Order   string   `json:"order"`
	Expires string   `json:"expires"`
	PID     string   `json:"pid"`
	Path    string   `json:"path"`
	Started string   `json:"started"`
	Script  string   `json:"script"`
	Args    []string `json:"args"`
	Open    []string `json:"open"`
}

// number is a text as PowerShell's [int64] reads it; empty is 0.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// message is what holds an order in what the script is told.
type message struct {
	Data struct {
		Stanch order `json:"stanch"`
	} `json:"data"`
}

// kept is what a part of the script keeps on its machine from one order to the next.
type kept struct {
	part      string
	seq, last int64
	isolated  bool
	owner     string
	open      []string
	keys      []string
}

// Scripts are what is in the folder of scripts of each machine: what the one with a name
// does, with its arguments in one text. None is there where it is nil.
type Scripts func(h edrtest.Host, name, args string) edrtest.Result

// Machines are those of the agents of a world. They are safe for concurrent use.
type Machines struct {
	now     func() time.Time
	scripts Scripts

	mu  sync.Mutex
	all map[string]*kept // by machine and part
}

// Install puts the script on each machine of a world.
func Install(w *edrtest.World, scripts Scripts) *Machines {
	m := &Machines{now: w.Now, scripts: scripts, all: map[string]*kept{}}
	w.OnScript(m.run)
	return m
}

// Files are what Wazuh finds on each machine, for [wazuhfake.Options].
func (m *Machines) Files() map[string]func(wazuhfake.Message) edrtest.Kind {
	runs := func(wazuhfake.Message) edrtest.Kind { return edrtest.RunScript }
	return map[string]func(wazuhfake.Message) edrtest.Kind{file(isolate): isolates, file(kill): runs, file(run): runs}
}

// Excepted are the networks that an agent's machine still reaches while it is isolated,
// beside those of its manager.
func (m *Machines) Excepted(agent string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.all[agent+" "+isolate]; k != nil {
		return k.open
	}
	return nil
}

func file(part string) string { return "stanch-" + part + ".cmd" }

// isolates is what an order to the isolating part does with a machine.
func isolates(m wazuhfake.Message) edrtest.Kind {
	var told message
	text, err := json.Marshal(m.Alert)
	if err == nil {
		_ = json.Unmarshal(text, &told) // what cannot be read is no order, and refused
	}
	switch told.Data.Stanch.Verb {
	case "isolate":
		return edrtest.Isolate
	case "release":
		return edrtest.Release
	}
	return edrtest.RunScript
}

// run is one run of a file on a machine. Its exit code tells the world, and nobody else,
// whether the machine is as it was ordered: 0 where it is.
func (m *Machines) run(h edrtest.Host, name, input string) edrtest.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	part := strings.TrimSuffix(strings.TrimPrefix(name, "stanch-"), ".cmd")
	k := m.all[h.ID+" "+part]
	if k == nil {
		k = &kept{part: part}
		m.all[h.ID+" "+part] = k
	}
	var line struct {
		Parameters struct {
			Alert message `json:"alert"`
		} `json:"parameters"`
	}
	_ = json.Unmarshal([]byte(input), &line) // what cannot be read is no order, and refused
	o := line.Parameters.Alert.Data.Stanch
	switch {
	case o.Agent != h.ID:
		return k.say(o, "other_agent", "", 1, nil)
	case number(o.Order) <= k.last:
		return k.say(o, "stale", "", 1, nil)
	case m.now().UnixMilli() > number(o.Expires):
		return k.say(o, "expired", "", 1, nil)
	}
	k.last = number(o.Order)
	switch part {
	case isolate:
		return k.isolate(o)
	case kill:
		return k.kill(h, o)
	}
	return k.run(h, o, m.scripts)
}

func (k *kept) isolate(o order) edrtest.Result {
	switch {
	case o.Verb == "isolate" && k.isolated:
		return k.say(o, "done", "it was isolated before", 0, nil)
	case o.Verb == "isolate":
		k.isolated, k.owner, k.open = true, o.Key, o.Open
		return k.say(o, "done", "", 0, nil)
	case o.Verb == "release" && k.isolated && k.owner != o.Key:
		return k.say(o, "refused", "another isolated it", 1, nil)
	case o.Verb == "release":
		k.isolated, k.owner, k.open = false, "", nil
		return k.say(o, "done", "", 0, nil)
	}
	return k.say(o, "refused", "unknown verb", 1, nil)
}

func (k *kept) kill(h edrtest.Host, o order) edrtest.Result {
	path, err := base64.StdEncoding.DecodeString(o.Path)
	if err != nil {
		return k.say(o, "failed", err.Error(), 1, nil)
	}
	said, ends := h.EndIf(number(o.PID), string(path), number(o.Started))
	r := k.say(o, said, "", 0, nil)
	r.Ends = ends
	return r
}

// run reports the output of a script in parts. Lines of one moment come in any order: the
// last part is the first here.
func (k *kept) run(h edrtest.Host, o order, scripts Scripts) edrtest.Result {
	if slices.Contains(k.keys, o.Key) {
		return edrtest.Result{}
	}
	k.keys = append(k.keys, o.Key)
	if scripts == nil {
		return k.say(o, "refused", "there is no such script", 0, nil)
	}
	r := scripts(h, o.Script, strings.Join(o.Args, " "))
	parts := max(1, (len(r.Stdout)+partSize-1)/partSize)
	var lines []string
	for i := range parts {
		output := r.Stdout[i*partSize : min(len(r.Stdout), (i+1)*partSize)]
		lines = append(lines, k.say(o, "done", "", 0, map[string]string{
			"exit": strconv.Itoa(r.Exit), "part": strconv.Itoa(i + 1), "parts": strconv.Itoa(parts), "output": base64.StdEncoding.EncodeToString([]byte(output)),
		}).Stdout)
	}
	slices.Reverse(lines)
	return edrtest.Result{Stdout: strings.Join(lines, "")}
}

// say writes a line to the log of active responses.
func (k *kept) say(o order, result, detail string, exit int, more map[string]string) edrtest.Result {
	k.seq++
	said := map[string]string{
		"script": k.part, "verb": o.Verb, "key": o.Key, "order": o.Order, "result": result, "detail": detail, "seq": strconv.FormatInt(k.seq, 10),
	}
	if k.part == isolate {
		said["state"], said["owner"] = "none", k.owner
		if k.isolated {
			said["state"] = "isolated"
		}
	}
	for name, value := range more {
		said[name] = value
	}
	text, err := json.Marshal(map[string]any{
		"version": 1, "origin": map[string]string{"name": "stanch", "module": "active-response"}, "command": "add",
		"parameters": map[string]any{"extra_args": []string{}, "program": "active-response/bin/" + file(k.part)}, "stanch": said,
	})
	if err != nil {
		return edrtest.Result{Exit: 1, Stderr: err.Error()}
	}
	return edrtest.Result{Exit: exit, Stdout: string(text) + "\n"}
}

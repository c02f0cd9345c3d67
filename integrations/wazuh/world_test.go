package wazuh

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// idOf is Wazuh's form of a device id of the suites.
func idOf(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return fmt.Sprintf("1%08d", h.Sum32()%100_000_000)
}

// site is a double of Wazuh behind servers that fail on command, a client of it, and the
// machines on which our scripts are.
type site struct {
	*Client
	world            *edrtest.World
	double           *wazuhfake.Double
	manager, indexer *faulty.Server
	machines         *machines
}

// opener opens sites whose traffic is judged by the descriptions of Wazuh's API and of its
// indexer's, which are loaded once.
type opener struct{ manager, indexer *apispec.Spec }

func judged(t testing.TB) opener {
	t.Helper()
	return opener{apispec.Load(t, "wazuh"), apispec.Load(t, "elasticsearch")}
}

func (d opener) open(t testing.TB, o wazuhfake.Options, change ...func(*Config)) *site {
	t.Helper()
	x := &site{world: edrtest.New(t, time.Now), machines: &machines{all: map[string]*machine{}}}
	o.Password, o.IndexPassword = "the-secret", "the-other-secret"
	o.PerMinute = 100_000
	o.Scripts = map[string]func(wazuhfake.Message) edrtest.Kind{
		isolateCommand[1:]: isolates, killCommand[1:]: neither, runCommand[1:]: neither,
	}
	x.double = wazuhfake.New(t, x.world, o)
	x.world.OnScript(x.machines.run)
	x.manager = faulty.New(t, d.manager.Handler(t, x.double.Handler()))
	ordering := func(r *http.Request) bool { return r.Method == http.MethodPut }
	x.manager.LoseOnly(ordering)
	indexer := x.double.Indexer()
	if d.indexer != nil {
		indexer = d.indexer.Handler(t, indexer)
	}
	x.indexer = faulty.New(t, indexer)
	x.indexer.LoseOnly(ordering)
	config := Config{
		URL: x.manager.URL(), User: "stanch", Password: "the-secret", IndexerURL: x.indexer.URL(), IndexerUser: "stanch", IndexerPassword: "the-other-secret",
		Index: defaultIndex, Access: httpx.Access{Timeout: 10 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	x.Client = c
	return x
}

// fail makes both parts of the product fail. What fails has a token already: fetching one is
// tried in package httpx.
func (x *site) fail(t testing.TB, f contract.Fault) {
	t.Helper()
	if _, err := x.Client.manager.tokens.Get(context.WithoutCancel(t.Context())); err != nil && f != contract.Works {
		t.Fatal(err)
	}
	x.manager.Break(f)
	x.indexer.Break(f)
}

// edr is for the suites.
func (x *site) edr(t testing.TB) contract.EDR {
	t.Helper()
	return contract.EDR{Knobs: knobs(), World: x.world, OS: "Microsoft Windows 10 Pro", Break: func(f contract.Fault) { x.fail(t, f) }}
}

// add adds a device.
func (x *site) add(h edrtest.Host) { x.world.Add(edrtest.Seen(h, "Microsoft Windows 10 Pro")) }

func target(t testing.TB, id string) incident.Target { t.Helper(); return knobs().Target(t, id) }

func sending() edrtest.Host { return edrtest.Sender(idOf("ws-042"), "ws-042") }

// orderIn is our order in what a script gets.
func orderIn(alert any) order {
	var o struct {
		Data struct {
			Stanch order `json:"stanch"`
		} `json:"data"`
	}
	text, _ := json.Marshal(alert)
	_ = json.Unmarshal(text, &o)
	return o.Data.Stanch
}

func isolates(m wazuhfake.Message) edrtest.Kind {
	if orderIn(m.Alert).Verb == verbRelease {
		return edrtest.Release
	}
	return edrtest.Isolate
}

func neither(wazuhfake.Message) edrtest.Kind { return "" }

// machines do what our scripts do on the machines of a world.
type machines struct {
	mu  sync.Mutex
	all map[string]*machine
}

// machine is what a script of ours keeps on its machine.
type machine struct {
	isolated bool
	open     []string
	owner    string
	last     int64
	seq      int
}

func (m *machines) run(h edrtest.Host, name, input string) edrtest.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	var got struct {
		Parameters struct {
			Alert any `json:"alert"`
		} `json:"parameters"`
	}
	if err := json.Unmarshal([]byte(input), &got); err != nil {
		return edrtest.Result{Exit: 2}
	}
	o := orderIn(got.Parameters.Alert)
	if o.Agent != h.ID {
		return edrtest.Result{Exit: 2, Stdout: "{}"}
	}
	switch name {
	case isolateCommand[1:]:
		return m.isolate(h.ID, o)
	case killCommand[1:]:
		return kill(h, o)
	}
	return run(h, o)
}

// saying is what a script writes to the log.
func saying(o order, script string, more map[string]any) string {
	line := map[string]any{"script": script, "verb": o.Verb, "key": o.Key, "order": o.Number}
	for name, value := range more {
		line[name] = value
	}
	text, _ := json.Marshal(map[string]any{"version": 1, "command": "add", "stanch": line})
	return string(text) + "\n"
}

func (m *machines) isolate(id string, o order) edrtest.Result {
	x := m.all[id]
	if x == nil {
		x = &machine{}
		m.all[id] = x
	}
	x.seq++
	number, _ := strconv.ParseInt(o.Number, 10, 64)
	result, exit := "done", 0
	switch {
	case number <= x.last:
		result, exit = "stale", 1
	case o.Verb == verbRelease && x.isolated && x.owner != o.Key:
		result, exit = "refused", 1
	case o.Verb == verbRelease:
		x.isolated, x.owner, x.open = false, "", nil
	case !x.isolated:
		x.isolated, x.owner, x.open = true, o.Key, o.Open
	}
	x.last = max(x.last, number)
	state := "none"
	if x.isolated {
		state = "isolated"
	}
	return edrtest.Result{Exit: exit, Stdout: saying(o, isolateScript, map[string]any{"result": result, "state": state, "owner": x.owner, "seq": x.seq})}
}

// excepted are the networks that an isolated machine still reaches.
func (m *machines) excepted(id string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x := m.all[id]; x != nil {
		return x.open
	}
	return nil
}

func kill(h edrtest.Host, o order) edrtest.Result {
	pid, _ := strconv.ParseInt(o.PID, 10, 64)
	started, _ := strconv.ParseInt(o.Started, 10, 64)
	path, _ := base64.StdEncoding.DecodeString(o.Path)
	said, ends := h.EndIf(pid, string(path), started)
	return edrtest.Result{Stdout: saying(o, killScript, map[string]any{"result": said}), Ends: ends}
}

// run reports the output of a script in parts, the last one first.
func run(h edrtest.Host, o order) edrtest.Result {
	const size = 6000
	r := contract.Printer(h, o.Script, strings.Join(o.Args, " "))
	var lines []string
	total := (len(r.Stdout) + size - 1) / size
	for i := range total {
		part := r.Stdout[i*size : min(len(r.Stdout), (i+1)*size)]
		lines = append(lines, saying(o, runScript, map[string]any{
			"result": "done", "exit": r.Exit, "part": i + 1, "parts": total, "output": base64.StdEncoding.EncodeToString([]byte(part)),
		}))
	}
	slices.Reverse(lines)
	return edrtest.Result{Stdout: strings.Join(lines, "")}
}

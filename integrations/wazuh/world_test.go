package wazuh

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/wazuh/scriptfake"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// idOf is Wazuh's form of a device id of the suites.
func idOf(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return fmt.Sprintf("1%08d", h.Sum32()%100_000_000)
}

// site is a double of Wazuh behind servers that fail on command, with our scripts on its
// agents, and a client of it.
type site struct {
	*Client
	world            *edrtest.World
	double           *wazuhfake.Double
	manager, indexer *faulty.Server
	machines         *scriptfake.Machines
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
	x := &site{world: edrtest.New(t, time.Now)}
	o.Password, o.IndexPassword = "the-secret", "the-other-secret"
	o.PerMinute = 100_000
	x.machines = scriptfake.Install(x.world, contract.Printer)
	o.Scripts = x.machines.Files()
	x.double = wazuhfake.New(t, x.world, o)
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

// byHand has somebody order a script of ours, without a client.
func (x *site) byHand(id, command string, kind edrtest.Kind, o order) {
	o.Agent = id
	if o.Expires == "" {
		o.Expires = strconv.FormatInt(time.Now().Add(carriedOutWithin).UnixMilli(), 10)
	}
	text, _ := json.Marshal(map[string]any{"parameters": map[string]any{"alert": map[string]any{"data": map[string]any{"stanch": o}}}})
	x.world.CarryOut(x.world.Order(edrtest.Action{Kind: kind, Host: id, By: "somebody", Script: command[1:], Input: string(text)}).ID)
}

package wazuh

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/wazuh/scriptfake"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

// partOf is the part of the manager's API that a request is for.
func partOf(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/security/user/authenticate") {
		return "login"
	}
	return "manager"
}

// faultsWorld is a Wazuh of which each part can fail, with two agents.
func faultsWorld(t testing.TB, o wazuhfake.Options, k contract.Knobs, change ...func(*Config)) contract.FaultsWorld {
	t.Helper()
	world, front := edrtest.New(t, time.Now), faulty.NewFront(t)
	if o.Password == "" {
		o.Password = "the-secret"
	}
	if o.IndexPassword == "" {
		o.IndexPassword = "the-other-secret"
	}
	o.PerMinute = 100_000
	o.Scripts = scriptfake.Install(world, contract.Printer).Files()
	double := wazuhfake.New(t, world, o)
	config := Config{
		URL: front.Serve(partOf, double.Handler()), User: "stanch", Password: "the-secret",
		IndexerURL:  front.Serve(func(*http.Request) string { return "indexer" }, double.Indexer()),
		IndexerUser: "stanch", IndexerPassword: "the-other-secret", Index: defaultIndex, Access: httpx.Access{Timeout: 20 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	e := contract.EDR{Knobs: k, World: world, OS: "Microsoft Windows 10 Pro"}
	return e.Faults(t, front, "print", func() any {
		c, err := Open(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		c.poll = time.Millisecond
		return c
	})
}

func orders(s contract.Sent) bool { return s.Part == "manager" && s.Method == http.MethodPut }

func TestFaults(t *testing.T) {
	contract.Faults(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"login", "manager", "indexer"}, Login: "login", Orders: orders, Cures: []string{"password"},
		Waits: "the manager keeps no orders: whether one was sent is told by the agent's script alone",
		Open:  func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, wazuhfake.Options{}, knobs()) },
	})
}

// named are the agents of an order: in the address, and in what our script gets.
func named(s contract.Sent) []string {
	u, err := url.Parse(s.Target)
	var body activeResponse
	if err != nil || json.Unmarshal(s.Body, &body) != nil {
		return nil
	}
	ids := u.Query()["agents_list"]
	if len(ids) != 1 || len(u.Query()) != 1 || body.Alert.Data.Stanch.Agent != ids[0] {
		return nil
	}
	return ids
}

func TestTargets(t *testing.T) {
	near := knobs()
	near.ID = func(id string) string { return map[string]string{"ws-042": "104", "ws-0421": "1042"}[id] }
	for name, k := range map[string]contract.Knobs{"apart": knobs(), "one begins the other": near} {
		t.Run(name, func(t *testing.T) {
			contract.Targets(t, contract.FaultsHarness{
				Knobs: k, Orders: orders, Names: named,
				Open: func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, wazuhfake.Options{}, k) },
			})
		})
	}
}

// badCredentials are managers and indexers whose passwords do not serve.
func badCredentials() []contract.BadCredential {
	open := func(o wazuhfake.Options, change ...func(*Config)) func(testing.TB) contract.FaultsWorld {
		return func(t testing.TB) contract.FaultsWorld {
			t.Helper()
			return faultsWorld(t, o, knobs(), change...)
		}
	}
	all := []string{"*:*:*"}
	return []contract.BadCredential{
		{
			Name: "the password is wrong", Open: open(wazuhfake.Options{Password: "another"}), Says: []string{"user and password"}, Finds: []string{"user and password"},
			Fails: contract.Each(integrations.Denied),
		},
		{
			Name: "the indexer's password is wrong", Open: open(wazuhfake.Options{IndexPassword: "another"}), Says: []string{"indexer_password"}, Finds: []string{"indexer_password"},
			Fails: map[string]integrations.Kind{"read": integrations.Denied, "apply": integrations.Denied, "run": integrations.Denied, "connections": integrations.Denied},
		},
		{
			Name: "a right is missing", Open: open(wazuhfake.Options{Rights: map[string][]string{readAgents: all, readInventory: all}}),
			Fails: map[string]integrations.Kind{"apply": integrations.Denied, "run": integrations.Denied, "kill": integrations.Denied},
			Finds: []string{"lacks active-response:command"},
		},
		contract.ClockOff(open(wazuhfake.Options{}), func(c *Client, now func() time.Time) { c.now = now }),
	}
}

func TestCredentials(t *testing.T) {
	contract.Credentials(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"login", "manager", "indexer"}, Login: "login",
		Open: func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, wazuhfake.Options{}, knobs()) },
	}, badCredentials())
}

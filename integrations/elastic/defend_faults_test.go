package elastic

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// faultsWorld is a deployment of which each part can fail, with two devices.
func faultsWorld(t testing.TB, o defendfake.Options, change ...func(*DefendConfig)) contract.FaultsWorld {
	t.Helper()
	world, front := edrtest.New(t, time.Now), faulty.NewFront(t)
	double := defendfake.New(t, world, o)
	config, ok := DefendSpec().NewConfig().(*DefendConfig)
	if !ok {
		t.Fatal("the configuration is of another type")
	}
	part := func(name string) func(*http.Request) string { return func(*http.Request) string { return name } }
	config.URL, config.Elasticsearch = front.Serve(part("kibana"), double.Kibana()), front.Serve(part("elasticsearch"), double.Elasticsearch())
	config.APIKey, config.Access = integrations.Secret(defendfake.Administrator().Key), httpx.Access{Timeout: 20 * time.Second}
	for _, f := range change {
		f(config)
	}
	world.OnScript(func(h edrtest.Host, command, _ string) edrtest.Result {
		args, ours := strings.CutPrefix(command, `powershell.exe -NoProfile -NonInteractive -File C:\ProgramData\Stanch\print.ps1`)
		if !ours {
			return edrtest.Result{Exit: 1, Stderr: "not found: " + command}
		}
		return contract.Printer(h, "", args)
	})
	e := contract.EDR{Knobs: defendKnobs(), World: world, OS: "Windows 10 Pro"}
	return e.Faults(t, front, "print.ps1", func() any {
		c, err := OpenDefend(*config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		c.poll = time.Millisecond
		return c
	})
}

func defendOrders(s contract.Sent) bool {
	return s.Part == "kibana" && s.Method == http.MethodPost && strings.Contains(s.Target, "/api/endpoint/action/")
}

func TestDefendFaults(t *testing.T) {
	contract.Faults(t, contract.FaultsHarness{
		Knobs: defendKnobs(), Parts: []string{"kibana", "elasticsearch"}, Orders: defendOrders, Cures: []string{"api_key"},
		Cuts: "an answer has the first part of an output, and a file all of it",
		Open: func(t testing.TB) contract.FaultsWorld {
			return faultsWorld(t, defendfake.Options{})
		},
	})
}

// named are the devices in the body of an order.
func named(s contract.Sent) []string {
	var body struct {
		IDs []string `json:"endpoint_ids"`
	}
	if json.Unmarshal(s.Body, &body) != nil {
		return nil
	}
	return body.IDs
}

func TestDefendTargets(t *testing.T) {
	contract.Targets(t, contract.FaultsHarness{
		Knobs: defendKnobs(), Orders: defendOrders, Names: named,
		Open: func(t testing.TB) contract.FaultsWorld {
			return faultsWorld(t, defendfake.Options{})
		},
	})
}

// badCredentials are deployments whose keys do not serve.
func badCredentials() []contract.BadCredential {
	const another = "YW5vdGhlcjpvbmUtdGhhdC1pcy1ub3QtdGhlcmU="
	open := func(c defendfake.Credential, change ...func(*DefendConfig)) func(testing.TB) contract.FaultsWorld {
		return func(t testing.TB) contract.FaultsWorld {
			t.Helper()
			return faultsWorld(t, defendfake.Options{Credentials: []defendfake.Credential{c}}, change...)
		}
	}
	expired, reader := defendfake.Administrator(), defendfake.Administrator()
	expired.Expires = time.Now().Add(-time.Hour)
	reader.Privileges = []string{defendfake.SecuritySolution, defendfake.ActionsLog}
	all := map[string]integrations.Kind{"read": integrations.Denied, "apply": integrations.Denied, "run": integrations.Denied, "connections": integrations.Denied}
	return []contract.BadCredential{
		{Name: "the key has expired", Open: open(expired), Fails: all, Says: []string{"api_key"}, Finds: []string{"api_key"}},
		{
			Name: "the key is wrong", Open: open(defendfake.Administrator(), func(c *DefendConfig) { c.APIKey = another }),
			Fails: all, Says: []string{"api_key"}, Finds: []string{"api_key"},
		},
		{
			Name: "the key of Elasticsearch is wrong", Open: open(defendfake.Administrator(), func(c *DefendConfig) { c.ElasticsearchKey = another }),
			Fails: map[string]integrations.Kind{"connections": integrations.Denied, "kill": integrations.Denied},
			Says:  []string{"elasticsearch_api_key"}, Finds: []string{"network_indices", "elasticsearch_api_key"},
		},
		{
			Name: "a privilege is missing", Open: open(reader), Says: []string{"privileges"},
			Fails: map[string]integrations.Kind{"apply": integrations.Denied, "run": integrations.Denied, "kill": integrations.Denied},
		},
		contract.ClockOff(open(defendfake.Administrator()), func(c *Defend, now func() time.Time) { c.now = now }),
	}
}

func TestDefendCredentials(t *testing.T) {
	contract.Credentials(t, contract.FaultsHarness{
		Knobs: defendKnobs(), Parts: []string{"kibana", "elasticsearch"},
		Open: func(t testing.TB) contract.FaultsWorld {
			return faultsWorld(t, defendfake.Options{})
		},
	}, badCredentials())
}

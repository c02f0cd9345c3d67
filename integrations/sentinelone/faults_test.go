package sentinelone

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

// partOf is the part of SentinelOne's that a request is for.
func partOf(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/sdl/") {
		return "lake"
	}
	return "console"
}

// faultsWorld is a console of which each part can fail, with two devices.
func faultsWorld(t testing.TB, o sentinelonefake.Options, k contract.Knobs, change ...func(*Config)) contract.FaultsWorld {
	t.Helper()
	world, front := edrtest.New(t, time.Now), faulty.NewFront(t)
	o.Unlimited = true
	if o.Token == "" {
		o.Token = secret
	}
	o.Scripts = []sentinelonefake.Script{{ID: "5000001", Name: "print.ps1"}, {ID: "5000003", Name: killScript}}
	double := sentinelonefake.New(t, world, o)
	double.ServeStore(func(h http.Handler) string { return front.Serve(func(*http.Request) string { return "storage" }, h) })
	config := Config{
		URL: front.Serve(partOf, double.Handler()), Token: secret, Identifier: Refuse, Downloads: []string{"127.0.0.1"}, Access: httpx.Access{Timeout: 20 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	kill := edrtest.Killing(killScript)
	world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
		if name == killScript {
			return kill(h, name, input)
		}
		return edrtest.Result{Stdout: contract.Printer(h, name, input).Stdout}
	})
	e := contract.EDR{Knobs: k, World: world, OS: "Windows 11"}
	return e.Faults(t, front, "print.ps1", func() any {
		c, err := open(config, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		c.poll = time.Millisecond
		return c
	})
}

func orders(s contract.Sent) bool {
	return strings.HasSuffix(s.Target, "/execute") || strings.Contains(s.Target, "/agents/actions/")
}

func TestFaults(t *testing.T) {
	contract.Faults(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"console", "lake", "storage"}, Storage: "storage", Orders: orders, Cures: []string{"token"},
		// The end of a query, for which nobody waits.
		Needless: func(s contract.Sent) bool { return s.Method == http.MethodDelete },
		Forgets:  "SentinelOne lists the tasks of scripts by ids that only the answer to the order tells",
		Open:     func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, sentinelonefake.Options{}, knobs()) },
	})
}

// named are the devices in the filter of an order.
func named(s contract.Sent) []string {
	var body struct {
		Filter map[string][]string `json:"filter"`
	}
	if json.Unmarshal(s.Body, &body) != nil || len(body.Filter) != 1 {
		return nil
	}
	return body.Filter["ids"]
}

func TestTargets(t *testing.T) {
	near := knobs()
	near.ID = func(id string) string {
		return map[string]string{"ws-042": "605445856848499088", "ws-0421": "6054458568484990881"}[id]
	}
	for name, k := range map[string]contract.Knobs{"apart": knobs(), "one begins the other": near} {
		t.Run(name, func(t *testing.T) {
			contract.Targets(t, contract.FaultsHarness{
				Knobs: k, Orders: orders, Names: named,
				Open: func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, sentinelonefake.Options{}, k) },
			})
		})
	}
}

// badCredentials are consoles whose token does not serve.
func badCredentials() []contract.BadCredential {
	open := func(o sentinelonefake.Options, change ...func(*Config)) func(testing.TB) contract.FaultsWorld {
		return func(t testing.TB) contract.FaultsWorld {
			t.Helper()
			return faultsWorld(t, o, knobs(), change...)
		}
	}
	return []contract.BadCredential{
		{
			Name: "the token is wrong, or was taken back", Open: open(sentinelonefake.Options{Token: "another"}),
			Fails: contract.Each(integrations.Denied), Says: []string{"token"}, Finds: []string{"token is of this console"},
		},
		{
			Name: "the token has ended", Open: open(sentinelonefake.Options{Expires: time.Now().Add(-time.Hour)}),
			Fails: contract.Each(integrations.Denied), Says: []string{"token"}, Finds: []string{"has not ended"},
		},
		{
			Name: "the token ends soon", Open: open(sentinelonefake.Options{Expires: time.Now().Add(48 * time.Hour)}),
			Finds: []string{"the token is good until", "make a new token"},
		},
		{
			Name: "the address is that of another server", Fails: contract.Each(integrations.Unavailable), Says: []string{"check url"}, Finds: []string{"check url"},
			Open: func(t testing.TB) contract.FaultsWorld {
				other := httptest.NewServer(http.NotFoundHandler())
				t.Cleanup(other.Close)
				return open(sentinelonefake.Options{}, func(c *Config) { c.URL = other.URL })(t)
			},
		},
		{
			Name: "a permission is missing", Open: open(sentinelonefake.Options{Permissions: []string{"Endpoints.view"}}),
			Fails: map[string]integrations.Kind{"apply": integrations.Denied, "run": integrations.Denied},
			Says:  []string{"the role of its service user"}, Finds: []string{"Remote Script Orchestration.view", "role"},
		},
		contract.ClockOff(open(sentinelonefake.Options{}), func(c *Client, now func() time.Time) { c.now = now }),
	}
}

func TestCredentials(t *testing.T) {
	contract.Credentials(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"console", "lake", "storage"}, Storage: "storage",
		Open: func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, sentinelonefake.Options{}, knobs()) },
	}, badCredentials())
}

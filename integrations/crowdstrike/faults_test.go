package crowdstrike

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// partOf is the part of Falcon's that a request is for.
func partOf(r *http.Request) string {
	switch {
	case strings.HasPrefix(r.URL.Path, "/oauth2/"):
		return "login"
	case strings.HasPrefix(r.URL.Path, "/humio/"):
		return "search"
	}
	return "api"
}

// credentials are those of the client, and of who uploads scripts.
func credentials() []falconfake.Credential {
	return []falconfake.Credential{{ID: "client", Secret: "the-secret"}, {ID: "client", Secret: "secret"}}
}

// faultsWorld is a customer of whom each part can fail, with two devices.
func faultsWorld(t testing.TB, o falconfake.Options, change ...func(*Config)) contract.FaultsWorld {
	t.Helper()
	world, front := edrtest.New(t, time.Now), faulty.NewFront(t)
	if o.Credentials == nil {
		o.Credentials = credentials()
	}
	double := falconfake.New(t, world, o)
	config := Config{
		ClientID: "client", ClientSecret: "the-secret", Cloud: "us-1", Repository: defaultRepository, URL: front.Serve(partOf, double.Handler()),
		Access: httpx.Access{Timeout: 20 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	world.OnScript(contract.Printer)
	if o.Elsewhere == "" {
		(&tenant{judged: double.Handler()}).upload(t, "print")
	}
	e := contract.EDR{Knobs: knobs(), World: world, OS: "Windows 11"}
	return e.Faults(t, front, "print", func() any {
		f, err := open(config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	})
}

func ordersOn(s contract.Sent) bool {
	ordering := []string{active.path(), admin.path(), "/devices/entities/devices-actions/v2", tagsPath}
	return s.Method != http.MethodGet && slices.ContainsFunc(ordering, func(path string) bool { return strings.HasPrefix(s.Target, path) })
}

func TestFaults(t *testing.T) {
	contract.Faults(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"login", "api", "search"}, Login: "login", Orders: ordersOn, Cures: []string{"client_secret"},
		// Whether it is online, and the ends of sessions and searches, for which nobody waits.
		Needless: func(s contract.Sent) bool { return s.Method == http.MethodDelete },
		Open: func(t testing.TB) contract.FaultsWorld {
			return faultsWorld(t, falconfake.Options{Polls: -1})
		},
	})
}

// named are the devices in the body of an order.
func named(s contract.Sent) []string {
	var body struct {
		IDs     []string `json:"ids"`
		Devices []string `json:"device_ids"`
		Device  string   `json:"device_id"`
	}
	if json.Unmarshal(s.Body, &body) != nil {
		return nil
	}
	if body.Device != "" {
		body.Devices = append(body.Devices, body.Device)
	}
	return append(body.IDs, body.Devices...)
}

func TestTargets(t *testing.T) {
	contract.Targets(t, contract.FaultsHarness{
		Knobs: knobs(), Orders: ordersOn, Names: named,
		Open: func(t testing.TB) contract.FaultsWorld {
			return faultsWorld(t, falconfake.Options{Polls: -1})
		},
	})
}

// badCredentials are customers whose credentials do not serve.
func badCredentials() []contract.BadCredential {
	open := func(o falconfake.Options, change ...func(*Config)) func(testing.TB) contract.FaultsWorld {
		return func(t testing.TB) contract.FaultsWorld {
			t.Helper()
			o.Polls = -1
			return faultsWorld(t, o, change...)
		}
	}
	reads := []falconfake.Credential{{ID: "client", Secret: "the-secret", Scopes: []string{"devices:read"}}, {ID: "client", Secret: "secret"}}
	return []contract.BadCredential{
		{
			Name: "the secret is wrong, or was taken back", Open: open(falconfake.Options{}, func(c *Config) { c.ClientSecret = "another" }),
			Fails: contract.Each(integrations.Denied), Says: []string{"client_secret", "cloud"}, Finds: []string{"client_secret"},
		},
		{
			Name: "the cloud is another one, which gives a token", Open: open(falconfake.Options{Elsewhere: "us-2"}),
			Fails: contract.Each(integrations.Denied), Says: []string{"write cloud: us-2"}, Finds: []string{"write cloud: us-2"},
		},
		{
			Name: "the cloud is another one, which redirects", Open: open(falconfake.Options{Elsewhere: "eu-1", Redirects: true}),
			Fails: contract.Each(integrations.Invalid), Says: []string{"write cloud: eu-1"}, Finds: []string{"write cloud: eu-1"},
		},
		{
			Name: "a scope is missing", Open: open(falconfake.Options{Credentials: reads}),
			Fails: map[string]integrations.Kind{"apply": integrations.Denied, "run": integrations.Denied, "connections": integrations.Denied},
			Says:  []string{"scopes"}, Finds: []string{"NGSIEM: read and write", "scopes"},
		},
		contract.ClockOff(open(falconfake.Options{}), func(f *Falcon, now func() time.Time) { f.now = now }),
	}
}

func TestCredentials(t *testing.T) {
	contract.Credentials(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"login", "api", "search"}, Login: "login",
		Open: func(t testing.TB) contract.FaultsWorld {
			return faultsWorld(t, falconfake.Options{Polls: -1})
		},
	}, badCredentials())
}

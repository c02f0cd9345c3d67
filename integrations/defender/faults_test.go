package defender

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// partOf is the part of Microsoft's that a request is for.
func partOf(r *http.Request) string {
	switch {
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		return "login"
	case strings.HasPrefix(r.URL.Path, "/v1.0/"):
		return "graph"
	}
	return "api"
}

// fronted is a tenant of which each part can fail.
type fronted struct {
	world  *edrtest.World
	double *defenderfake.Double
	front  *faulty.Front
	config Config
}

func frontedOf(t testing.TB, o defenderfake.Options, change ...func(*Config)) fronted {
	t.Helper()
	x := fronted{world: edrtest.New(t, time.Now), front: faulty.NewFront(t)}
	if o.ClientSecret == "" {
		o.ClientSecret = "the-secret"
	}
	o.Unlimited = true
	x.double = defenderfake.New(t, x.world, o)
	address := x.front.Serve(partOf, x.double.Handler())
	storage := x.front.Serve(func(*http.Request) string { return "storage" }, x.double.Storage())
	x.double.SetStorageURL(storage)
	x.config = Config{
		Tenant: x.double.Tenant, ClientID: x.double.ClientID, ClientSecret: "the-secret", Downloads: []string{strings.TrimPrefix(storage, "http://")},
		URL: address, GraphURL: address, LoginURL: address, Access: httpx.Access{Timeout: 20 * time.Second},
	}
	for _, f := range change {
		f(&x.config)
	}
	return x
}

func (x fronted) open(t testing.TB) *Client {
	t.Helper()
	c, err := Open(x.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	return c
}

func faultsWorld(t testing.TB, o defenderfake.Options, change ...func(*Config)) contract.FaultsWorld {
	t.Helper()
	x := frontedOf(t, o, change...)
	kill := edrtest.Killing(killScript)
	x.world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
		if name == killScript {
			return kill(h, name, input)
		}
		return contract.Printer(h, name, input)
	})
	if o.ClientSecret == "" {
		for _, name := range []string{"print.ps1", killScript} {
			(&tenant{Client: x.open(t), double: x.double}).upload(t, name)
		}
	}
	e := contract.EDR{Knobs: knobs(), World: x.world, OS: "Windows 10"}
	return e.Faults(t, x.front, "print.ps1", func() any { return x.open(t) })
}

func orders(s contract.Sent) bool {
	return s.Part == "api" && s.Method == http.MethodPost
}

func TestFaults(t *testing.T) {
	contract.Faults(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"login", "api", "graph", "storage"}, Login: "login", Storage: "storage", Orders: orders,
		Cures: []string{"client_id"},
		Open:  func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, defenderfake.Options{}) },
	})
}

// named is the device in the path of an order.
func named(s contract.Sent) []string {
	id, _, ok := strings.Cut(strings.TrimPrefix(s.Target, "/api/machines/"), "/")
	if !ok || !strings.HasPrefix(s.Target, "/api/machines/") {
		return nil
	}
	return []string{id}
}

func TestTargets(t *testing.T) {
	contract.Targets(t, contract.FaultsHarness{
		Knobs: knobs(), Orders: orders, Names: named,
		Open: func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, defenderfake.Options{}) },
	})
}

// badCredentials are tenants whose credentials do not serve.
func badCredentials() []contract.BadCredential {
	open := func(o defenderfake.Options, change ...func(*Config)) func(testing.TB) contract.FaultsWorld {
		return func(t testing.TB) contract.FaultsWorld {
			t.Helper()
			o.ClientSecret = "the-secret"
			x := frontedOf(t, o, change...)
			e := contract.EDR{Knobs: knobs(), World: x.world, OS: "Windows 10"}
			return e.Faults(t, x.front, "print.ps1", func() any { return x.open(t) })
		}
	}
	return []contract.BadCredential{
		{
			Name: "the secret has expired", Open: open(defenderfake.Options{SecretExpired: true}), Fails: contract.Each(integrations.Denied),
			Says: []string{"AADSTS7000222", "make a new one"}, Finds: []string{"the client secret has expired"},
		},
		{
			Name: "the secret is wrong", Open: open(defenderfake.Options{}, func(c *Config) { c.ClientSecret = "the-other-secret" }), Fails: contract.Each(integrations.Denied),
			Says: []string{"AADSTS7000215"}, Finds: []string{"the client secret is wrong"},
		},
		{
			Name: "the tenant is another one", Open: open(defenderfake.Options{}, func(c *Config) { c.Tenant = "00000000-0000-4000-8000-000000000001" }),
			Fails: contract.Each(integrations.Invalid), Says: []string{"AADSTS90002", "tenant"}, Finds: []string{"there is no such tenant in this cloud"},
		},
		{
			Name: "the application is of another tenant", Open: open(defenderfake.Options{}, func(c *Config) { c.ClientID = "00000000-0000-4000-8000-000000000001" }),
			Fails: contract.Each(integrations.Denied), Says: []string{"AADSTS700016", "client_id"}, Finds: []string{"the tenant has no such application"},
		},
		{
			Name: "a right is missing", Open: open(defenderfake.Options{Roles: []string{readMachines}, GraphRoles: []string{}}),
			Fails: map[string]integrations.Kind{"apply": integrations.Denied, "run": integrations.Denied, "connections": integrations.Denied},
			Says:  []string{"the application's permissions"}, Finds: []string{"lacks " + isolate, "administrator"},
		},
		contract.ClockOff(open(defenderfake.Options{}), func(c *Client, now func() time.Time) { c.now = now }),
	}
}

func TestCredentials(t *testing.T) {
	contract.Credentials(t, contract.FaultsHarness{
		Knobs: knobs(), Parts: []string{"login", "api", "graph", "storage"}, Login: "login", Storage: "storage",
		Open: func(t testing.TB) contract.FaultsWorld { return faultsWorld(t, defenderfake.Options{}) },
	}, badCredentials())
}

// A certificate's assertion that is not good at Entra's time is a matter of clocks.
func TestTheClockIsOffForAnAssertion(t *testing.T) {
	parsed, certificate, key := signed(t, time.Now().AddDate(1, 0, 0))
	x := frontedOf(t, defenderfake.Options{
		Certificates: []*x509.Certificate{parsed}, LoginNow: func() time.Time { return time.Now().Add(3 * time.Hour) },
	}, func(c *Config) { c.ClientSecret, c.ClientCertificate, c.ClientKey = "", certificate, key })
	for _, f := range x.open(t).Probe(t.Context()) {
		if !f.OK && strings.Contains(f.What, "AADSTS700024") && strings.Contains(f.What, "clock kept by NTP") {
			return
		}
	}
	t.Error("the probe does not say that the clock is off")
}

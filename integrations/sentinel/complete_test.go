package sentinel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/integrations/sentinel/sentinelfake"
)

const (
	incidentID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	secret     = "the-secret-of-the-application"
)

// workspace is a double of Sentinel behind a server that fails on command, and a client of it.
// A description of the API judges every request and every answer.
type workspace struct {
	*Client
	double *sentinelfake.Double
	server *faulty.Server
}

func openWorkspace(t testing.TB, change ...func(*Config)) workspace {
	t.Helper()
	return openDouble(t, sentinelfake.Options{}, change...)
}

func openDouble(t testing.TB, o sentinelfake.Options, change ...func(*Config)) workspace {
	t.Helper()
	o.ClientSecret = secret
	double := sentinelfake.New(o)
	server := faulty.New(t, apispec.Load(t, "sentinel", "microsoft-login").Handler(t, double.Handler()))
	config := Config{
		Tenant: double.Tenant, ClientID: double.ClientID, ClientSecret: integrations.Secret(double.ClientSecret),
		Subscription: double.Subscription, ResourceGroup: double.ResourceGroup, Workspace: double.Workspace,
		Cloud: Global, URL: server.URL(), LoginURL: server.URL(), Access: httpx.Access{Timeout: 10 * time.Second},
	}
	for _, f := range change {
		f(&config)
	}
	c, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return workspace{c, double, server}
}

func (w workspace) asked() int { return len(w.double.Calls()) }

// fail makes the product fail. A token is there already: fetching one is tried in package
// httpx.
func (w workspace) fail(t testing.TB, f contract.Fault) {
	t.Helper()
	if _, err := w.tokens.Get(context.WithoutCancel(t.Context())); err != nil && f != contract.Works {
		t.Fatal(err)
	}
	w.server.Break(f)
}

// bare is an incident that names no entities.
func (w workspace) bare(name string) string {
	return fmt.Sprintf(`{"id": "%s/Incidents/%s", "name": %q, "type": "Microsoft.SecurityInsights/Incidents",
		"properties": {"title": "Egress", "severity": "High", "status": "New", "incidentNumber": 12345678901234567890}}`, w.double.Root(), name, name)
}

func host(name string) map[string]any {
	return map[string]any{"kind": "Host", "properties": map[string]any{"hostName": name, "friendlyName": name}}
}

func TestCompleter(t *testing.T) {
	contract.Completer(t, contract.CompleterHarness{
		Knobs: contract.Knobs{Kind: "sentinel", Secrets: []string{secret}},
		Open: func(t testing.TB) contract.CompleterWorld {
			w := openWorkspace(t)
			w.double.Add(sentinelfake.Incident{Name: incidentID, Entities: []any{host("ws-042")}})
			return contract.CompleterWorld{
				Completer: w.Client, Held: "ws-042", Asked: w.asked, Break: func(f contract.Fault) { w.fail(t, f) },
				Named:   []byte(`{"object": ` + w.bare(incidentID) + `}`),
				Unknown: []byte(w.bare("00000000-4f89-41d3-9a0c-0305e82c3301")),
				Whole: [][]byte{
					[]byte(strings.Replace(w.bare(incidentID), `"title"`, `"relatedEntities": [{"kind": "Host", "properties": {"hostName": "ws-1"}}], "title"`, 1)),
					[]byte(`{"object": {"name": "x"}}`), []byte(`{"object": {"properties": {}}}`), []byte(`[{"name": 7, "properties": {}}]`),
				},
			}
		},
	})
}

// Every incident of a request is completed, numbers stay as they were written, and kinds that
// nobody reads do not make the alert too large.
func TestCompleteKeepsTheRest(t *testing.T) {
	w := openWorkspace(t)
	w.double.Add(sentinelfake.Incident{Name: incidentID, Entities: []any{host("ws-042"), map[string]any{"kind": "Mailbox", "properties": map[string]any{"upn": "kim"}}}})
	other := strings.Replace(incidentID, "3f", "4f", 1)
	w.double.Add(sentinelfake.Incident{Name: other})
	got, err := w.Complete(t.Context(), []byte(`{"value": [`+w.bare(incidentID)+`,`+w.bare(other)+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"incidentNumber":12345678901234567890`, `"hostName":"ws-042"`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if strings.Contains(string(got), "Mailbox") {
		t.Errorf("%s holds what nobody reads", got)
	}
	asked := w.asked()
	if again, err := w.Complete(t.Context(), got); err != nil || string(again) != string(got) || w.asked() != asked {
		t.Errorf("an incident that has no entities is asked for again: %d requests, %v", w.asked()-asked, err)
	}
}

// What a sender writes leads to no other place than the workspace that is configured.
func TestCompleteStaysInTheWorkspace(t *testing.T) {
	w := openWorkspace(t)
	w.double.Add(sentinelfake.Incident{Name: incidentID})
	many := strings.Repeat(w.bare(incidentID)+",", mostIncidents) + w.bare(incidentID)
	for name, body := range map[string]string{
		"a path":            `{"name": "../incidents/x", "properties": {}}`,
		"a query":           `{"name": "x?y", "properties": {}}`,
		"an escape":         `{"name": "x%2f..", "properties": {}}`,
		"another workspace": strings.Replace(w.bare(incidentID), w.double.Workspace, "other", 1),
		"too many":          "[" + many + "]",
	} {
		_, err := w.Complete(t.Context(), []byte(body))
		if integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("%s: %v, want an invalid error", name, err)
		}
	}
	if n := w.asked(); n > 0 {
		t.Errorf("the product was asked %d times", n)
	}
}

func TestProbe(t *testing.T) {
	w := openWorkspace(t)
	for _, f := range w.Probe(t.Context()) {
		if !f.OK {
			t.Errorf("a workspace that is right: %+v", f)
		}
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"a wrong secret":    {func(c *Config) { c.ClientSecret = "another" }, "the client secret is wrong"},
		"another client":    {func(c *Config) { c.ClientID = c.Tenant }, "the tenant has no such application"},
		"another workspace": {func(c *Config) { c.Workspace = "other" }, "does not have authorization"},
	} {
		found := openWorkspace(t, c.change).Probe(t.Context())
		if len(found) != 1 || found[0].OK || found[0].Fix == "" || !strings.Contains(found[0].What, c.want) {
			t.Errorf("%s: %+v, want %q", name, found, c.want)
		}
	}
}

func TestConfig(t *testing.T) {
	right := Config{
		Tenant: incidentID, ClientID: incidentID, ClientSecret: "s", Subscription: incidentID,
		ResourceGroup: "soc", Workspace: "logs", Access: httpx.Access{Timeout: defaultTimeout},
	}
	for cloud, want := range map[Cloud]string{
		Global: "https://management.azure.com/.default", USGovernment: "https://management.usgovcloudapi.net/.default", China: "https://management.chinacloudapi.cn/.default",
	} {
		c := right
		c.Cloud, c.URL = cloud, "http://127.0.0.1:1"
		if e, err := c.endpoints(); err != nil || e.scope != want || e.manager != c.URL {
			t.Errorf("%s: %+v, %v, want tokens for %s", cloud, e, err, want)
		}
	}
	for name, change := range map[string]func(*Config){
		"invalid tenant":               func(c *Config) { c.Tenant = "x" },
		"invalid subscription":         func(c *Config) { c.Subscription = "x" },
		"invalid workspace":            func(c *Config) { c.Workspace = "a/b" },
		"invalid resource_group":       func(c *Config) { c.ResourceGroup = ".." },
		"write a client_secret":        func(c *Config) { c.ClientSecret = "" },
		"timeout is 1h":                func(c *Config) { c.Timeout = time.Hour },
		"invalid cloud":                func(c *Config) { c.Cloud = "moon" },
		"url is http":                  func(c *Config) { c.URL = "http://example.com" },
		"login_url is not an address":  func(c *Config) { c.LoginURL = "x" },
		"url has a user, a query or a": func(c *Config) { c.URL = "https://a:b@example.com" },
	} {
		c := right
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	if data, err := json.Marshal(right); err != nil || strings.Contains(string(data), `"s"`) {
		t.Errorf("the configuration shows its secret: %s, %v", data, err)
	}
}

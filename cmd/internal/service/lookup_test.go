package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sentinel"
	"github.com/stanch-soar/stanch/integrations/sentinel/sentinelfake"
)

// An incident that names its machine only in the product opens the case of that machine; while
// the product does not answer, its sender is asked to send it again.
func TestAnIncidentIsLookedUp(t *testing.T) {
	needsEngine(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.yaml"), libraryText(t, "high-egress-windows"), 0o600); err != nil {
		t.Fatal(err)
	}
	estate, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const incident = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	double := sentinelfake.New(sentinelfake.Options{})
	double.Add(sentinelfake.Incident{Name: incident, Entities: []any{
		map[string]any{"kind": "Host", "properties": map[string]any{"hostName": "ws-042"}},
	}})
	azure := httptest.NewServer(apispec.Load(t, "sentinel", "microsoft-login").Handler(t, double.Handler()))
	defer azure.Close()
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, `listen: 127.0.0.1:0
data: %q
playbooks: [%q]
integrations:
  edr: { kind: memory }
  flows: { kind: memory }
  gateway: { kind: memory }
  inventory: { kind: memory }
  slack: { kind: memory }
  azure: { kind: sentinel, tenant: %s, client_id: %s, client_secret: %s, subscription: %s, resource_group: %s, workspace: %s, url: %s, login_url: %s }
sources: { soc: { kind: sentinel, category: high_egress, os: windows, lookup: azure, auth: { bearer: only-for-this-test } } }
`, filepath.Join(dir, "data"), dir, double.Tenant, double.ClientID, double.ClientSecret, double.Subscription,
		double.ResourceGroup, double.Workspace, azure.URL, azure.URL),
		integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{estate.Spec()}}, sentinel.Vendor()))
	if err != nil {
		t.Fatal(err)
	}
	s, stop := running(t, c)
	defer stop()
	post := func(status int) (taken api.Accepted) {
		t.Helper()
		body := fmt.Sprintf(`{"object": {"id": "%s/Incidents/%s", "name": %q, "properties": {"title": "Egress", "createdTimeUtc": "2026-03-01T03:13:00Z"}}}`, double.Root(), incident, incident)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/alerts/soc", bytes.NewBufferString(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer only-for-this-test")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != status || (status == http.StatusServiceUnavailable) != (resp.Header.Get("Retry-After") != "") {
			t.Fatalf("the incident was answered %s, Retry-After %q; want %d", resp.Status, resp.Header.Get("Retry-After"), status)
		}
		if err := json.NewDecoder(resp.Body).Decode(&taken); err != nil {
			t.Fatal(err)
		}
		return taken
	}
	if got := post(http.StatusAccepted); len(got.Cases) != 1 || got.Cases[0].ID != "high-egress-windows/ws-042" {
		t.Errorf("it is taken as %+v, want the case of ws-042", got)
	}
	azure.CloseClientConnections()
	azure.Close()
	post(http.StatusServiceUnavailable)
}

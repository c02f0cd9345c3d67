package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

func TestALookupIsAnIntegrationThatCompletes(t *testing.T) {
	const integrations = `integrations:
  azure: { kind: sentinel, tenant: 00000000-0000-0000-0000-000000000001, client_id: 00000000-0000-0000-0000-000000000002, client_secret: s3cr3t, subscription: 00000000-0000-0000-0000-000000000003, resource_group: soc, workspace: logs }
  estate: { kind: memory, path: estate.jsonl }
  torn: { kind: sentinel, tenant: x }
sources:
  incidents: { kind: sentinel, auth: { bearer: sourcetokensourcetoken }, lookup: NAME }
`
	for name, want := range map[string]string{
		"azure":  "",
		"torn":   "",
		"nobody": `source incidents: there is no integration "nobody"; there are azure, estate, torn`,
		"estate": `source incidents: integration "estate" is of kind memory, which fetches nothing for alerts`,
		"[a]":    "must be text",
	} {
		text := strings.Replace(integrations, "NAME", name, 1)
		if name != "torn" {
			text = strings.Replace(text, "  torn: { kind: sentinel, tenant: x }\n", "", 1)
			want = strings.Replace(want, ", torn", "", 1)
		}
		_, err := Parse("f.yaml", []byte(text), all.Catalog())
		switch {
		case want == "" && err != nil && strings.Contains(err.Error(), "lookup"), want == "" && err != nil && strings.Contains(err.Error(), "source incidents"):
			t.Errorf("%s: it says %v", name, err)
		case name == "azure" && err != nil:
			t.Errorf("%s: %v", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: it says %v, not %s", name, err, want)
		}
	}
}

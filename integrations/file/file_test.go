package file

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func inventory(tb testing.TB, name, text string) (*Inventory, string) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	write(tb, path, text)
	i, err := New(path)
	if err != nil {
		tb.Fatal(err)
	}
	return i, path
}

func TestContract(t *testing.T) {
	for name, text := range map[string]func(testing.TB, []contract.InventoryEntry) string{
		"inventory.yaml": yamlOf, "inventory.csv": csvOf,
	} {
		t.Run(name, func(t *testing.T) {
			contract.Inventory(t, contract.InventoryHarness{
				Knobs: contract.Knobs{Kind: "file", Unbreakable: "a local file"},
				Open: func(t testing.TB, entries []contract.InventoryEntry) integrations.Inventory {
					i, _ := inventory(t, name, text(t, entries))
					return i
				},
			})
		})
	}
}

func yamlOf(t testing.TB, entries []contract.InventoryEntry) string {
	var b strings.Builder
	b.WriteString("assets:\n")
	for _, e := range entries {
		fields := map[string]any{"id": e.ID, "name": e.Name, "ips": e.IPs}
		for key, v := range map[string]incident.Value[string]{
			"role": e.Asset.Role, "owner": e.Asset.Owner, "criticality": e.Asset.Criticality, "site": e.Asset.Site,
		} {
			if s, ok := v.Get(); ok {
				fields[key] = s
			}
		}
		if tags, ok := e.Asset.Tags.Get(); ok {
			fields["tags"] = tags
		}
		line, err := json.Marshal(fields) // JSON is YAML
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("  - " + string(line) + "\n")
	}
	return b.String()
}

func csvOf(_ testing.TB, entries []contract.InventoryEntry) string {
	var b strings.Builder
	b.WriteString("Name,id,ips,role,owner,criticality,site,tags\n")
	for _, e := range entries {
		fields := []string{e.Name, e.ID, strings.Join(e.IPs, " ")}
		for _, v := range []incident.Value[string]{e.Asset.Role, e.Asset.Owner, e.Asset.Criticality, e.Asset.Site} {
			s, _ := v.Get()
			fields = append(fields, s)
		}
		tags, _ := e.Asset.Tags.Get()
		b.WriteString(strings.Join(append(fields, strings.Join(tags, ";")), ",") + "\n")
	}
	return b.String()
}

const estate = `assets:
  - { id: a1, name: web.berlin.example, ips: [192.0.2.1, "2001:db8::1"], role: server }
  - { id: a2, name: web.paris.example, ips: [192.0.2.2] , role: server }
  - { id: a3, name: DC1, ips: [198.51.100.0/28], role: domain_controller }
  - { id: a4, name: mail.berlin.example, role: server, owner: post }
  - { name: MAIL, role: workstation }
  - { name: 10.0.0.7, role: proxy }
`

func TestAgentsOfAHost(t *testing.T) {
	for name, text := range map[string]string{
		"inventory.yaml": "assets:\n  - { name: ws-042, agents: ['C:\\Program Files\\Filter\\agent.exe', tunnel.exe] }\n",
		"inventory.csv":  "name,agents\nws-042,C:\\Program Files\\Filter\\agent.exe; tunnel.exe\n",
	} {
		i, _ := inventory(t, name, text)
		got, err := i.Asset(t.Context(), integrations.EndpointQuery{Name: "ws-042"})
		if want := []string{`C:\Program Files\Filter\agent.exe`, "tunnel.exe"}; err != nil || !slices.Equal(got.Agents, want) {
			t.Errorf("%s: agents %q, %v; want %q", name, got.Agents, err, want)
		}
	}
}

func TestLookup(t *testing.T) {
	i, _ := inventory(t, "inventory.yml", estate)
	for _, c := range []struct {
		name string
		q    integrations.EndpointQuery
		want string // the role, or the error's kind
	}{
		{"id in any case", integrations.EndpointQuery{ID: "A3"}, "domain_controller"},
		{"full name for a short one", integrations.EndpointQuery{Name: "dc1.corp.example"}, "domain_controller"},
		{"full name", integrations.EndpointQuery{Name: "WEB.paris.example"}, "server"},
		{"short name for one of two full ones", integrations.EndpointQuery{Name: "web"}, "conflict"},
		{"full name of another domain", integrations.EndpointQuery{Name: "web.rome.example"}, "not_found"},
		{"an exact name beats a shortened one", integrations.EndpointQuery{Name: "mail"}, "workstation"},
		{"address in a network", integrations.EndpointQuery{IPs: []string{"198.51.100.15"}}, "domain_controller"},
		{"address outside of the network", integrations.EndpointQuery{IPs: []string{"198.51.100.16"}}, "not_found"},
		{"mapped address", integrations.EndpointQuery{IPs: []string{"::ffff:192.0.2.1"}}, "server"},
		{"long form of an address", integrations.EndpointQuery{IPs: []string{"2001:db8:0:0:0:0:0:1"}}, "server"},
		{"identifiers of two hosts", integrations.EndpointQuery{ID: "a1", IPs: []string{"192.0.2.2"}}, "conflict"},
		{"an address is not a short name", integrations.EndpointQuery{Name: "10"}, "not_found"},
		{"nothing", integrations.EndpointQuery{}, "not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asset, err := i.Asset(t.Context(), c.q)
			got, _ := asset.Role.Get()
			if err != nil {
				got = string(integrations.KindOf(err))
			}
			if got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestWrongFiles(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"misspelt key", "i.yaml", "assets:\n  - { id: a, rol: server }\n", "i.yaml:2:14: "},
		{"no assets", "i.yaml", "hosts: []\n", "i.yaml:1:1: "},
		{"not an address", "i.yaml", "assets:\n  - { id: a }\n  - { ips: [10.0.0.300] }\n", `i.yaml:3:5: "10.0.0.300" is neither an address nor a network`},
		{"host bits set", "i.yaml", "assets:\n  - { ips: [10.0.0.1/24] }\n", `"10.0.0.1/24" has host bits set; the network is 10.0.0.0/24`},
		{"no identifier", "i.yaml", "assets:\n  - { role: server }\n", "i.yaml:2:5: an entry needs an id, a name or ips"},
		{"id twice", "i.yaml", "assets:\n  - { id: a }\n  - { id: A }\n", `i.yaml:3:5: duplicate id "A"`},
		{"unknown column", "i.csv", "id,rol\na,server\n", `i.csv:1:4: unknown column "rol"`},
		{"column twice", "i.csv", "id,ID\n", `i.csv:1:4: duplicate column "id"`},
		{"too many fields", "i.csv", "id,role\na,server\nb,server,x\n", "i.csv:3:1: wrong number of fields"},
		{"bad address", "i.csv", "id,ips\na,10.0.0.1\nb,10.0.0\n", `i.csv:3:3: "10.0.0" is neither an address nor a network`},
		{"id twice in CSV", "i.csv", "ips,id\n10.0.0.1,a\n10.0.0.2,a\n", `i.csv:3:10: duplicate id "a"`},
		{"open quote", "i.csv", "id\n\"a\n", `i.csv:2:`},
		{"empty", "i.csv", "", "i.csv:1:1: the file is empty"},
		{"not text", "i.csv", "id\n\xff\n", "i.csv: the file is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, _ := inventory(t, c.file, c.text)
			_, err := i.Asset(t.Context(), integrations.EndpointQuery{ID: "a"})
			if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want an invalid one with %q", err, c.want)
			}
		})
	}
	if _, err := New("inventory.txt"); integrations.KindOf(err) != integrations.Invalid {
		t.Errorf("a .txt file: error is %v, want an invalid one", err)
	}
}

func TestReload(t *testing.T) {
	i, path := inventory(t, "inventory.csv", "id,role\na,server\n")
	role := func() string {
		t.Helper()
		asset, err := i.Asset(t.Context(), integrations.EndpointQuery{ID: "a"})
		if err != nil {
			return string(integrations.KindOf(err))
		}
		r, _ := asset.Role.Get()
		return r
	}
	if got := role(); got != "server" {
		t.Fatalf("role is %s, want server", got)
	}
	write(t, path, "id,role\na,proxy\n")
	if got := role(); got != "proxy" {
		t.Fatalf("after a change the role is %s, want proxy", got)
	}
	write(t, path, "id,rol\na,server\n")
	if got := role(); got != "proxy" {
		t.Fatalf("after a change that does not load the role is %s, want proxy", got)
	}
	if f := i.Probe(t.Context()); f[0].OK || !strings.Contains(f[0].What, "inventory.csv:1:4") || f[0].Fix == "" {
		t.Errorf("probe finds %+v, want the place of the mistake and a fix", f)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := role(); got != "proxy" {
		t.Fatalf("after the file is gone the role is %s, want proxy", got)
	}
	write(t, path, "id,role\nb,server\n")
	if got := role(); got != "not_found" {
		t.Fatalf("after the host is gone the answer is %s, want not_found", got)
	}
	if f := i.Probe(t.Context()); !f[0].OK {
		t.Errorf("probe finds %+v, want all well", f)
	}
}

func TestMissingFile(t *testing.T) {
	value, err := Spec().Open(t.Context(), &Config{Path: filepath.Join(t.TempDir(), "none.yaml")})
	if err != nil {
		t.Fatalf("open: %v; the first use must report a missing file", err)
	}
	i := value.(*Inventory)
	if _, err := i.Asset(t.Context(), integrations.EndpointQuery{ID: "a"}); integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("error is %v, want unavailable", err)
	}
	if f := i.Probe(context.Background()); f[0].OK {
		t.Errorf("probe finds %+v, want the missing file", f)
	}
}

// The page's example is a file that is read.
func TestTheExampleIsAnInventory(t *testing.T) {
	assets, issues := parseYAML("example.yaml", []byte(exampleFile))
	if len(issues) > 0 || len(assets) != 3 {
		t.Fatalf("%d hosts, %v", len(assets), issues)
	}
}

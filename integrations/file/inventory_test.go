package file

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func stored(t *testing.T, name string) *Inventory {
	t.Helper()
	i, err := New(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Exports are read as spreadsheets and inventories write them.
func TestExports(t *testing.T) {
	for _, c := range []struct {
		file, ip, name, role string
	}{
		{"semicolons.csv", "10.20.4.43", "ws-042", "workstation"},
		{"semicolons.csv", "10.20.1.5", "srv-dc-01", "domain_controller"},
		{"commas.csv", "10.20.4.43", "ws-042", "workstation"},
		{"commas.csv", "10.20.4.42", "ws-042", "workstation"},
		{"excel.csv", "10.20.4.42", "ws-042", "workstation"},
	} {
		asset, err := stored(t, c.file).Asset(t.Context(), integrations.EndpointQuery{IPs: []string{c.ip}})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		asset.InWords(incident.AssetRoles())
		name, _ := asset.Name.Get()
		role, _ := asset.Role.Get()
		if name != c.name || role != c.role {
			t.Errorf("%s: %s is %s, a %s; want %s, a %s", c.file, c.ip, name, role, c.name, c.role)
		}
	}
	asset, _ := stored(t, "semicolons.csv").Asset(t.Context(), integrations.EndpointQuery{Name: "ws-042"})
	if got, _ := asset.Criticality.Get(); got != "1,5" {
		t.Errorf("the criticality is %q", got)
	}
	asset, _ = stored(t, "excel.csv").Asset(t.Context(), integrations.EndpointQuery{Name: "ws-042"})
	if got, _ := asset.Tags.Get(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the tags are %q", got)
	}
	_, err := stored(t, "prefix.csv").Asset(t.Context(), integrations.EndpointQuery{Name: "ws-042"})
	const want = `prefix.csv:2:8: "10.20.4.42/24" has host bits set; the network is 10.20.4.0/24: for the one host 10.20.4.42 write its address without /24`
	if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), want) {
		t.Errorf("a host's address with a prefix length: %v", err)
	}
}

// Placeholders for a missing value are not values.
func TestFillersOfAnInventory(t *testing.T) {
	i := stored(t, "fillers.csv")
	asset, err := i.Asset(t.Context(), integrations.EndpointQuery{Name: "ws-042"})
	if err != nil || asset.Role.IsKnown() || asset.Site.IsKnown() || asset.Owner.IsKnown() {
		t.Errorf("%+v, %v; want nothing but the name", asset, err)
	}
	if asset.Tags.IsKnown() {
		t.Errorf("the tags are %v", asset.Tags)
	}
	if _, err := i.Asset(t.Context(), integrations.EndpointQuery{Name: "-"}); integrations.KindOf(err) != integrations.NotFound {
		t.Errorf("a dash is a host: %v", err)
	}
	if roles, err := i.AssetRoles(t.Context()); err != nil || !slices.Equal(roles, []string{"Kiosk"}) {
		t.Errorf("the roles are %q, %v", roles, err)
	}
}

// Two equal entries of one host count as one; of two that differ nothing is known,
// and doctor reports both.
func TestAHostThatStandsTwice(t *testing.T) {
	i := stored(t, "twice.csv")
	if asset, err := i.Asset(t.Context(), integrations.EndpointQuery{Name: "ws-042", IPs: []string{"10.20.4.42"}}); err != nil || !asset.Role.IsKnown() {
		t.Errorf("entries that agree: %v, %v", asset, err)
	}
	for _, q := range []integrations.EndpointQuery{{Name: "srv-1"}, {IPs: []string{"10.20.4.7"}}} {
		if asset, err := i.Asset(t.Context(), q); integrations.KindOf(err) != integrations.Conflict {
			t.Errorf("entries that differ: %v, %v", asset.Role, err)
		}
	}
	var problems []string
	for _, f := range i.Probe(t.Context()) {
		if !f.OK {
			problems = append(problems, f.What)
		}
	}
	for _, want := range []string{`"10.20.4.42" in lines 2 3`, `"srv-1" in lines 4 5`, `"10.20.4.7" in lines 6 7`} {
		if !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("doctor does not report %s: %q", want, problems)
		}
	}
}

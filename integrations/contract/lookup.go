package contract

import (
	"context"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// EndpointsHarness opens EDRs.
type EndpointsHarness struct {
	Knobs
	// Open returns an EDR with exactly the devices. Each has an id, a name and
	// addresses.
	Open func(t testing.TB, devices []incident.Endpoint) integrations.Endpoints
	// Break makes an EDR that Open returned fail.
	Break func(integrations.Endpoints, Fault)
}

// Endpoints checks an [integrations.Endpoints].
func Endpoints(t *testing.T, h EndpointsHarness) {
	t.Helper()
	run(t, "Endpoints", h, endpointsChecks())
}

func endpointsChecks() []check[EndpointsHarness] {
	return slices.Concat([]check[EndpointsHarness]{
		{"a device is found by each identifier", checkFound},
		{"a prefix or a part does not match", checkNoGuess},
		{"a query that names nothing finds nothing", checkNamesNothing},
		{"all that match are returned, sorted, each once", checkSorted},
	}, faultChecks(func(t testing.TB, h EndpointsHarness) (func(Fault), []call) {
		e := h.Open(t, h.devices())
		var breakIt func(Fault)
		if h.Break != nil {
			breakIt = func(fault Fault) { h.Break(e, fault) }
		}
		return breakIt, []call{{"endpoints", false, func(ctx context.Context) error {
			_, err := e.Endpoints(ctx, integrations.EndpointQuery{ID: h.id("ws-042")})
			return err
		}}}
	}))
}

// devices are chosen so that prefix matches are caught: one id, one name and one
// address is the beginning of another. Two devices share an address.
func (h EndpointsHarness) devices() []incident.Endpoint {
	device := func(id, name string, ips ...string) incident.Endpoint {
		return incident.Endpoint{
			ID: incident.Known(h.id(id), incident.FromEDR), Name: incident.Known(name, incident.FromEDR),
			IP: incident.Known(ips, incident.FromEDR), OS: incident.Known("windows", incident.FromEDR),
			Online: incident.Known(true, incident.FromEDR),
		}
	}
	return []incident.Endpoint{
		device("ws-0421", "accounting-21", "192.0.2.21", "192.0.2.200"),
		device("ws-042", "accounting-2", "192.0.2.2"),
		device("ws-007", "reception", "192.0.2.7", "192.0.2.200"),
	}
}

func (h EndpointsHarness) finds(t testing.TB, q integrations.EndpointQuery, want ...string) []incident.Endpoint {
	t.Helper()
	for i, id := range want {
		want[i] = h.id(id)
	}
	slices.Sort(want)
	got, err := h.Open(t, h.devices()).Endpoints(t.Context(), q)
	h.fine(t, "endpoints", err)
	var ids []string
	for _, e := range got {
		id, _ := e.ID.Get()
		ids = append(ids, id)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("endpoints of %+v are %v, want %v", q, ids, want)
	}
	return got
}

func checkFound(t testing.TB, h EndpointsHarness) {
	for _, q := range []integrations.EndpointQuery{
		{ID: h.id("ws-042")},
		{Name: "accounting-2"},
		{IPs: []string{"192.0.2.2"}},
		{ID: h.id("ws-042"), Name: "accounting-2", IPs: []string{"192.0.2.2"}},
	} {
		got := h.finds(t, q, "ws-042")
		if len(got) == 0 {
			continue
		}
		is(t, "name", got[0].Name, "accounting-2")
		if ips, _ := got[0].IP.Get(); !slices.Equal(ips, []string{"192.0.2.2"}) {
			t.Errorf("the addresses are %v, want 192.0.2.2", ips)
		}
		if from := got[0].ID.From(); from != incident.FromEDR {
			t.Errorf("the id comes from %q, want %q", from, incident.FromEDR)
		}
	}
}

func checkNoGuess(t testing.TB, h EndpointsHarness) {
	id := h.id("ws-042")
	for _, q := range []integrations.EndpointQuery{
		{ID: id[:len(id)-1]},
		{ID: id[len(id)-2:]},
		{ID: id[:3] + "*"},
		{ID: id + "," + h.id("ws-007")},
		{ID: "all"},
		{Name: "accounting"},
		{Name: "ounting-2"},
		{Name: "*"},
		{IPs: []string{"192.0.2"}},
		{IPs: []string{"192.0.2.0/24"}},
		{ID: "accounting-2"},
		{Name: id},
		{ID: "' OR '1'='1"},
	} {
		h.finds(t, q)
	}
}

func checkNamesNothing(t testing.TB, h EndpointsHarness) {
	h.finds(t, integrations.EndpointQuery{})
	h.finds(t, integrations.EndpointQuery{IPs: []string{""}})
	h.finds(t, integrations.EndpointQuery{ID: h.id("no-such-device-7f3a")})
}

func checkSorted(t testing.TB, h EndpointsHarness) {
	h.finds(t, integrations.EndpointQuery{IPs: []string{"192.0.2.200"}}, "ws-007", "ws-0421")
	h.finds(t, integrations.EndpointQuery{ID: h.id("ws-0421"), Name: "accounting-2", IPs: []string{"192.0.2.21", "192.0.2.7"}},
		"ws-007", "ws-042", "ws-0421")
}

// InventoryEntry is one host of an inventory with its identifiers.
type InventoryEntry struct {
	ID, Name string
	IPs      []string
	Asset    incident.Asset
}

// InventoryHarness opens inventories.
type InventoryHarness struct {
	Knobs
	// Open returns an inventory with exactly the entries.
	Open func(t testing.TB, entries []InventoryEntry) integrations.Inventory
	// Break makes an inventory that Open returned fail.
	Break func(integrations.Inventory, Fault)
}

// Inventory checks an [integrations.Inventory].
func Inventory(t *testing.T, h InventoryHarness) {
	t.Helper()
	run(t, "Inventory", h, inventoryChecks())
}

func inventoryChecks() []check[InventoryHarness] {
	return slices.Concat([]check[InventoryHarness]{
		{"an asset is found by each identifier", checkAssetFound},
		{"what the inventory does not say is unknown", checkAssetUnknown},
		{"a host that is not there is not found", checkAssetNotFound},
	}, faultChecks(func(t testing.TB, h InventoryHarness) (func(Fault), []call) {
		i := h.Open(t, entries())
		var breakIt func(Fault)
		if h.Break != nil {
			breakIt = func(fault Fault) { h.Break(i, fault) }
		}
		return breakIt, []call{{"asset", false, func(ctx context.Context) error {
			_, err := i.Asset(ctx, integrations.EndpointQuery{ID: "ws-042"})
			return err
		}}}
	}))
}

func entries() []InventoryEntry {
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
	return []InventoryEntry{
		{ID: "ws-042", Name: "accounting-2", IPs: []string{"192.0.2.2"}, Asset: incident.Asset{
			Role: known("workstation"), Owner: known("finance"), Criticality: known("tier2"), Site: known("berlin"),
			Tags: incident.Known([]string{"laptop", "vip"}, incident.FromInventory),
		}},
		{ID: "ws-0421", Name: "accounting-21", IPs: []string{"192.0.2.21"}, Asset: incident.Asset{Role: known("server")}},
	}
}

func checkAssetFound(t testing.TB, h InventoryHarness) {
	for _, q := range []integrations.EndpointQuery{
		{ID: "ws-042"},
		{Name: "accounting-2"},
		{IPs: []string{"192.0.2.2"}},
		{ID: "ws-042", Name: "accounting-2", IPs: []string{"192.0.2.2"}},
	} {
		got, err := h.Open(t, entries()).Asset(t.Context(), q)
		h.fine(t, "asset", err)
		is(t, "name", got.Name, "accounting-2")
		is(t, "role", got.Role, "workstation")
		is(t, "owner", got.Owner, "finance")
		is(t, "criticality", got.Criticality, "tier2")
		is(t, "site", got.Site, "berlin")
		if tags, ok := got.Tags.Get(); !ok || !slices.Equal(tags, []string{"laptop", "vip"}) {
			t.Errorf("tags are %v, want laptop and vip", got.Tags)
		}
		if from := got.Role.From(); from != incident.FromInventory {
			t.Errorf("role comes from %q, want %q", from, incident.FromInventory)
		}
	}
}

func checkAssetUnknown(t testing.TB, h InventoryHarness) {
	got, err := h.Open(t, entries()).Asset(t.Context(), integrations.EndpointQuery{ID: "ws-0421"})
	h.fine(t, "asset", err)
	is(t, "role", got.Role, "server")
	for name, v := range map[string]interface{ IsKnown() bool }{
		"owner": got.Owner, "criticality": got.Criticality, "site": got.Site, "tags": got.Tags,
	} {
		if v.IsKnown() {
			t.Errorf("%s is known to be %v, though the inventory does not have it", name, v)
		}
	}
}

func checkAssetNotFound(t testing.TB, h InventoryHarness) {
	for _, q := range []integrations.EndpointQuery{
		{}, {ID: "ws-04"}, {Name: "accounting"}, {IPs: []string{"192.0.2"}}, {ID: "no-such-device-7f3a"}, {IPs: []string{""}},
	} {
		_, err := h.Open(t, entries()).Asset(t.Context(), q)
		h.want(t, "asset of "+q.ID+q.Name, err, integrations.NotFound)
	}
}

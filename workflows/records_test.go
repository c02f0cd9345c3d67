package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// captured returns a world whose flow store holds real records, and a host of
// the estate at one of their addresses.
func captured(t *testing.T, name, ip string, at time.Time) (*world, incident.Alert) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f, err := os.Open(filepath.Join("..", "integrations", "sqlite", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := store.Import(t.Context(), f, sqlite.ImportOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	w.set.Add("flows", sqlite.Spec(), store)
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
	err = w.estate.AddHost(memory.Host{
		ID: "scranton", Name: "scranton", IPs: []string{ip}, OS: "windows", Role: "workstation",
		Asset: incident.Asset{Role: known("workstation"), Site: known("scranton")},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := alertFor("scranton", ip)
	a.Time = incident.Known(at, incident.FromAlert)
	return w, a
}

// The theft of 2,181,167 bytes by APT29 went to an address of RFC 1918, in half
// a second: it is asked about, and nobody is isolated because of it.
func TestTheRealTheftIsAskedAbout(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"06_zeek_conn_apt29_day1_scranton_slice.jsonl", "14_zeek_conn_same_flow_two_sensors.jsonl"} {
		w, a := captured(t, name, "10.0.1.4", time.Unix(1588206745, 0))
		id := w.open(a)
		w.explainOnFailure(id)
		during := w.snap(5*time.Minute, id)
		w.run(time.Hour)
		if got, _ := during.Facts.Traffic.Role.Get(); got != string(incident.Transfer) {
			t.Errorf("%s: the role is %q", name, got)
		}
		if during.Status != incident.Awaiting || during.Decision.Rule != "quiet-transfer" {
			t.Errorf("%s: after five minutes the case is %s by rule %q", name, during.Status, during.Decision.Rule)
		}
		top, _ := during.Facts.Traffic.Top.Get()
		if len(top) == 0 || top[0].IP != "192.168.0.4" || top[0].Bytes != 2181167 {
			t.Errorf("%s: people are shown %+v", name, top)
		}
		w.contained(incident.Isolate, 0, 0)
		w.contained(incident.RateLimit, 0, 0)
	}
}

// The sensor saw the answers of name servers only: the volume is unknown all the
// way to what people read, and nothing is done.
func TestTheRealOneWayCaptureIsNotJudged(t *testing.T) {
	t.Parallel()
	w, a := captured(t, "03_zeek_conn_paired_with_02.tsv", "192.168.56.30", time.Unix(1693976050, 0))
	id := w.open(a)
	w.explainOnFailure(id)
	w.run(time.Hour)
	w.untouched()
	c := w.see(id)
	if v := c.Facts.Traffic.BytesOut; v.IsKnown() || v.Why() != "flows: one-way capture" {
		t.Errorf("bytes_out is %v", v)
	}
	if c.Decision.Rule != "otherwise" || !strings.Contains(incidentPaths(c.Decision.Unsure), "traffic.bytes_out") {
		t.Errorf("rule %q, unsure of %s", c.Decision.Rule, incidentPaths(c.Decision.Unsure))
	}
	if len(w.told("flows: one-way capture")) == 0 {
		t.Error("people are not told why the volume is unknown")
	}
}

func incidentPaths(missing []incident.Missing) string {
	var paths []string
	for _, m := range missing {
		paths = append(paths, m.Path)
	}
	return strings.Join(paths, " ")
}

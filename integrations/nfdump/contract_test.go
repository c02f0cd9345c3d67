package nfdump

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// openFolder returns the store of a folder, with the defaults that set changes.
func openFolder(tb testing.TB, folder string, set ...func(*Config)) *Store {
	tb.Helper()
	c := Spec().NewConfig().(*Config)
	c.Folder = folder
	for _, f := range set {
		f(c)
	}
	s, err := Open(*c)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// bothWays returns the record of an exporter that counts both directions of a
// flow in one record.
func bothWays(f incident.Flow) record {
	r := record{Flow: f}
	if f.BytesIn > 0 {
		r.back = 1
	}
	return r
}

// exporterAt is the loopback address of the n-th exporter.
func exporterAt(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 1, byte(n + 1)}) }

// openSeen has every sensor be an exporter with a collector of its own, one for
// each rate, which writes into a subfolder and applies the rate: what nfcapd
// stores is the folder's content.
func openSeen(tb testing.TB, seen []contract.Seen) *Store {
	tb.Helper()
	folder := tb.TempDir()
	sensors := map[string]string{}
	type setting struct {
		sensor   string
		sampling int64
	}
	var settings []setting
	var names []string
	records := map[setting][]record{}
	for _, s := range seen {
		at := setting{s.Sensor, s.Sampling}
		if records[at] == nil {
			settings = append(settings, at)
		}
		records[at] = append(records[at], bothWays(s.Flow))
		if !slices.Contains(names, s.Sensor) {
			names = append(names, s.Sensor)
		}
	}
	for i, at := range settings {
		sub := filepath.Join(folder, strconv.Itoa(i))
		if err := os.Mkdir(sub, 0o755); err != nil {
			tb.Fatal(err)
		}
		from := exporterAt(slices.Index(names, at.sensor))
		sensors[from.String()] = at.sensor
		c := collect(tb, sub, "-s", "-"+strconv.FormatInt(at.sampling, 10))
		c.send(from, (&exporter{}).packets(records[at]...)...)
		c.stop(len(records[at]))
	}
	// The suite has flows that are longer than exporters let them be.
	return openFolder(tb, folder, func(c *Config) { c.Longest, c.Sensors = 2*time.Hour, sensors })
}

func harness() contract.FlowsHarness {
	return contract.FlowsHarness{
		Knobs:    contract.Knobs{Kind: "nfdump", Unbreakable: "a local file"},
		OpenSeen: func(t testing.TB, seen []contract.Seen) integrations.Flows { return openSeen(t, seen) },
	}
}

func TestFlowsContract(t *testing.T) {
	needNfdump(t)
	h := harness()
	h.Skip = map[string]string{"a sampling rate of 0 is not said": "nfcapd multiplies by the rate, and keeps no record of one that was not said"}
	contract.Flows(t, h)
}

func TestHunterContract(t *testing.T) { needNfdump(t); contract.Hunter(t, harness()) }

func TestSurveyorContract(t *testing.T) { needNfdump(t); contract.Surveyor(t, harness()) }

func TestCensusContract(t *testing.T) { needNfdump(t); contract.Census(t, harness()) }

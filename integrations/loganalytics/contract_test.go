package loganalytics

import (
	"maps"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// noSampling are the checks for stores that can hold sampled records.
func noSampling() map[string]string {
	const why = "the layout's records are of all packets"
	return map[string]string{"sampling is applied": why, "a sampling rate of 0 is not said": why}
}

// firewalls is the harness of the layout of firewalls.
func firewalls(skip map[string]string, set ...func(*Store)) contract.FlowsHarness {
	h := harness(CommonSecurityLog, skip, set...)
	h.Uncounted = true
	return h
}

// azure is that of virtual networks, whose sensors are interfaces.
func azure(skip map[string]string, set ...func(*Store)) contract.FlowsHarness {
	h := harness(NTANetAnalytics, skip, set...)
	h.Named = map[string]string{"north": "net north", "south": "net south", "west": "net west", "test": "net test"}
	return h
}

// added are the checks for stores whose records are of whole flows.
func added() map[string]string {
	const why = "the layout's records have what was added in their time, which may be nothing"
	skip := noSampling()
	maps.Copy(skip, map[string]string{"a flow without packets was not seen": why, "a counter that was left out is not a zero": why})
	return skip
}

func TestFlowsContract(t *testing.T) {
	t.Run("commonsecuritylog", func(t *testing.T) { contract.Flows(t, firewalls(noSampling())) })
	t.Run("ntanetanalytics", func(t *testing.T) { contract.Flows(t, azure(added())) })
}

func TestHunterContract(t *testing.T) {
	t.Run("commonsecuritylog", func(t *testing.T) { contract.Hunter(t, firewalls(nil)) })
	t.Run("ntanetanalytics", func(t *testing.T) { contract.Hunter(t, azure(nil)) })
}

func TestSurveyorContract(t *testing.T) {
	const why = "the layout's records are of all packets"
	skip := map[string]string{"a survey counts the records and names the sensors": why, "a survey reports the worst coverage": why}
	contract.Surveyor(t, firewalls(skip))
}

// TestSummedContract has the service sum everything.
func TestSummedContract(t *testing.T) {
	t.Run("commonsecuritylog", func(t *testing.T) { contract.Flows(t, firewalls(noSampling(), summed)) })
	t.Run("ntanetanalytics", func(t *testing.T) { contract.Flows(t, azure(added(), summed)) })
}

func TestSendersContract(t *testing.T) {
	contract.Senders(t, contract.SendersHarness{
		Knobs: contract.Knobs{Kind: "loganalytics", Unbreakable: "the suite of flows breaks the same client"},
		Open: func(t testing.TB, named []contract.Named) integrations.Senders {
			var records []record
			for _, n := range named {
				r := recordOf(CommonSecurityLog, n.Seen)
				r["SourceHostName"], r["SourceUserName"] = n.Device, n.User
				records = append(records, r)
			}
			return serve(t, CommonSecurityLog, records).open(CommonSecurityLog)
		},
	})
}

func TestAFlowThatIsLongerThanLongest(t *testing.T) {
	contract.LongerThanLongest(t, func(t testing.TB, longest time.Duration, seen []contract.Seen) integrations.Flows {
		return serve(t, CommonSecurityLog, recordsOf(CommonSecurityLog, seen)).open(CommonSecurityLog, func(c *Config) { c.Longest = longest })
	})
}

// opens opens a store of a layout.
func opens(l Layout, set ...func(*Store)) func(t testing.TB, seen []contract.Seen) integrations.Flows {
	return harness(l, nil, set...).OpenSeen
}

func TestSumsAreOfAll(t *testing.T) {
	for _, l := range []Layout{CommonSecurityLog, NTANetAnalytics} {
		t.Run(string(l), func(t *testing.T) {
			contract.SumsBeyondRows(t, opens(l, func(s *Store) { s.few = 100 }))
			contract.SumsAgree(t, opens(l), opens(l, summed))
		})
	}
}

func TestSpellings(t *testing.T) {
	contract.Spellings(t, opens(CommonSecurityLog), []string{"10.20.4.43", "::ffff:10.20.4.43", "::FFFF:10.20.4.43"}, []string{
		"2001:db8:20::42", "2001:DB8:20::42", "2001:db8:20:0:0:0:0:42", "2001:0db8:0020:0000:0000:0000:0000:0042",
	}, []string{"fw-peer.example", "10.20.4"})
}

func TestCensusContract(t *testing.T) {
	t.Run("commonsecuritylog", func(t *testing.T) { contract.Census(t, firewalls(nil)) })
	t.Run("ntanetanalytics", func(t *testing.T) { contract.Census(t, azure(nil)) })
}

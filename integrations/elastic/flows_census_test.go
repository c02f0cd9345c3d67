package elastic

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestCensusContract(t *testing.T) {
	eachLayout(t, func(t *testing.T, l Layout) { contract.Census(t, harness(l, nil)) })
}

// TestSummedCensusContract has the cluster sum everything.
func TestSummedCensusContract(t *testing.T) {
	const whole = "above a number of records a flow counts whole where it is stamped"
	eachLayout(t, func(t *testing.T, l Layout) {
		contract.Census(t, harness(l, map[string]string{"what left is told by host and window": whole}, func(c *Config) { c.Records = 1 }))
	})
}

// censusOf is a query for what left a network in the days before noon.
func censusOf(days int, network string) integrations.CensusQuery {
	return integrations.CensusQuery{From: noon().AddDate(0, 0, -days), To: noon(), Networks: []string{network}}
}

func windowsOf(t *testing.T, s *Store, q integrations.CensusQuery, each time.Duration) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	err := s.HostWindows(t.Context(), q, each, func(w incident.HostWindow) error {
		at := fmt.Sprint(w.IP, " ", w.Window)
		if _, twice := got[at]; twice || w.Unseen {
			t.Errorf("%+v is told twice, or unseen", w)
		}
		got[at] = w.BytesOut
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func servicesIn(t *testing.T, s *Store, q integrations.CensusQuery) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	err := s.HostServices(t.Context(), q, func(one incident.HostService) error {
		at := fmt.Sprint(one.IP, " ", one.Port, " ", one.Peers, " ", one.Peer)
		if _, twice := got[at]; twice {
			t.Errorf("%+v is told twice", one)
		}
		got[at] = one.BytesOut
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// documentsOfDays are flows of three days, of two hosts.
func documentsOfDays() []document {
	const day = 24 * time.Hour
	var docs []document
	for _, s := range []contract.Seen{
		seen(3*day, ownHost, "198.51.100.1", 443, 100, 1), seen(3*day-13*time.Hour, ownHost, "198.51.100.1", 22, 5, 1), seen(2*day+time.Minute, ownHost, "198.51.100.1", 22, 500, 1),
		seen(2*day-time.Minute, ownHost, "198.51.100.2", 22, 700, 1), seen(time.Minute, ownHost, "198.51.100.1", 443, 900, 1),
		seen(time.Minute, "192.0.2.200", "198.51.100.1", 443, 40, 1), seen(time.Minute, "192.0.2.200", ownHost, 443, 77, 1),
	} {
		docs = append(docs, documentsOf(Zeek, s)...)
	}
	return docs
}

func TestCensusOfDays(t *testing.T) {
	both(t, Zeek, documentsOfDays(), func(t *testing.T, s *Store) {
		want := map[string]int64{ownHost + " 0": 100, ownHost + " 52": 5, ownHost + " 95": 500, ownHost + " 96": 700, ownHost + " 287": 900, "192.0.2.200 287": 40}
		// The first day has three groups, which are then too many.
		for _, most := range []int{maxBuckets, 3} {
			s.groupsMost = most
			if got := windowsOf(t, s, censusOf(3, "192.0.2.0/24"), 15*time.Minute); !maps.Equal(got, want) {
				t.Errorf("with %d groups windows are %v, want %v", most, got, want)
			}
		}
	})
}

// TestCensusByHalves has more groups than an answer is made of, for all hosts and not for each.
func TestCensusByHalves(t *testing.T) {
	s := start(t, documentsOfDays()).open(Zeek, func(c *Config) { c.Records = 1 })
	want := map[string]int64{ownHost + " 443 1 198.51.100.1": 1000, ownHost + " 22 2 198.51.100.2": 1205, "192.0.2.200 443 1 198.51.100.1": 40}
	s.groupsMost = 4
	if got := servicesIn(t, s, censusOf(3, "192.0.2.0/24")); !maps.Equal(got, want) {
		t.Errorf("services are %v, want %v", got, want)
	}
	s.groupsMost = 3
	err := s.HostServices(t.Context(), censusOf(3, "192.0.2.0/24"), func(incident.HostService) error { return nil })
	if integrations.KindOf(err) != integrations.Invalid || !errors.Is(err, errGroups) {
		t.Errorf("%v, want that a host has too many groups", err)
	}
}

// TestCensusIsMultiplied has records of sampled packets.
func TestCensusIsMultiplied(t *testing.T) {
	sampled := seen(time.Minute, ownHost, "198.51.100.1", 443, 500, 1)
	sampled.Sampling = 100
	docs := append(documentsOf(NetFlow, sampled), documentsOf(NetFlow, seen(time.Minute, "192.0.2.200", "198.51.100.1", 443, 40, 1))...)
	both(t, NetFlow, docs, func(t *testing.T, s *Store) {
		want := map[string]int64{ownHost + " 443 1 198.51.100.1": 50_000, "192.0.2.200 443 1 198.51.100.1": 40}
		if got := servicesIn(t, s, censusOf(1, "192.0.2.0/24")); !maps.Equal(got, want) {
			t.Errorf("services are %v, want %v", got, want)
		}
		want = map[string]int64{ownHost + " 23": 50_000, "192.0.2.200 23": 40}
		if got := windowsOf(t, s, censusOf(1, "192.0.2.0/24"), time.Hour); !maps.Equal(got, want) {
			t.Errorf("windows are %v, want %v", got, want)
		}
	})
}

// TestCensusOfForwarders has an interface that forwards for a host: what left is the host's.
func TestCensusOfForwarders(t *testing.T) {
	docs := documentsOf(AWSVPC, seen(2*time.Minute, ownHost, "198.51.100.1", 443, 500, 0))
	docs = append(docs, with(docs[0], document{
		sourceIP: "192.0.2.250", "aws.vpcflow.pkt_srcaddr": "192.0.2.200", "aws.vpcflow.pkt_dstaddr": "198.51.100.1", sourceBytes: int64(40),
	}))
	both(t, AWSVPC, docs, func(t *testing.T, s *Store) {
		want := map[string]int64{ownHost + " 443 1 198.51.100.1": 500, "192.0.2.200 443 1 198.51.100.1": 40}
		if got := servicesIn(t, s, censusOf(1, "192.0.2.0/24")); !maps.Equal(got, want) {
			t.Errorf("services are %v, want %v", got, want)
		}
	})
}

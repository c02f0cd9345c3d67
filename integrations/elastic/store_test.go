package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const ownHost = "192.0.2.10"

func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

func window() integrations.TrafficQuery {
	return integrations.TrafficQuery{IPs: []string{ownHost}, From: noon().Add(-15 * time.Minute), To: noon(), Top: 3}
}

// seen is a flow of a second that starts so long before noon.
func seen(ago time.Duration, src, dst string, port int, out, in int64) contract.Seen {
	return contract.Seen{Sensor: "north", Sampling: 1, Flow: incident.Flow{
		Start: noon().Add(-ago), Duration: time.Second, BytesOut: out, BytesIn: in, PacketsOut: 2,
		Tuple: incident.Tuple{SrcIP: src, SrcPort: 50000, DstIP: dst, DstPort: port, Transport: "tcp"},
	}}
}

// later is a record that makes the store reach past the window.
func later() contract.Seen { return seen(-time.Minute, "192.0.2.99", "198.51.100.1", 443, 1, 1) }

func is[T comparable](t *testing.T, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

func trafficOf(t *testing.T, s *Store) incident.Traffic {
	t.Helper()
	got, err := s.Traffic(t.Context(), window())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// both runs a test on the records themselves, and on the cluster's sums.
func both(t *testing.T, l Layout, docs []document, test func(t *testing.T, s *Store)) {
	t.Helper()
	for name, records := range map[string]int{"records": maxRecords, "sums": 1} {
		t.Run(name, func(t *testing.T) {
			test(t, start(t, docs).open(l, func(c *Config) { c.Records = records }))
		})
	}
}

func TestPacketbeatsReportsAreOfOneFlow(t *testing.T) {
	var docs []document
	for n := int64(1); n <= 6; n++ {
		f := seen(5*time.Minute, ownHost, "198.51.100.1", 443, 1000*n, 100*n)
		f.Duration = time.Duration(n) * 10 * time.Second
		d := documentOf(Packetbeat, f)
		d[flowFinal] = n == 6
		docs = append(docs, d)
	}
	docs = append(docs, documentOf(Packetbeat, later()))
	both(t, Packetbeat, docs, func(t *testing.T, s *Store) {
		got := trafficOf(t, s)
		is(t, "bytes_out", got.BytesOut, 6000)
		is(t, "bytes_in", got.BytesIn, 600)
		is(t, "flows", got.Flows, 1)
		is(t, "coverage", got.Coverage, string(incident.BothWays))
	})
}

// single is a NetFlow record of one direction.
func single(f contract.Seen) document {
	d := documentOf(NetFlow, f)
	delete(d, destinationBytes)
	delete(d, destinationPackets)
	return d
}

func TestDirectionsAreOneService(t *testing.T) {
	out := seen(5*time.Minute, ownHost, "198.51.100.1", 443, 7000, 0)
	back := seen(5*time.Minute, "198.51.100.1", ownHost, 50000, 400, 0)
	back.SrcPort, back.PacketsOut = 443, 3
	asked := seen(4*time.Minute, "198.51.100.2", ownHost, 53, 60, 0)
	answer := seen(4*time.Minute, ownHost, "198.51.100.2", 50000, 3000, 0)
	answer.SrcPort = 53
	docs := []document{single(out), single(back), single(asked), single(answer), documentOf(NetFlow, later())}
	both(t, NetFlow, docs, func(t *testing.T, s *Store) {
		got := trafficOf(t, s)
		is(t, "bytes_out", got.BytesOut, 10_000)
		is(t, "bytes_in", got.BytesIn, 460)
		is(t, "destinations", got.Destinations, 2)
		top, _ := got.Top.Get()
		if len(top) != 2 || top[0].IP != "198.51.100.1" || top[0].Port != 443 || top[0].Bytes != 7000 || top[1].Bytes != 3000 {
			t.Errorf("top is %+v, want 7000 bytes to port 443 and 3000 of answers", top)
		}
	})
}

// What a host receives proves that it was silent only where its own side is
// seen at all.
func TestSilenceNeedsToBeHeard(t *testing.T) {
	in := seen(5*time.Minute, "198.51.100.1", ownHost, 443, 7000, 0)
	deaf := []document{single(in), documentOf(NetFlow, later())}
	both(t, NetFlow, deaf, func(t *testing.T, s *Store) {
		if got := trafficOf(t, s); got.BytesOut.IsKnown() {
			t.Errorf("bytes_out is %v, though nothing that the host sends is seen", got.BytesOut)
		}
	})
	before := append(deaf, single(seen(5*time.Hour, ownHost, "198.51.100.1", 443, 5, 0)))
	both(t, NetFlow, before, func(t *testing.T, s *Store) { is(t, "bytes_out", trafficOf(t, s).BytesOut, 0) })
}

func TestEveryPageIsRead(t *testing.T) {
	var docs []document
	for i := range pageBuckets + 500 {
		f := seen(5*time.Minute, ownHost, fmt.Sprintf("198.18.%d.%d", i/250, i%250), 53, 100, 10)
		f.Transport = "udp"
		docs = append(docs, documentOf(NetFlow, f))
	}
	docs = append(docs, documentOf(NetFlow, later()))
	both(t, NetFlow, docs, func(t *testing.T, s *Store) {
		got := trafficOf(t, s)
		is(t, "destinations", got.Destinations, pageBuckets+500)
		is(t, "bytes_out", got.BytesOut, 100*(pageBuckets+500))
		if len(got.Sample) == 0 {
			t.Error("there is no sample for the join")
		}
	})
}

func TestFewAndManyRecordsTellTheSame(t *testing.T) {
	var docs []document
	for i := range 300 {
		f := seen(time.Duration(i)*7*time.Minute+time.Minute, ownHost, fmt.Sprintf("198.51.100.%d", i%7), 443, int64(1000+i), 50)
		docs = append(docs, documentOf(Zeek, f))
	}
	docs = append(docs, documentOf(Zeek, later()))
	few, many := start(t, docs).open(Zeek), start(t, docs).open(Zeek, func(c *Config) { c.Records = 1 })
	// Windows of 50 minutes do not begin where hours and days do.
	for _, length := range []time.Duration{30 * time.Minute, 50 * time.Minute} {
		q := integrations.BaselineQuery{IPs: []string{ownHost}, To: noon(), Days: 1, Window: length}
		b1, err1 := few.Baseline(t.Context(), q)
		b2, err2 := many.Baseline(t.Context(), q)
		if err1 != nil || err2 != nil || fmt.Sprint(b1) != fmt.Sprint(b2) || !b1.P99.IsKnown() {
			t.Errorf("the baseline of %s is %v (%v) from records, %v (%v) summed", length, b1, err1, b2, err2)
		}
	}
	s1, err1 := few.Series(t.Context(), window())
	s2, err2 := many.Series(t.Context(), window())
	if err1 != nil || err2 != nil || fmt.Sprint(s1) != fmt.Sprint(s2) || len(s1) != 15 {
		t.Errorf("the series is %v (%v) from records, %v (%v) summed", s1, err1, s2, err2)
	}
}

func TestPartOfAnAnswerIsNone(t *testing.T) {
	shards := func(failed int) map[string]any {
		return map[string]any{"total": 3, "successful": 3 - failed, "failed": failed}
	}
	failure := func(status int, kinds ...string) func(map[string]any) int {
		return func(a map[string]any) int {
			clear(a)
			roots := []any{}
			for _, k := range kinds[1:] {
				roots = append(roots, map[string]any{"type": k, "reason": testKey})
			}
			a["error"] = map[string]any{"type": kinds[0], "root_cause": roots, "reason": testKey}
			return status
		}
	}
	for name, c := range map[string]struct {
		want  integrations.Kind
		spoil func(answer map[string]any) int
	}{
		"the time is up": {integrations.Unavailable, func(a map[string]any) int { a["timed_out"] = true; return http.StatusOK }},
		"a shard failed": {integrations.Unavailable, func(a map[string]any) int { a["_shards"] = shards(1); return http.StatusOK }},
		"too many documents": {integrations.Invalid, func(a map[string]any) int {
			a["terminated_early"] = true
			return http.StatusOK
		}},
		"no search at all": {integrations.Unavailable, func(a map[string]any) int { clear(a); return http.StatusOK }},
		"no memory":        {integrations.Throttled, failure(http.StatusTooManyRequests, "circuit_breaking_exception")},
		"no memory, as a failure": {
			integrations.Throttled,
			failure(http.StatusServiceUnavailable, "search_phase_execution_exception", "circuit_breaking_exception"),
		},
		"no threads":                {integrations.Throttled, failure(http.StatusTooManyRequests, "es_rejected_execution_exception")},
		"too many buckets":          {integrations.Invalid, failure(http.StatusServiceUnavailable, "too_many_buckets_exception")},
		"all shards failed":         {integrations.Unavailable, failure(http.StatusServiceUnavailable, "search_phase_execution_exception")},
		"no privilege":              {integrations.Denied, failure(http.StatusForbidden, "security_exception")},
		"no such index":             {integrations.NotFound, failure(http.StatusNotFound, "index_not_found_exception")},
		"an unknown word":           {integrations.Invalid, failure(http.StatusBadRequest, "parsing_exception")},
		"a type that is not a word": {integrations.Unavailable, failure(http.StatusInternalServerError, testKey)},
		"a gateway's own complaint": {integrations.Unavailable, func(a map[string]any) int { clear(a); return http.StatusBadGateway }},
	} {
		t.Run(name, func(t *testing.T) {
			cl := start(t, []document{documentOf(NetFlow, seen(time.Minute, ownHost, "198.51.100.1", 443, 10, 1)), documentOf(NetFlow, later())})
			s := cl.open(NetFlow)
			cl.mu.Lock()
			cl.broken = c.spoil
			cl.mu.Unlock()
			_, err := s.Traffic(t.Context(), window())
			if e, ok := errors.AsType[*integrations.Error](err); !ok || e.Kind != c.want {
				t.Errorf("traffic: %v, want kind %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), testKey) {
				t.Errorf("the error quotes the cluster: %v", err)
			}
		})
	}
}

func TestRecordThatCannotBeTrue(t *testing.T) {
	for name, spoil := range map[string]func(document){
		"no destination":       func(d document) { delete(d, destinationIP) },
		"a year of duration":   func(d document) { d[eventEnd] = noon().AddDate(1, 0, 0) },
		"too many bytes":       func(d document) { d[sourceBytes] = int64(1) << 60 },
		"a false sampling":     func(d document) { d[samplingInterval] = int64(1) << 40 },
		"an address of a name": func(d document) { d[destinationIP] = "router" },
	} {
		t.Run(name, func(t *testing.T) {
			d := documentOf(NetFlow, seen(time.Minute, ownHost, "198.51.100.1", 443, 10, 1))
			spoil(d)
			_, err := start(t, []document{d, documentOf(NetFlow, later())}).open(NetFlow).Traffic(t.Context(), window())
			if integrations.KindOf(err) != integrations.Unavailable || err == nil {
				t.Errorf("traffic: %v, want unavailable: the record would be missing in the answer", err)
			}
		})
	}
}

// Records without times of the flow itself have their stamp and their duration.
func TestTimesOfRecords(t *testing.T) {
	at := noon().Add(-time.Minute)
	for name, c := range map[string]struct {
		layout     Layout
		set        document
		start, end time.Time
	}{
		"both ends":           {NetFlow, document{eventStart: at, eventEnd: at.Add(time.Second), timeField: noon()}, at, at.Add(time.Second)},
		"a start and a span":  {NetFlow, document{eventStart: at, eventDuration: int64(5e9), timeField: noon()}, at, at.Add(5 * time.Second)},
		"an end and a span":   {NetFlow, document{eventEnd: at, eventDuration: int64(5e9), timeField: noon()}, at.Add(-5 * time.Second), at},
		"a stamp at the end":  {NetFlow, document{timeField: at, eventDuration: int64(5e9)}, at.Add(-5 * time.Second), at},
		"a stamp at the head": {Zeek, document{timeField: at, eventDuration: int64(5e9)}, at, at.Add(5 * time.Second)},
		"a stamp alone":       {NetFlow, document{timeField: at}, at, at},
	} {
		t.Run(name, func(t *testing.T) {
			d := documentOf(c.layout, seen(time.Minute, ownHost, "198.51.100.1", 443, 10, 1))
			for _, name := range []string{timeField, eventStart, eventEnd, eventDuration} {
				delete(d, name)
			}
			for name, v := range c.set {
				d[name] = v
			}
			got := trafficOf(t, start(t, []document{d, documentOf(c.layout, later())}).open(c.layout))
			if len(got.Sample) != 1 || !got.Sample[0].Start.Equal(c.start) || got.Sample[0].Duration != c.end.Sub(c.start) {
				t.Errorf("the flow is %+v, want it from %s to %s", got.Sample, c.start, c.end)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	docs := []document{documentOf(NetFlow, later())}
	basic := func(word integrations.Secret) func(*Config) {
		return func(c *Config) { c.APIKey, c.Username, c.Password = "", testUser, word }
	}
	if _, err := start(t, docs).open(NetFlow, basic(testWord)).Traffic(t.Context(), window()); err != nil {
		t.Errorf("with a user and the right password: %v", err)
	}
	const wrong = "wrong-and-secret"
	for name, set := range map[string]func(*Config){
		"a wrong key": func(c *Config) { c.APIKey = wrong }, "a wrong password": basic(wrong), "no key": func(c *Config) { c.APIKey = "" },
	} {
		s := start(t, docs).open(NetFlow, set)
		_, err := s.Traffic(t.Context(), window())
		if integrations.KindOf(err) != integrations.Denied || strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v, want denied, without the secret", name, err)
		}
		if found := s.Probe(t.Context()); len(found) != 1 || found[0].OK || !strings.Contains(found[0].Fix, "privilege read") {
			t.Errorf("%s: probe found %+v", name, found)
		}
	}
}

func TestCancelledSearch(t *testing.T) {
	c := start(t, []document{documentOf(NetFlow, later())})
	s := c.open(NetFlow)
	c.Break(contract.Hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := s.Traffic(ctx, window()); done <- err }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for c.Calls() == 0 {
		<-tick.C
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("traffic: %v, want cancelled", err)
	}
}

func TestProbe(t *testing.T) {
	found := start(t, []document{documentOf(NetFlow, later())}).open(NetFlow).Probe(t.Context())
	if len(found) != 1 || !found[0].OK || !strings.Contains(found[0].What, "the newest of 2026-03-02T12:01:01Z") {
		t.Errorf("probe found %+v", found)
	}
	if found := start(t, nil).open(NetFlow).Probe(t.Context()); len(found) != 1 || found[0].OK || !strings.Contains(found[0].Fix, "layout") {
		t.Errorf("probe of an empty index found %+v", found)
	}
	gone := func(c *Config) { c.Indices = []string{"other-*"} }
	if found := start(t, nil).open(NetFlow, gone).Probe(t.Context()); len(found) != 1 || found[0].OK || !strings.Contains(found[0].Fix, "other-*") {
		t.Errorf("probe of no index found %+v", found)
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, set := range map[string]func(*Config){
		"url is not an address":      func(c *Config) { c.URL = "es.example" },
		"a user, a query":            func(c *Config) { c.URL = "https://a:b@es.example" },
		"would travel in the clear":  func(c *Config) { c.URL = "http://es.example:9200" },
		"layout":                     func(c *Config) { c.Layout = "sflow" },
		"an api_key, or a username":  func(c *Config) { c.Username, c.Password = "u", "p" },
		"with its password":          func(c *Config) { c.APIKey, c.Username = "", "u" },
		"longest":                    func(c *Config) { c.Longest = 0 },
		"records is":                 func(c *Config) { c.Records = 10_001 },
		"documents is":               func(c *Config) { c.Documents = 0 },
		"timeout is":                 func(c *Config) { c.Timeout = time.Hour },
		"invalid field name \"a b\"": func(c *Config) { c.SensorField = "a b" },
		"there are 0 indices":        func(c *Config) { c.Indices = nil },
		`index "_all"`:               func(c *Config) { c.Indices = []string{"_all"} },
		`index "*"`:                  func(c *Config) { c.Indices = []string{"*"} },
		`index "-flows"`:             func(c *Config) { c.Indices = []string{"a", "-flows"} },
		`index "a,b"`:                func(c *Config) { c.Indices = []string{"a,b"} },
		`index "a:flows"`:            func(c *Config) { c.Indices = []string{"a:flows"} },
		`index "a/../_cat"`:          func(c *Config) { c.Indices = []string{"a/../_cat"} },
		`index "a..b"`:               func(c *Config) { c.Indices = []string{"a..b"} },
		`index "<a-{now/d}>"`:        func(c *Config) { c.Indices = []string{"<a-{now/d}>"} },
		`index "a?pretty"`:           func(c *Config) { c.Indices = []string{"a?pretty"} },
		"read authorities":           func(c *Config) { c.CA = "/no/such/file.pem" },
		"invalid layout \"\": must be one of pack": func(c *Config) { c.Layout = "" },
	} {
		c := Spec().NewConfig().(*Config)
		c.URL, c.Indices, c.Layout, c.APIKey = "https://es.example:9200", []string{"flows-*"}, NetFlow, testKey
		set(c)
		_, err := Open(*c)
		if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open: %v, want an invalid error with %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), testKey) {
			t.Errorf("open: the error shows a secret: %v", err)
		}
	}
}

// Every value from outside is one value in the search.
func TestAddressesOnly(t *testing.T) {
	s := start(t, nil).open(NetFlow)
	for _, ip := range []string{`"}},{"match_all":{`, "192.0.2.0/24", "any", ""} {
		q := window()
		q.IPs = []string{ip}
		if _, err := s.Traffic(t.Context(), q); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("traffic of %q: %v, want invalid", ip, err)
		}
	}
}

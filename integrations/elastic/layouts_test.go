package elastic

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// documentsOf are the documents that a writer of the layout stores of a flow, and beside them
// those of the same session that must not count.
func documentsOf(l Layout, seen contract.Seen) []document {
	switch l {
	case AWSVPC, GCPVPC:
		return halvesOf(l, seen)
	case PANOS, FortiGate, FTD:
		return sessionOf(l, seen)
	case Packetbeat, NetFlow, Zeek:
	}
	return []document{documentOf(l, seen)}
}

// halvesOf is a record of each direction in which something was seen.
func halvesOf(l Layout, seen contract.Seen) []document {
	end := seen.Start.Add(seen.Duration)
	base := document{
		timeField: end, dataset: layouts()[l].datasets[0], eventStart: seen.Start, eventEnd: end, transport: seen.Transport,
		layouts()[l].sensor: seen.Sensor,
	}
	if l == GCPVPC {
		base[timeField] = end.Add(30 * time.Second) // the log is written later
	} else {
		base["aws.vpcflow.action"], base["aws.vpcflow.log_status"] = "ACCEPT", "OK"
	}
	var docs []document
	if seen.BytesOut >= 0 || seen.PacketsOut > 0 || seen.BytesIn <= 0 {
		docs = append(docs, with(base, document{
			sourceIP: seen.SrcIP, sourcePort: int64(seen.SrcPort), destinationIP: seen.DstIP, destinationPort: int64(seen.DstPort),
			sourceBytes: seen.BytesOut, sourcePackets: max(0, seen.PacketsOut),
		}))
	}
	if seen.BytesIn > 0 {
		docs = append(docs, with(base, document{
			sourceIP: seen.DstIP, sourcePort: int64(seen.DstPort), destinationIP: seen.SrcIP, destinationPort: int64(seen.SrcPort),
			sourceBytes: seen.BytesIn, sourcePackets: int64(1),
		}))
	}
	return docs
}

// with is a document with more fields; a field of -1 is not there.
func with(base, more document) document {
	d := document{}
	for _, from := range []document{base, more} {
		for name, v := range from {
			if v != int64(-1) {
				d[name] = v
			}
		}
	}
	return d
}

// sessionOf is what a firewall writes of a session.
func sessionOf(l Layout, seen contract.Seen) []document {
	end := seen.Start.Add(seen.Duration)
	base := document{
		timeField: end, dataset: layouts()[l].datasets[0], layouts()[l].sensor: seen.Sensor, transport: seen.Transport,
		eventStart: seen.Start, eventEnd: end, eventDuration: seen.Duration.Nanoseconds(),
		sourceIP: seen.SrcIP, sourcePort: int64(seen.SrcPort), destinationIP: seen.DstIP, destinationPort: int64(seen.DstPort),
		sourceBytes: seen.BytesOut, destinationBytes: seen.BytesIn, sourcePackets: max(0, seen.PacketsOut), destinationPackets: min(seen.BytesIn, 1),
	}
	early := document{timeField: seen.Start, eventEnd: seen.Start, eventDuration: int64(0), sourceBytes: int64(1000), destinationBytes: int64(1000)}
	switch l {
	case PANOS:
		base["panw.panos.type"], base["panw.panos.sub_type"], early["panw.panos.sub_type"] = "TRAFFIC", "end", "start"
	case FTD:
		base[eventCode], early[eventCode], base[eventType] = "430003", "430002", "connection"
	case FortiGate:
		id := fnv.New32a()
		_, _ = fmt.Fprint(id, seen)
		delete(base, eventEnd)
		base[eventStart] = end // when it was logged
		base["fortinet.firewall.type"], base["fortinet.firewall.action"], base[eventCode] = "traffic", "close", "0000000013"
		base["fortinet.firewall.sessionid"] = int64(id.Sum32())
		half := seen.Start.Add(seen.Duration / 2)
		return []document{
			with(base, document{"fortinet.firewall.action": "start", eventCode: "0000000015", sourceBytes: int64(1000)}),
			with(base, document{
				timeField: half, eventStart: half, eventDuration: (seen.Duration / 2).Nanoseconds(), "fortinet.firewall.action": "accept",
				eventCode: "0000000020", sourceBytes: max(-1, seen.BytesOut/2), destinationBytes: seen.BytesIn / 2,
			}),
			with(base, nil),
		}
	}
	return []document{with(base, early), with(base, nil)}
}

// What did not pass the firewall did not leave.
func TestWhatWasRefusedDidNotLeave(t *testing.T) {
	for l, refused := range map[Layout]document{
		AWSVPC:    {"aws.vpcflow.action": "REJECT"},
		PANOS:     {"panw.panos.sub_type": "deny"},
		FortiGate: {"fortinet.firewall.action": "deny", eventCode: "0000000013", "fortinet.firewall.sessionid": int64(1)},
		FTD:       {eventType: "denied"},
	} {
		t.Run(string(l), func(t *testing.T) {
			passed := documentsOf(l, seen(5*time.Minute, ownHost, "198.51.100.1", 443, 5000, 0))
			docs := append(passed, with(passed[len(passed)-1], refused), with(documentsOf(l, later())[len(documentsOf(l, later()))-1], nil))
			docs[len(docs)-2][destinationIP], docs[len(docs)-2][sourceBytes] = "198.51.100.2", int64(9_000_000)
			both(t, l, docs, func(t *testing.T, s *Store) { is(t, "bytes_out", trafficOf(t, s).BytesOut, 5000) })
		})
	}
}

// The last of several records of a session counts, in whatever order the cluster returns those of
// one moment.
func TestRecordsOfASessionOfOneMoment(t *testing.T) {
	session := documentsOf(FortiGate, seen(5*time.Minute, ownHost, "198.51.100.1", 443, 5000, 400))
	interim, last := session[1], session[2]
	interim[timeField], interim[eventStart] = last[timeField], last[eventStart]
	for _, docs := range [][]document{{interim, last}, {last, interim}} {
		both(t, FortiGate, append(docs, documentsOf(FortiGate, later())...), func(t *testing.T, s *Store) {
			is(t, "bytes_out", trafficOf(t, s).BytesOut, 5000)
		})
	}
}

// A dataset of a firewall also has alerts and other events, which are no flows.
func TestOtherDocumentsAreNoFlows(t *testing.T) {
	for l, other := range map[Layout]document{
		PANOS:     {"panw.panos.type": "THREAT", "panw.panos.sub_type": "end"},
		FortiGate: {"fortinet.firewall.type": "utm"},
		FTD:       {eventCode: "430001"},
	} {
		t.Run(string(l), func(t *testing.T) {
			docs := documentsOf(l, seen(5*time.Minute, ownHost, "198.51.100.1", 443, 5000, 0))
			alert := with(docs[len(docs)-1], other)
			delete(alert, destinationIP) // as it would be without a connection
			docs = append(append(docs, alert), documentsOf(l, later())...)
			both(t, l, docs, func(t *testing.T, s *Store) { is(t, "bytes_out", trafficOf(t, s).BytesOut, 5000) })
		})
	}
}

// Where skipped data may hide what a host sent, nothing is not known to be nothing, and a volume
// is the least.
func TestSkippedDataIsUnknown(t *testing.T) {
	sent := documentsOf(AWSVPC, seen(5*time.Minute, ownHost, "198.51.100.1", 443, 5000, 0))
	before := documentsOf(AWSVPC, seen(time.Hour, ownHost, "198.51.100.1", 443, 5000, 0))
	gap := func(sensor, status string) document {
		return document{
			timeField: noon().Add(-6 * time.Minute), eventStart: noon().Add(-8 * time.Minute), eventEnd: noon().Add(-6 * time.Minute),
			dataset: "aws.vpcflow", "aws.vpcflow.interface_id": sensor, "aws.vpcflow.log_status": status,
		}
	}
	newest := documentsOf(AWSVPC, later())
	for name, c := range map[string]struct {
		docs    []document
		known   bool
		atLeast bool
		points  int
	}{
		"a volume is the least":               {[]document{sent[0], gap("north", "SKIPDATA")}, true, true, 13},
		"nothing is unknown":                  {[]document{before[0], gap("north", "SKIPDATA")}, false, true, 13},
		"another interface":                   {[]document{sent[0], gap("south", "SKIPDATA")}, true, false, 15},
		"a host that was never seen":          {[]document{gap("south", "SKIPDATA")}, false, true, 13},
		"no data is quiet":                    {[]document{before[0], gap("north", "NODATA")}, true, false, 15},
		"nothing before the host's own hours": {[]document{sent[0], gap("", "SKIPDATA")}, true, true, 13},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, AWSVPC, append(c.docs, newest...), func(t *testing.T, s *Store) {
				got := trafficOf(t, s)
				if got.BytesOut.IsKnown() != c.known || (len(got.AtLeast) > 0) != c.atLeast {
					t.Errorf("bytes_out is %v, at least because of %q; want known %t, at least %t", got.BytesOut, got.AtLeast, c.known, c.atLeast)
				}
				points, err := s.Series(t.Context(), window())
				if err != nil || len(points) != c.points {
					t.Errorf("the series has %d points (%v), want %d", len(points), err, c.points)
				}
				survey, err := s.Survey(t.Context(), window().From, window().To)
				if err != nil || strings.Contains(survey.AtLeast, "it skipped data") != (c.docs[len(c.docs)-1]["aws.vpcflow.log_status"] == "SKIPDATA") {
					t.Errorf("the survey says %q (%v)", survey.AtLeast, err)
				}
			})
		})
	}
}

// Both ends report a flow between two hosts of a VPC, and no other field tells the reports apart.
func TestBothEndsReportOneFlow(t *testing.T) {
	inside := seen(5*time.Minute, ownHost, "192.0.2.20", 445, 5000, 700)
	outside := seen(4*time.Minute, ownHost, "198.51.100.1", 443, 300, 20)
	var docs []document
	for _, end := range []string{"SRC", "DEST"} {
		inside.Sensor = end
		docs = append(docs, documentsOf(GCPVPC, inside)...)
	}
	outside.Sensor = "SRC"
	halves := documentsOf(GCPVPC, outside)
	halves[1]["gcp.vpcflow.reporter"] = "DEST" // the answer's destination
	docs = append(append(docs, halves...), documentsOf(GCPVPC, later())...)
	both(t, GCPVPC, docs, func(t *testing.T, s *Store) {
		got := trafficOf(t, s)
		is(t, "bytes_out", got.BytesOut, 5300)
		is(t, "bytes_in", got.BytesIn, 720)
	})
	c := Spec().NewConfig().(*Config)
	c.URL, c.Indices, c.Layout, c.SensorField = "https://es.example:9200", []string{"flows-*"}, GCPVPC, "agent.name"
	if _, err := Open(*c); integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), "sensor_field") {
		t.Errorf("open: %v, want sensor_field refused: the two reports would add up", err)
	}
}

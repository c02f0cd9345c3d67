package elastic

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

func sample(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "contract", "testdata", "network-logs", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func whole(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awsDocument is what the integration stores of a line: a field whose value is a dash is not
// there.
func awsDocument(t *testing.T, header, line string) document {
	t.Helper()
	fields := map[string]string{}
	values := strings.Fields(line)
	for i, name := range strings.Fields(header) {
		if values[i] != "-" {
			fields[strings.ReplaceAll(name, "-", "_")] = values[i]
		}
	}
	start, end := time.Unix(whole(t, fields["start"]), 0).UTC(), time.Unix(whole(t, fields["end"]), 0).UTC()
	d := document{timeField: end, eventStart: start, eventEnd: end, dataset: "aws.vpcflow"}
	for name, v := range fields {
		switch name {
		case "srcaddr":
			d[sourceIP] = v
		case "dstaddr":
			d[destinationIP] = v
		case "srcport":
			d[sourcePort] = whole(t, v)
		case "dstport":
			d[destinationPort] = whole(t, v)
		case "protocol":
			d[protocolNumber], d[transport] = v, map[string]string{"6": "tcp", "17": "udp"}[v]
		case "packets":
			d[sourcePackets] = whole(t, v)
		case "bytes":
			d[sourceBytes] = whole(t, v)
		case "start", "end":
		default:
			d["aws.vpcflow."+name] = v
		}
	}
	return d
}

func awsDocuments(t *testing.T, name string) []document {
	t.Helper()
	lines := sample(t, name)
	var docs []document
	for _, line := range lines[1:] {
		docs = append(docs, awsDocument(t, lines[0], line))
	}
	return docs
}

func gcpDocuments(t *testing.T) []document {
	t.Helper()
	var docs []document
	for _, line := range sample(t, "gcp_vpc.jsonl") {
		var in struct {
			Timestamp time.Time
			Payload   struct {
				Connection struct {
					SrcIP    string `json:"src_ip"`
					DestIP   string `json:"dest_ip"`
					From     int64  `json:"src_port"`
					To       int64  `json:"dest_port"`
					Protocol int64
				}
				Sent     string    `json:"bytes_sent"`
				Packets  string    `json:"packets_sent"`
				Start    time.Time `json:"start_time"`
				End      time.Time `json:"end_time"`
				Reporter string
			} `json:"jsonPayload"`
		}
		if err := json.Unmarshal([]byte(line), &in); err != nil {
			t.Fatal(err)
		}
		p := in.Payload
		docs = append(docs, document{
			timeField: in.Timestamp.Add(5 * time.Minute), dataset: "gcp.vpcflow", eventStart: p.Start, eventEnd: p.End,
			sourceIP: p.Connection.SrcIP, sourcePort: p.Connection.From, destinationIP: p.Connection.DestIP, destinationPort: p.Connection.To,
			protocolNumber: strconv.FormatInt(p.Connection.Protocol, 10), transport: "tcp",
			sourceBytes: whole(t, p.Sent), sourcePackets: whole(t, p.Packets), "gcp.vpcflow.reporter": p.Reporter,
		})
	}
	return docs
}

func panosDocuments(t *testing.T) []document {
	t.Helper()
	zone := time.FixedZone("", -5*60*60) // tz_offset of the integration
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006/01/02 15:04:05", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	var docs []document
	for _, line := range sample(t, "panos_traffic.csv.log") {
		f, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil {
			t.Fatal(err)
		}
		start, lasted := at(f[35]), time.Duration(whole(t, f[36]))*time.Second
		docs = append(docs, document{
			timeField: at(f[6]), dataset: "panw.panos", "panw.panos.type": f[3], "panw.panos.sub_type": f[4],
			sourceIP: f[7], destinationIP: f[8], sourcePort: whole(t, f[24]), destinationPort: whole(t, f[25]), transport: f[29],
			"panw.panos.action": f[30], sourceBytes: whole(t, f[32]), destinationBytes: whole(t, f[33]),
			eventStart: start, eventEnd: start.Add(lasted), eventDuration: lasted.Nanoseconds(),
			sourcePackets: whole(t, f[44]), destinationPackets: whole(t, f[45]), "observer.hostname": "fw1",
		})
	}
	return docs
}

func fortigateDocuments(t *testing.T) []document {
	t.Helper()
	pair := regexp.MustCompile(`(\w+)=("[^"]*"|\S+)`)
	var docs []document
	for _, line := range sample(t, "fortigate_traffic.log") {
		f := map[string]string{}
		for _, m := range pair.FindAllStringSubmatch(line, -1) {
			f[m[1]] = strings.Trim(m[2], `"`)
		}
		at, err := time.Parse("2006-01-02 15:04:05 -0700", f["date"]+" "+f["time"]+" "+f["tz"])
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, document{
			timeField: at.UTC(), dataset: "fortinet_fortigate.log", eventStart: time.UnixMilli(whole(t, f["eventtime"]) / 1e6).UTC(),
			eventDuration: whole(t, f["duration"]) * 1e9, eventCode: f["logid"], "observer.name": f["devname"],
			"fortinet.firewall.type": f["type"], "fortinet.firewall.action": f["action"], "fortinet.firewall.sessionid": whole(t, f["sessionid"]),
			sourceIP: f["srcip"], sourcePort: whole(t, f["srcport"]), destinationIP: f["dstip"], destinationPort: whole(t, f["dstport"]),
			transport: "tcp", protocolNumber: f["proto"], sourceBytes: whole(t, f["sentbyte"]), destinationBytes: whole(t, f["rcvdbyte"]),
			sourcePackets: whole(t, f["sentpkt"]), destinationPackets: whole(t, f["rcvdpkt"]),
		})
	}
	return docs
}

// TestRightTotals has the samples of network logs as the integrations store them.
func TestRightTotals(t *testing.T) {
	type host struct {
		ip             string
		sent, received int64
	}
	for name, c := range map[string]struct {
		layout  Layout
		docs    []document
		atLeast bool
		hosts   []host
	}{
		"aws version 2": {AWSVPC, awsDocuments(t, "aws_vpc_v2.log"), true, []host{
			{"10.20.4.42", 300_000_000, 5_000_000}, {"10.20.4.43", 210, 600}, {"2001:db8:20::42", 900_000, 0},
		}},
		"aws behind a NAT gateway": {AWSVPC, awsDocuments(t, "aws_vpc_v5_custom.log"), false, []host{
			{"10.20.4.42", 60_000_000, 1_000_000}, {"10.20.9.9", 0, 0},
		}},
		"gcp":       {GCPVPC, gcpDocuments(t), false, []host{{"10.20.4.42", 65_000_000, 1_000_000}, {"10.20.4.43", 0, 5_000_000}}},
		"panos":     {PANOS, panosDocuments(t), false, []host{{"10.20.4.42", 300_000_000, 5_000_000}, {"10.20.4.43", 0, 0}}},
		"fortigate": {FortiGate, fortigateDocuments(t), false, []host{{"10.20.4.42", 300_000_000, 5_000_000}}},
	} {
		t.Run(name, func(t *testing.T) {
			to := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
			newest := seen(0, "192.0.2.99", "198.51.100.1", 443, 1, 1)
			newest.Start, newest.Sensor = to.Add(time.Second), "another"
			both(t, c.layout, append(c.docs, documentsOf(c.layout, newest)...), func(t *testing.T, s *Store) {
				for _, h := range c.hosts {
					got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{h.ip}, From: to.Add(-15 * time.Minute), To: to, Top: 3})
					if err != nil {
						t.Fatal(err)
					}
					if (len(got.AtLeast) > 0) != c.atLeast {
						t.Errorf("%s: at least because of %q, want %t", h.ip, got.AtLeast, c.atLeast)
					}
					if h.sent == 0 && name == "gcp" {
						// Nothing that the host sent was ever recorded.
						if got.BytesOut.IsKnown() {
							t.Errorf("%s: bytes_out is %v, want unknown", h.ip, got.BytesOut)
						}
					} else {
						is(t, h.ip+": bytes_out", got.BytesOut, h.sent)
					}
					is(t, h.ip+": bytes_in", got.BytesIn, h.received)
				}
			})
		})
	}
}

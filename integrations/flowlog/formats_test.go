package flowlog

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const connFields = `"proto":"udp","duration":0.055616,"orig_bytes":40,"resp_bytes":48,"orig_pkts":1,"orig_ip_bytes":68,"resp_pkts":1,"resp_ip_bytes":76`

// The flow is the same regardless of how a shipper writes the ends and the time of
// Zeek's record.
func TestZeekHoweverItIsShipped(t *testing.T) {
	const ends = `"id.orig_h":"192.168.56.30","id.orig_p":53100,"id.resp_h":"192.168.56.1","id.resp_p":53`
	const nested = `"id":{"orig_h":"192.168.56.30","orig_p":53100,"resp_h":"192.168.56.1","resp_p":53}`
	for _, c := range []struct {
		name, line string
		loses      time.Duration // what the form of the time cannot hold
	}{
		{"nested ends", `{"_path":"conn","ts":1693975909.942982,` + nested + "," + connFields + "}", 0},
		{"nested ends, no path", `{"ts":1693975909.942982,` + nested + "," + connFields + "}", 0},
		{"nested ends in an envelope", `{"data":{"ts":1693975909.942982,` + nested + "," + connFields + "}}", 0},
		{"milliseconds", `{"ts":1693975909942,` + ends + "," + connFields + "}", time.Millisecond},
		{"milliseconds with a fraction", `{"ts":1693975909942.982,` + ends + "," + connFields + "}", 0},
		{"milliseconds with an exponent", `{"ts":1.693975909942982e12,` + ends + "," + connFields + "}", time.Millisecond},
		{"microseconds", `{"ts":1693975909942982,` + ends + "," + connFields + "}", 0},
		{"nanoseconds", `{"ts":1693975909942982000,` + nested + "," + connFields + "}", 0},
		{"seconds as text", `{"ts":"1693975909.942982",` + ends + "," + connFields + "}", 0},
		{"ISO 8601", `{"ts":"2023-09-06T04:51:49.942982Z",` + ends + "," + connFields + "}", 0},
		{"ISO 8601 with an offset", `{"ts":"2023-09-06T06:51:49.942982+02:00",` + nested + "," + connFields + "}", 0},
		{"ISO 8601 without T", `{"ts":"2023-09-06 04:51:49.942982",` + ends + "," + connFields + "}", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, bad, err := readAll(t, c.line+"\n")
			if err != nil || len(bad) > 0 || len(got) != 1 {
				t.Fatalf("%d flows, complaints: %v %v", len(got), bad, err)
			}
			if off := dns().Start.Sub(got[0].Start); off < 0 || off > c.loses {
				t.Errorf("it begins at %s, want %s", got[0].Start, dns().Start)
			}
			got[0].Start = dns().Start
			if diff := cmp.Diff([]flowmath.Record{dns()}, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// otherLogs are lines of other logs of Zeek that do not name their log.
func otherLogs() []string {
	const ends = `"ts":1772334000.1,"uid":"C1","id.orig_h":"10.20.4.1","id.orig_p":53000,"id.resp_h":"10.0.0.1","id.resp_p":53,`
	return []string{
		`{` + ends + `"proto":"udp","trans_id":1,"query":"x.example","rcode":0}`,
		`{` + ends + `"proto":"udp","facility":"LOCAL0","severity":"INFO","message":"x"}`,
		`{` + ends + `"duration":3.5,"version":"2c","community":"public","get_requests":4}`,
		`{` + ends + `"trans_depth":1,"method":"GET","host":"x.example","request_body_len":0,"response_body_len":9}`,
		`{` + ends + `"version":"TLSv12","server_name":"x.example","established":true}`,
		`{` + ends + `"fuid":"F1","source":"HTTP","duration":0.1,"local_orig":true,"is_orig":false,"seen_bytes":4096}`,
		`{` + ends + `"proto":"tcp","note":"Scan::Port_Scan","msg":"x","src":"10.20.4.1","dst":"10.0.0.1","p":53}`,
		`{` + ends + `"name":"data_before_established","notice":false}`,
		`{"ts":1772334000.1,"uid":"C1","id":{"orig_h":"10.20.4.1","orig_p":53000,"resp_h":"10.0.0.1","resp_p":53},"proto":"udp","query":"x.example"}`,
		`{"ts":1772334000100,"uid":"C1","id_orig_h":"10.20.4.1","id_resp_h":"10.0.0.1","proto":"tcp","analyzer":"SSL","failure_reason":"x"}`,
	}
}

func TestOtherLogsOfZeekAreNoFlows(t *testing.T) {
	conn := `{"ts":1693975909.942982,"id.orig_h":"192.168.56.30","id.orig_p":53100,"id.resp_h":"192.168.56.1","id.resp_p":53,` + connFields + `}`
	for _, line := range otherLogs() {
		got, bad, err := readAll(t, line+"\n")
		if len(got) > 0 || len(bad) > 0 || !errors.Is(err, ErrOtherLog) || !errors.Is(err, ErrUnrecognised) || !strings.Contains(err.Error(), "not a conn log") {
			t.Errorf("%s is %v, %v, %v", line, got, bad, err)
		}
		if got, bad, err := readAll(t, line+"\n"+conn+"\n"+line+"\n"); len(got) != 1 || len(bad) > 0 || err != nil {
			t.Errorf("with a conn log %s is %v, %v, %v", line, got, bad, err)
		}
	}
	const dnsTSV = "#separator \\x09\n#unset_field\t-\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tquery\n" +
		"1693975909.942982\tC1\t192.168.56.30\t53100\t192.168.56.1\t53\tudp\tx.example\n"
	if got, bad, err := readAll(t, dnsTSV); len(got) > 0 || len(bad) > 0 || !errors.Is(err, ErrOtherLog) {
		t.Errorf("a dns.log without a path is %v, %v, %v", got, bad, err)
	}
	// Many of them before the first flow are no reason to give up.
	many := strings.Repeat(strings.Join(otherLogs(), "\n")+"\n", 2*maxUnrecognised/len(otherLogs()))
	if got, _, err := readAll(t, many+conn+"\n"); len(got) != 1 || err != nil {
		t.Errorf("a flow after %d lines of other logs is %v, %v", strings.Count(many, "\n"), got, err)
	}
}

// Suricata's netflow events are of one direction each.
func TestNetflowOfSuricata(t *testing.T) {
	const head = `{"timestamp":"2026-11-29T01:00:35.000000+0000","flow_id":12345,"event_type":"netflow","host":"ids",`
	got, bad, err := readAll(t,
		head+`"src_ip":"10.20.4.46","src_port":50000,"dest_ip":"198.51.100.7","dest_port":443,"proto":"TCP",`+
			`"netflow":{"pkts":800,"bytes":1040000,"start":"2026-11-29T01:00:31.000000+0000","end":"2026-11-29T01:00:35.500000+0000","age":4}}`+"\n"+
			head+`"src_ip":"198.51.100.7","src_port":443,"dest_ip":"10.20.4.46","dest_port":50000,"proto":"TCP",`+
			`"netflow":{"pkts":9,"bytes":540,"start":"2026-11-29T01:00:31.000000+0000","end":"2026-11-29T01:00:35.500000+0000","age":4}}`+"\n")
	if err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	one := flowmath.Record{
		Start: time.Date(2026, 11, 29, 1, 0, 31, 0, time.UTC), Duration: 4500 * time.Millisecond,
		Src: netip.MustParseAddr("10.20.4.46"), SrcPort: 50000, Dst: netip.MustParseAddr("198.51.100.7"), DstPort: 443, Transport: "tcp",
		Orig: counted(flowmath.NotSeen, 1_040_000, 800), Resp: flowmath.Unseen(), Sampling: 1, Single: true, Sensor: "ids",
	}
	other := one
	other.Src, other.SrcPort, other.Dst, other.DstPort, other.Orig = one.Dst, one.DstPort, one.Src, one.SrcPort, counted(flowmath.NotSeen, 540, 9)
	if diff := cmp.Diff([]flowmath.Record{one, other}, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

// The error of a file without a flow names what it would have to contain.
func TestLacks(t *testing.T) {
	for log, want := range map[string]string{
		`{"event_type":"alert","alert":{"signature":"x"}}`:                              "add flow to types of the output eve-log",
		`{"event_type":"stats","stats":{"flow":{"total":1}}}`:                           "add flow to types of the output eve-log",
		`{"_path":"dns","ts":1,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2"}`:          "no conn log",
		"#path\tdns\n#fields\tts\tid.orig_h\tid.resp_h\n1693975909\t10.0.0.1\t10.0.0.2": "no conn log",
		"": "",
	} {
		r, err := NewReader(strings.NewReader(log+"\n"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var rec flowmath.Record
		for err == nil {
			err = r.Next(&rec)
		}
		if got := r.Lacks(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q lacks %q, want %q", log, got, want)
		}
	}
}

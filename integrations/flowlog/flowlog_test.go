package flowlog

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// readAll returns the records and the errors of a log.
func readAll(tb testing.TB, log string) (records []flowmath.Record, bad []string, err error) {
	tb.Helper()
	r, err := NewReader(strings.NewReader(log), Options{})
	if err != nil {
		return nil, nil, err
	}
	for {
		var rec flowmath.Record
		err := r.Next(&rec)
		if b, ok := errors.AsType[*BadLine](err); ok {
			bad = append(bad, b.Error())
			continue
		}
		if errors.Is(err, io.EOF) {
			return records, bad, nil
		}
		if err != nil {
			return records, bad, err
		}
		records = append(records, rec)
	}
}

func counted(bytes, onWire, packets int64) flowmath.Side {
	return flowmath.Side{Bytes: bytes, IPBytes: onWire, Packets: packets}
}

func dns() flowmath.Record {
	return flowmath.Record{
		Start: time.Unix(1693975909, 942982000).UTC(), Duration: 55616 * time.Microsecond,
		Src: netip.MustParseAddr("192.168.56.30"), SrcPort: 53100, Dst: netip.MustParseAddr("192.168.56.1"), DstPort: 53,
		Transport: "udp", Orig: counted(40, 68, 1), Resp: counted(48, 76, 1), Sampling: 1,
	}
}

func TestFormats(t *testing.T) {
	sampled := flowmath.Record{
		Start: time.Unix(0, 1681583295157626000).UTC(), Src: netip.MustParseAddr("fd01::1"), Dst: netip.MustParseAddr("fd01::2"),
		SrcPort: 443, DstPort: 50001, Transport: "tcp", Orig: counted(flowmath.NotSeen, 1500, 1), Resp: flowmath.Unseen(), Sampling: 100, Single: true,
		Sensor: "192.168.0.1",
	}
	flow := dns()
	flow.Orig, flow.Resp, flow.Sensor = counted(flowmath.NotSeen, 68, 1), counted(flowmath.NotSeen, 76, 1), `eve "north"`
	named := dns()
	named.Sensor = "zeek.example"
	const header = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
	const fields = "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\tresp_bytes\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n"
	const row = "1693975909.942982\tC1\t192.168.56.30\t53100\t192.168.56.1\t53\tudp\t0.055616\t40\t48\t1\t68\t1\t76\n"
	const zeek = `"ts":1693975909.942982,"id.orig_h":"192.168.56.30","id.orig_p":53100,"id.resp_h":"192.168.56.1","id.resp_p":53,` +
		`"proto":"udp","duration":0.055616,"orig_bytes":40,"resp_bytes":48,"orig_pkts":1,"orig_ip_bytes":68,"resp_pkts":1,"resp_ip_bytes":76`
	for _, c := range []struct {
		name, log string
		want      []flowmath.Record
	}{
		{"TSV", header + fields + row, []flowmath.Record{dns()}},
		{"TSV of Windows", strings.ReplaceAll(header+fields+row, "\n", "\r\n"), []flowmath.Record{dns()}},
		{"TSV without an end", header + fields + strings.TrimSuffix(row, "\n"), []flowmath.Record{dns()}},
		{
			"TSV by comma, other words for nothing", "#separator ,\n#unset_field,NIL\n#fields,proto,ts,id.orig_h,id.resp_h,orig_bytes\nudp,1693975909.5,10.0.0.1,10.0.0.2,NIL\n",
			[]flowmath.Record{{Start: time.Unix(1693975909, 5e8).UTC(), Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Transport: "udp", Orig: flowmath.Unseen(), Resp: flowmath.Unseen(), Sampling: 1}},
		},
		{
			"TSV with a second header", header + fields + row + "#close\n#fields\tproto\tts\tid.orig_h\tid.resp_h\n" + "tcp\t1693975909\t::ffff:10.0.0.1\t10.0.0.2\n",
			[]flowmath.Record{dns(), {Start: time.Unix(1693975909, 0).UTC(), Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), Transport: "tcp", Orig: flowmath.Unseen(), Resp: flowmath.Unseen(), Sampling: 1}},
		},
		{"another log of Zeek", strings.Replace(header, "conn", "dns", 1) + fields + row, nil},
		{"JSON", "{" + zeek + "}\n", []flowmath.Record{dns()}},
		{"JSON with underscores and a name", `{"@stream":"conn","@system":"zeek.example",` + strings.ReplaceAll(zeek, "id.", "id_") + "}\n", []flowmath.Record{named}},
		{"JSON in an envelope", `{"_event_time":"x","data":{` + zeek + `},"_meta":{"source":"zeek","n":[1,{"a":"}"}]}}` + "\n", []flowmath.Record{dns()}},
		{"JSON over lines", "{\n " + strings.ReplaceAll(zeek, ",", ",\n ") + "\n}\n{\n " + zeek + "\n}", []flowmath.Record{dns(), dns()}},
		{"JSON with an ISO time", strings.Replace("{"+zeek+"}\n", "1693975909.942982", `"2023-09-06T04:51:49.942982Z"`, 1), []flowmath.Record{dns()}},
		{"JSON of another log", `{"_path":"dns",` + zeek + "}\n", nil},
		{"goflow2", `{"type":"SFLOW_5","sampling_rate":100,"sampler_address":"192.168.0.1","time_flow_start_ns":1681583295157626000,"time_flow_end_ns":1681583295157626000,` +
			`"bytes":1500,"packets":1,"src_addr":"fd01::1","dst_addr":"fd01::2","proto":"TCP","src_port":443,"dst_port":50001}`, []flowmath.Record{sampled}},
		{"EVE among other events", `{"event_type":"alert","alert":{"signature":"x"}}` + "\n" +
			`{"timestamp":"2023-09-06T06:51:50.1+0200","event_type":"flow","host":"eve \"north\"","src_ip":"192.168.56.30","src_port":53100,"dest_ip":"192.168.56.1","dest_port":53,"proto":"UDP",` +
			`"flow":{"pkts_toserver":1,"pkts_toclient":1,"bytes_toserver":68,"bytes_toclient":76,"start":"2023-09-06T06:51:49.942982+0200","end":"2023-09-06T06:51:49.998598+0200"}}` + "\n", []flowmath.Record{flow}},
		{"blank lines", "\n\n{" + zeek + "}\n\n", []flowmath.Record{dns()}},
		{"nothing", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, bad, err := readAll(t, c.log)
			if err != nil || len(bad) > 0 {
				t.Fatalf("complaints: %v %v", bad, err)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneWayIsNotZero(t *testing.T) {
	row := func(history, state string, origBytes, origPackets, respPackets string) string {
		return fmt.Sprintf(`{"ts":1693975909,"id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","proto":"udp","conn_state":%q,"history":%q,"orig_bytes":%s,"orig_pkts":%s,"orig_ip_bytes":%s,"resp_pkts":%s}`,
			state, history, origBytes, origPackets, origPackets, respPackets) + "\n"
	}
	for _, c := range []struct {
		name, log string
		want      bool
	}{
		{"answers only", row("^d", "SHR", "0", "0", "4"), true},
		{"answers only, byte counts unset", row("^d", "SHR", "null", "0", "1"), true},
		{"swapped ends, nothing counted", row("^cC", "OTH", "null", "0", "0"), true},
		{"packets with a bad checksum only", row("C", "OTH", "null", "0", "0"), true},
		{"a request without an answer", row("D", "S0", "32", "1", "0"), false},
		{"both ways", row("Dd", "SF", "32", "1", "1"), false},
		{"a connection reset without data", row("Sr", "REJ", "0", "1", "1"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, bad, err := readAll(t, c.log)
			if err != nil || len(bad) > 0 || len(got) != 1 {
				t.Fatalf("read %v, %v, %v", got, bad, err)
			}
			if got[0].OneWay != c.want {
				t.Errorf("one-way is %v, want %v", got[0].OneWay, c.want)
			}
		})
	}
}

func TestUnfinishedLineStaysUnread(t *testing.T) {
	const header = "#fields\tts\tid.orig_h\tid.resp_h\tproto\torig_bytes\n"
	const row = "1693975909\t10.0.0.1\t10.0.0.2\tudp\t5\n"
	r, err := NewReader(strings.NewReader(header+row+row[:20]), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rec flowmath.Record
	if err := r.Next(&rec); err != nil {
		t.Fatal(err)
	}
	if err := r.Next(&rec); !errors.Is(err, io.EOF) {
		t.Fatalf("the unfinished line gives %v, want the end", err)
	}
	if want := int64(len(header + row)); r.Offset() != want {
		t.Errorf("read up to %d, want %d", r.Offset(), want)
	}
}

func TestTornGzip(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for range 1000 {
		if _, err := io.WriteString(w, `{"event_type":"alert"}`+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := readAll(t, b.String()[:b.Len()-9])
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v, want an unexpected end", err)
	}
}

func TestManyWrongLinesEndTheReading(t *testing.T) {
	_, bad, err := readAll(t, strings.Repeat("no\n", 5*maxUnrecognised))
	if !errors.Is(err, ErrUnrecognised) || len(bad) >= maxUnrecognised {
		t.Errorf("%d bad lines, then %v; want to stop before %d", len(bad), err, maxUnrecognised)
	}
}

// seeds are the corpus of the fuzz targets, in addition to testdata/fuzz.
func seeds() []string {
	return []string{
		"#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_bytes\n1693975909.942982\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t5\n",
		`{"ts":1588205198.89971,"id_orig_h":"10.0.1.4","id_orig_p":64842,"id_resp_h":"10.0.0.4","id_resp_p":53,"proto":"udp","history":"Dd","orig_bytes":39}`,
		`{"data":{"ts":1780970813.4,"id.orig_h":"192.168.4.245","id.resp_h":"192.168.4.242","proto":"tcp"},"_meta":{"a":[1,"}"]}}`,
		`{"type":"SFLOW_5","sampling_rate":100,"time_flow_start_ns":1681583295157626000,"bytes":1500,"src_addr":"fd01::1","dst_addr":"fd01::2","proto":"TCP"}`,
		`{"event_type":"flow","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","proto":"UDP","flow":{"start":"2023-09-06T06:51:49.942982+0200","bytes_toserver":68}}`,
		"{\n \"a\": 1\n}\n", "\x1f\x8b\x08", "#fields\tts\n\n-\n", `{"a":"\u0041\"`, "{\"a\":{\"b\":[{}]}}\n{}\n",
	}
}

// FuzzReader checks what the store relies on: the reader ends, it never returns an
// implausible record, and reading in two parts returns the same as reading at once.
func FuzzReader(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		r, err := NewReader(bytes.NewReader(log), Options{})
		if err != nil {
			return
		}
		var rec flowmath.Record
		var offsets []int64
		for n := 0; ; n++ {
			if n > len(log)+1<<20 {
				t.Fatal("the reader does not end")
			}
			err := r.Next(&rec)
			if _, bad := errors.AsType[*BadLine](err); bad {
				continue
			}
			if err != nil {
				break
			}
			if err := rec.Check(); err != nil {
				t.Fatalf("record %+v: %v", rec, err)
			}
			offsets = append(offsets, r.Offset())
		}
		if len(offsets) == 0 {
			return
		}
		// Go on after the first record.
		again, err := NewReader(bytes.NewReader(log), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.SkipTo(offsets[0]); err != nil || again.Offset() != offsets[0] {
			t.Fatalf("skip to %d: at %d, %v", offsets[0], again.Offset(), err)
		}
		again.FinishLine()
		for _, want := range offsets[1:] {
			var err error
			for {
				if err = again.Next(&rec); err == nil {
					break
				}
				if _, bad := errors.AsType[*BadLine](err); !bad {
					t.Fatalf("the second part ends with %v before %d", err, want)
				}
			}
			if again.Offset() != want {
				t.Fatalf("the second part is at %d, want %d", again.Offset(), want)
			}
		}
	})
}

// FuzzMembers compares the JSON scanner with encoding/json: of every valid
// object it finds the same members.
func FuzzMembers(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		got := map[string]string{}
		rest, err := members(line, func(key []byte, v value) error {
			if v.object {
				if _, err := members(v.text, func([]byte, value) error { return nil }); err != nil && json.Valid(v.text) && !deep(v.text) {
					t.Fatalf("nested object %q: %v", v.text, err)
				}
			}
			got[string(key)] = v.plain()
			return nil
		})
		var want map[string]json.RawMessage
		if !utf8.Valid(line) || json.Unmarshal(line, &want) != nil || want == nil || deep(line) {
			return
		}
		if err != nil || len(space(rest)) > 0 {
			t.Fatalf("valid JSON %q: %v, rest %q", line, err, rest)
		}
		for key, raw := range want {
			plain, ok := got[key]
			if !ok && !bytes.Contains(line, []byte(`\`)) {
				t.Fatalf("%q: member %q was not found", line, key)
			}
			var s string
			if ok && len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil && s != plain {
				t.Fatalf("%q: member %q is %q, want %q", line, key, plain, s)
			}
		}
	})
}

// deep reports whether JSON may nest deeper than the scanner goes.
func deep(b []byte) bool { return bytes.Count(b, []byte("{"))+bytes.Count(b, []byte("[")) > maxNesting }

// FuzzNumbers checks that the parsers of single fields keep to their ranges.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1693975909.942982", "-1", "1e300", "NaN", "0x1p4", "99999999999999999999", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "2023-09-06T06:51:49+0200", "."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseSeconds(b); err == nil && d < 0 {
			t.Errorf("%q is read as %s", b, d)
		}
		if n, err := parseCount(b); err == nil && n < 0 {
			t.Errorf("%q is read as %d", b, n)
		}
		if n, ok := parseDigits19(b); ok && n < 0 {
			t.Errorf("%q is read as %d", b, n)
		}
		a, err := parseAddr(b)
		if err != nil {
			return
		}
		want, err := netip.ParseAddr(string(b))
		if err != nil || a != want.Unmap().WithZone("") || a.Zone() != "" || a.Is4In6() {
			t.Errorf("%q is read as %s, want %s (%v)", b, a, want, err)
		}
	})
}

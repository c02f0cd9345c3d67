package splunkfake

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake/spl"
)

// Logging says how a sensor's records become events: add-ons differ in it. The zero value
// writes what the Common Information Model recommends, with the beginning of a flow as the
// time of its event, into the index netfw.
type Logging struct {
	Index string
	// Action is what was done to the traffic; empty is allowed.
	Action string
	// Ends has the time of an event be the end of the flow.
	Ends bool
	// Totals has events with bytes alone, the sum of both directions.
	Totals bool
	// Capitals writes TCP, and Long addresses with all their zeros.
	Capitals, Long bool
	// Names are those that src and dest have instead of addresses, which src_ip and dest_ip
	// have then.
	Names map[netip.Addr]string
	// Interim is how many events with counts so far come before that of a flow's end, which
	// has all. They are of one session_id.
	Interim int
}

// AddRecords adds the records of flows, as a sensor logs them. What a record does not count is
// in no field of its event. The model has no field for a rate of sampling: counts are as the
// sensor wrote them.
func (d *Double) AddRecords(how Logging, records ...flowmath.Record) {
	for i, r := range records {
		for n := range how.Interim + 1 {
			d.AddEvents(how.event(r, n+1, fmt.Sprintf("%s-%d-%d", r.Sensor, r.Start.Unix(), i)))
		}
	}
}

// event is the n-th event of a record.
func (l Logging) event(r flowmath.Record, n int, session string) spl.Event {
	of := l.Interim + 1
	r.Duration = r.Duration * time.Duration(n) / time.Duration(of)
	at := r.Start
	if l.Ends || l.Interim > 0 {
		at = r.End()
	}
	fields := map[string]any{
		"tag": []string{"communicate", "network"}, "transport": r.Transport, "duration": seconds(r.Duration), "vendor_product": "Example Firewall",
		"dvc": r.Sensor, "action": "allowed", "user": r.User,
	}
	if l.Action != "" {
		fields["action"] = l.Action
	}
	if l.Capitals {
		fields["transport"] = strings.ToUpper(r.Transport)
	}
	if l.Interim > 0 {
		fields["session_id"] = session
		if n == of {
			fields["action"] = "teardown"
		}
	}
	for end, a := range map[string]netip.AddrPort{"src": netip.AddrPortFrom(r.Src, r.SrcPort), "dest": netip.AddrPortFrom(r.Dst, r.DstPort)} {
		fields[end], fields[end+"_ip"] = l.address(a.Addr()), l.address(a.Addr())
		if name := l.Names[a.Addr()]; name != "" {
			fields[end] = name
		}
		if r.Transport == "tcp" || r.Transport == "udp" {
			fields[end+"_port"] = strconv.Itoa(int(a.Port()))
		}
	}
	l.counts(fields, r, n)
	index := l.Index
	if index == "" {
		index = "netfw"
	}
	return spl.Event{Time: at, Index: index, Host: r.Sensor, Source: "udp:514", Sourcetype: "example:traffic", Fields: fields}
}

func (l Logging) address(a netip.Addr) string {
	if l.Long {
		return a.StringExpanded()
	}
	return a.String()
}

// counts sets what was counted; a sum where both of its parts were.
func (l Logging) counts(fields map[string]any, r flowmath.Record, n int) {
	put := func(name string, counts ...int64) {
		sum := int64(0)
		for _, c := range counts {
			if c == flowmath.NotSeen {
				return
			}
			sum += c * int64(n) / int64(l.Interim+1)
		}
		fields[name] = strconv.FormatInt(sum, 10)
	}
	out, in := volume(r.Orig), volume(r.Resp)
	put("bytes", out, in)
	put("packets", r.Orig.Packets, r.Resp.Packets)
	if l.Totals {
		return
	}
	put("bytes_out", out)
	put("bytes_in", in)
	put("packets_out", r.Orig.Packets)
	put("packets_in", r.Resp.Packets)
}

func volume(s flowmath.Side) int64 {
	if s.IPBytes != flowmath.NotSeen {
		return s.IPBytes
	}
	return s.Bytes
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// ReadEvents reads events from the lines that an export of results has, into an index.
func ReadEvents(tb testing.TB, from io.Reader, index string) []spl.Event {
	tb.Helper()
	var events []spl.Event
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var line struct{ Result map[string]any }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			tb.Fatalf("read an event: %v", err)
		}
		stamp, _ := line.Result["_time"].(string)
		at, err := time.Parse("2006-01-02T15:04:05.999-07:00", stamp)
		if err != nil {
			tb.Fatalf("read an event: %v", err)
		}
		delete(line.Result, "_time")
		for name, v := range line.Result {
			if several, ok := v.([]any); ok {
				line.Result[name] = texts(several)
			}
		}
		line.Result["tag"] = []string{"communicate", "network"}
		events = append(events, spl.Event{Time: at, Index: index, Host: "export", Sourcetype: "example:traffic", Fields: line.Result})
	}
	if err := lines.Err(); err != nil {
		tb.Fatalf("read events: %v", err)
	}
	return events
}

func texts(values []any) []string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

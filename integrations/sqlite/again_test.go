package sqlite

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// grown returns Zeek's records of one connection of 25 minutes as it grows, and
// when it has ended.
func grown() []string {
	var lines []string
	for _, minutes := range []int64{10, 15, 20, 25} {
		path := "conn_long"
		if minutes == 25 {
			path = "conn"
		}
		payload := minutes * 10_000_000
		lines = append(lines, fmt.Sprintf(`{"_path":%q,"ts":%d,"uid":"C1","id.orig_h":%q,"id.orig_p":40000,"id.resp_h":%q,"id.resp_p":443,"proto":"tcp","duration":%d.0,`+
			`"orig_bytes":%d,"resp_bytes":1000,"conn_state":"S1","history":"ShADad","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":100,"resp_ip_bytes":5000}`+"\n",
			path, begin().Unix(), client, server, minutes*60, payload, payload/1250, payload+payload/31))
	}
	return lines
}

// once fails unless every query returns that the host sent so much in the first hour.
func once(t *testing.T, s *Store, bytes int64) {
	t.Helper()
	q := integrations.TrafficQuery{IPs: []string{client}, From: begin(), To: begin().Add(time.Hour), Top: 5}
	got, err := s.Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "bytes_out", got.BytesOut, bytes)
	want(t, "flows", got.Flows, 1)
	want(t, "coverage", got.Coverage, string(incident.BothWays))
	var sum int64
	for _, p := range series(t, s, q.From, q.To) {
		sum += p.BytesOut
	}
	if sum != bytes {
		t.Errorf("the series adds up to %d, want %d", sum, bytes)
	}
	top, err := s.Top(t.Context(), TopQuery{From: q.From, To: q.To, Limit: 5})
	if err != nil || len(top) == 0 || top[0].IP != client {
		t.Fatalf("the top is %+v, %v", top, err)
	}
	want(t, "bytes_out at the top", top[0].Traffic.BytesOut, bytes)
}

func TestAConnectionThatGrowsCountsOnce(t *testing.T) {
	const bytes = 250_000_000 + 250_000_000/31
	lines := grown()
	for range 6 {
		together, apart := openStore(t, later()), openStore(t, later())
		mustImport(t, together, []byte(strings.Join(lines, "")), ImportOptions{Name: "all"})
		once(t, together, bytes)
		for i, line := range lines { // as files that are written one after the other
			mustImport(t, apart, []byte(line), ImportOptions{Name: fmt.Sprint(i)})
		}
		once(t, apart, bytes)
		rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	}
	open := openStore(t, later()) // so far
	for _, line := range grown()[:2] {
		mustImport(t, open, []byte(line), ImportOptions{Name: line})
	}
	once(t, open, 150_000_000+150_000_000/31)
}

// A sensor that counts less in a longer record disagrees with itself.
func TestASensorThatCountsLessIsNoGrowth(t *testing.T) {
	s := openStore(t, later())
	appendTo(t, s, sent(begin(), 10*time.Minute, 900_000, "north"), sent(begin(), 20*time.Minute, 100_000, "north"))
	got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{client}, From: begin(), To: begin().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "coverage", got.Coverage, string(incident.Disagree))
}

// Suricata can be configured to write each flow as a whole and by direction.
func TestFlowAndNetflowOfSuricataAreOneFlow(t *testing.T) {
	at := func(d time.Duration) string { return begin().Add(d).Format("2006-01-02T15:04:05.000000-0700") }
	head := `{"event_type":%q,"flow_id":7,"host":"ids","src_ip":%q,"src_port":%d,"dest_ip":%q,"dest_port":%d,"proto":"TCP",`
	times := fmt.Sprintf(`"start":%q,"end":%q,"age":5}}`+"\n", at(0), at(5*time.Second))
	flow := fmt.Sprintf(head, "flow", client, 40000, server, 443) + `"flow":{"pkts_toserver":800,"pkts_toclient":9,"bytes_toserver":1040000,"bytes_toclient":540,` + times
	asked := fmt.Sprintf(head, "netflow", client, 40000, server, 443) + `"netflow":{"pkts":800,"bytes":1040000,` + times
	answered := fmt.Sprintf(head, "netflow", server, 443, client, 40000) + `"netflow":{"pkts":9,"bytes":540,` + times
	for name, log := range map[string]string{
		"as a whole": flow, "by direction": asked + answered, "both": flow + asked + answered, "both, the other way round": answered + asked + flow,
	} {
		s := openStore(t, later())
		mustImport(t, s, []byte(log), ImportOptions{Name: name})
		t.Run(name, func(t *testing.T) {
			once(t, s, 1_040_000)
			got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{client}, From: begin(), To: begin().Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			want(t, "bytes_in", got.BytesIn, 540)
			want(t, "packets_out", got.PacketsOut, 800)
		})
	}
}

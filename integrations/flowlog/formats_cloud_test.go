package flowlog_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowlog"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Files of several flow logs are put together, each with a header of its own, and a reader that goes on in the middle
// has to know the last one.
func TestAWSHeadersInTheMiddle(t *testing.T) {
	log := "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n" +
		"2 123456789012 eni-1 10.20.4.42 198.51.100.7 50001 443 6 2 1000 1795909500 1795909558 ACCEPT OK\n" +
		"dstaddr srcaddr bytes start end interface-id\n" +
		"198.51.100.7 10.20.4.43 2000 1795909500 1795909558 eni-2\n" +
		"srcaddr dstaddr bytes start interface-id action\n" +
		"10.20.4.44 198.51.100.7 3000 1795909500 eni-3 ACCEPT\n"
	whole := readFrom(strings.NewReader(log), flowlog.Options{}, 0)
	if whole.err != nil || len(whole.records) != 2 || len(whole.bad) != 2 || !strings.Contains(whole.bad[1], "line 6: the layout lacks") {
		t.Fatalf("%d records, %v %v", len(whole.records), whole.bad, whole.err)
	}
	if r := whole.records[1]; r.Src.String() != "10.20.4.43" || r.Orig.IPBytes != 2000 || r.Sensor != "eni-2" {
		t.Errorf("the record below the second header is %+v", r)
	}
	from := int64(strings.Index(log, "198.51.100.7 10.20.4.43"))
	rest := readFrom(strings.NewReader(log), flowlog.Options{}, from)
	if len(rest.records) != 1 || rest.records[0] != whole.records[1] {
		t.Errorf("from there on it is %+v %v %v", rest.records, rest.bad, rest.err)
	}
}

// A layout that does not say who sent, or when, is no layout.
func TestAWSLayoutsThatLackWhatIsNeeded(t *testing.T) {
	for _, layout := range []string{"srcaddr", "srcaddr dstaddr start", "srcaddr bytes start end", "${srcaddr} ${dstaddr} ${start} ${end} ${by tes}", "srcaddr,dstaddr,start,end"} {
		for _, format := range []string{"aws-vpc", "aws-cloudwatch"} {
			if err := (flowlog.Options{Format: format, Layout: layout}).Check(); err == nil {
				t.Errorf("%s takes the layout %q", format, layout)
			}
		}
	}
	if err := (flowlog.Options{Format: "aws-vpc", Layout: "${pkt-srcaddr} ${pkt-dstaddr} ${start} ${end} ${new-field}"}).Check(); err != nil {
		t.Error(err)
	}
}

// The counts of a tuple of Azure are of the time since the one before, of the five minutes before it where that is not
// known, and of a moment where the flow ended.
func TestAzureCountsAreOfTheTimeBefore(t *testing.T) {
	record := func(tuples ...string) string {
		return `{"category":"NetworkSecurityGroupFlowEvent","macAddress":"M","resourceId":"/X/N","properties":{"Version":2,"flows":[{"rule":"R","flows":[{"mac":"M","flowTuples":["` +
			strings.Join(tuples, `","`) + `"]}]}]}}` + "\n"
	}
	const ends = ",10.20.4.42,198.51.100.7,50001,443,T,O,A,"
	log := record("1795909500"+ends+"B,,,,") + record("1795909560"+ends+"C,1,100,0,0", "1795909600"+ends+"E,1,100,0,0") +
		record("1795909700"+ends+"C,1,100,0,0") + record("1795909650"+ends+"C,1,100,0,0", "1795909710"+ends+"E,1,100,0,0", "1795909710"+ends+"E,1,100,0,0")
	got := readFrom(strings.NewReader(log), flowlog.Options{}, 0)
	want := []struct {
		end    int64
		length time.Duration
	}{{1795909560, time.Minute}, {1795909600, 40 * time.Second}, {1795909700, 5 * time.Minute}, {1795909650, 0}, {1795909710, time.Minute}, {1795909710, 0}}
	if len(got.records) != len(want) {
		t.Fatalf("%d records, want %d: %v %v", len(got.records), len(want), got.bad, got.err)
	}
	for i, r := range got.records {
		if r.End().Unix() != want[i].end || r.Duration != want[i].length {
			t.Errorf("record %d is %s to %s, want %s before %d", i, r.Start, r.End(), want[i].length, want[i].end)
		}
	}
}

// What opens flows without end makes others be forgotten, and never grows.
func TestAzureRemembersSoManyFlows(t *testing.T) {
	var log strings.Builder
	log.WriteString(`{"category":"FlowLogFlowEvent","macAddress":"M","flowRecords":{"flows":[{"flowGroups":[{"rule":"R","flowTuples":[""`)
	for port := range 60000 {
		for _, host := range []string{"42", "43"} {
			log.WriteString(`,"1795909500000,10.20.4.` + host + `,198.51.100.7,` + strconv.Itoa(port) + `,443,6,O,B,NX,0,0,0,0"`)
		}
	}
	log.WriteString(`,"1795909560000,10.20.4.43,198.51.100.7,59999,443,6,O,E,NX,1,100,0,0","1795909560000,10.20.4.42,198.51.100.7,0,443,6,O,E,NX,1,100,0,0"]}]}]}}` + "\n")
	got := readFrom(strings.NewReader(log.String()), flowlog.Options{}, 0)
	if got.err != nil || len(got.records) != 2 || got.skipped != 120000 || len(got.bad) != 1 {
		t.Fatalf("%d records, %d skipped: %v %v", len(got.records), got.skipped, got.bad, got.err)
	}
	if got.records[0].Duration != time.Minute || got.records[1].Duration != 0 {
		t.Errorf("they last %s and %s, want a minute of the one that is remembered, and a moment", got.records[0].Duration, got.records[1].Duration)
	}
}

// Where the bytes of a flow are not known, that is so of either end: each direction has a record that says so, and a field
// with several values says nothing.
func TestUnknownBytesAreUnknownOfBothEnds(t *testing.T) {
	for name, log := range map[string]string{
		"azure-nsg":  `{"category":"NetworkSecurityGroupFlowEvent","macAddress":"M","properties":{"flows":[{"flows":[{"mac":"M","flowTuples":["1795909500,192.0.2.2,10.20.4.44,40000,443,T,I,A"]}]}]}}`,
		"ocsf":       `{"class_uid":4001,"activity_id":6,"time":1795909500000,"src_endpoint":{"ip":"192.0.2.2","port":40000},"dst_endpoint":{"ip":"10.20.4.44","port":443},"connection_info":{"protocol_num":6},"traffic":{"bytes":5}}`,
		"splunk-cim": `{"_time":"1795909500","src_ip":"192.0.2.2","src_port":"40000","dest_ip":"10.20.4.44","dest_port":"443","transport":"tcp","bytes":"5","action":"allowed"}`,
	} {
		got := readFrom(strings.NewReader(log+"\n"), flowlog.Options{}, 0)
		if got.format != name || len(got.records) != 2 {
			t.Fatalf("%s: read as %q, %d records, %v %v", name, got.format, len(got.records), got.bad, got.err)
		}
		there, back := got.records[0], got.records[1]
		if there.Src != back.Dst || there.Dst != back.Src || there.SrcPort != back.DstPort || !there.Single || !back.Single ||
			there.Orig != flowmath.Unseen() || back.Orig != flowmath.Unseen() {
			t.Errorf("%s: the records are %+v and %+v", name, there, back)
		}
	}
	several := `{"_time":"1795909500","src_ip":"192.0.2.2","dest_ip":"10.20.4.44","transport":"tcp","bytes_out":"5","bytes_in":"5","action":["allowed","blocked"]}` + "\n"
	if got := readFrom(strings.NewReader(several), flowlog.Options{}, 0); len(got.records) > 0 || len(got.bad) != 1 {
		t.Errorf("two actions are %+v %v", got.records, got.bad)
	}
}

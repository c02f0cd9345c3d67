package flowlog_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/flowlog"
)

const fortiLine = `date=2026-11-28 time=18:50:00 devname="fg1" devid="FG1" eventtime=1795909620000000000 tz="-0500" logid="0000000013" type="traffic" subtype="forward" ` +
	`vd="root" srcip=10.20.4.42 dstip=198.51.100.7 proto=1 action="accept" duration=120 sentbyte=840 rcvdbyte=420`

// Sessions of ICMP have no ports, and several at once are each further traffic; a long one's records are of what it sent since
// the last one, which adds up, and not of all.
func TestSessionsWithoutPortsAddUp(t *testing.T) {
	log := fortiLine + "\n" + fortiLine + " sentdelta=40 rcvddelta=20 durationdelta=60\n"
	got := readFrom(strings.NewReader(log), flowlog.Options{}, 0)
	if len(got.bad) > 0 || got.err != nil || len(got.records) != 4 {
		t.Fatalf("%d records, %v %v", len(got.records), got.bad, got.err)
	}
	for i, want := range []int64{840, 420, 40, 20} {
		if r := got.records[i]; !r.Single || r.Orig.IPBytes != want {
			t.Errorf("record %d is %+v, want one direction of %d bytes", i, r, want)
		}
	}
	if r := got.records[2]; r.Duration.Seconds() != 60 || got.records[1].Src != r.Dst {
		t.Errorf("the records are %+v", got.records)
	}
}

// A protocol without ports may have ports of 0, and the records of its long sessions are then of what was sent since the last one, too.
func TestPortsOfZeroAreNone(t *testing.T) {
	var log strings.Builder
	for _, sent := range []string{"1000", "2000", "3000"} {
		line := strings.NewReplacer("proto=1", "srcport=0 dstport=0 proto=50", "sentbyte=840", "sentbyte="+sent).Replace(fortiLine)
		log.WriteString(line + " sentdelta=1000 rcvddelta=20\n")
	}
	got := readFrom(strings.NewReader(log.String()), flowlog.Options{}, 0)
	var sent int64
	for _, r := range got.records {
		if r.Src.String() == "10.20.4.42" {
			sent += r.Orig.IPBytes
		}
	}
	if sent != 3000 || len(got.bad) > 0 || got.err != nil {
		t.Errorf("%d bytes were sent, want 3000: %v %v", sent, got.bad, got.err)
	}
}

// Somebody who writes fields into a text of the log, such as a name, must not become somebody else.
func TestFieldsThatComeTwice(t *testing.T) {
	for name, log := range map[string]string{
		"fortigate": fortiLine + " srcip=10.20.4.99",
		"zscaler":   `{"sourcetype":"zscalernss-web","event":{"epochtime":"1795909510","action":"Allowed","reqsize":"1","respsize":"1","cip":"10.20.4.42","sip":"198.51.100.7","cip":"10.20.4.99"}}`,
	} {
		if got := readFrom(strings.NewReader(log+"\n"), flowlog.Options{Format: name}, 0); len(got.records) > 0 || len(got.bad) != 1 || !strings.Contains(got.bad[0], "comes twice") {
			t.Errorf("%s: %d records, %v %v", name, len(got.records), got.bad, got.err)
		}
	}
}

// Of the two addresses of Zscaler's client the private one is the host, whichever name it has.
func TestZscalerHostIsThePrivateAddress(t *testing.T) {
	for _, ends := range []string{`"cip":"10.20.4.42","cintip":"203.0.113.77"`, `"cip":"203.0.113.77","cintip":"10.20.4.42"`, `"cip":"10.20.4.42"`} {
		log := `{"sourcetype":"zscalernss-web","event":{"epochtime":"1795909510","action":"Allowed","reqsize":"9","respsize":"0","sip":"198.51.100.7","eurl":"upload.example:8443/x",` + ends + "}}\n"
		got := readFrom(strings.NewReader(log), flowlog.Options{}, 0)
		if len(got.records) != 1 || got.records[0].Src.String() != "10.20.4.42" || got.records[0].DstPort != 8443 || got.records[0].Orig.Bytes != 9 {
			t.Errorf("%s: %+v %v %v", ends, got.records, got.bad, got.err)
		}
	}
}

// A layout that lacks who sent to whom, or when, or whose values cannot be told apart, is none.
func TestLayoutsOfSquid(t *testing.T) {
	for layout, right := range map[string]bool{
		"%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt": true,
		`%>a [%tl] "%{User-Agent}>h" %http::>st %<a %%`:               true,
		"%ts %>a": false, "%ts%>a %<a": false, "%>a %<a": false, "%ts %>a %<a %<a": false, "%{%H}tl %>a %<a": false, "%ts %>a %<a %": false,
	} {
		if err := (flowlog.Options{Format: "squid", Layout: layout}).Check(); (err == nil) != right {
			t.Errorf("%q: %v", layout, err)
		}
	}
	// A reply that is denied was asked for; a line with more than its layout has another.
	const line = "1795909510.123   9000 10.20.4.42 TCP_DENIED_REPLY/403 5 GET http://x.example/ corp%5Calice HIER_DIRECT/198.51.100.7 -"
	denied := strings.ReplaceAll(line, "_REPLY", "")
	got := readFrom(strings.NewReader(line+"\n"+line+" 9\n"+denied+"\n"), flowlog.Options{Format: "squid"}, 0)
	if len(got.records) != 2 || len(got.bad) != 1 || got.skipped != 1 || got.records[0].User != `corp\alice` || got.records[0].DstPort != 80 {
		t.Errorf("%+v %v %v", got.records, got.bad, got.err)
	}
}

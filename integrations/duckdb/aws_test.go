//go:build duckdb

package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// awsRow is a record of AWS; an empty text is NULL.
type awsRow struct {
	sensor, src, dst, packetSrc, packetDst string
	srcPort, dstPort, protocol             int
	packets, bytes, start, end             int64
	action, status                         string
}

func (r awsRow) values() string {
	null := func(s string) string {
		if s == "" {
			return "NULL::VARCHAR"
		}
		return text(s)
	}
	number := func(n int64, kind string) string {
		if r.status != "OK" || n < 0 {
			return "NULL::" + kind
		}
		return fmt.Sprintf("%d::%s", n, kind)
	}
	return fmt.Sprintf("(5::INTEGER, '123456789012', %s, %s, %s, %s, %s, %s, %s, %s, %d::BIGINT, %d::BIGINT, %s, %s, %s, %s)", null(r.sensor),
		null(r.src), null(r.dst), number(int64(r.srcPort), "INTEGER"), number(int64(r.dstPort), "INTEGER"), number(int64(r.protocol), "INTEGER"),
		number(r.packets, "BIGINT"), number(r.bytes, "BIGINT"), r.start, r.end, null(r.action), null(r.status), null(r.packetSrc), null(r.packetDst))
}

const awsNames = "version, account_id, interface_id, srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, end_, action, log_status, pkt_srcaddr, pkt_dstaddr"

// awsFile is where AWS writes the records that end in the five minutes of a moment, with the
// folders of Hive or without.
func awsFile(folder string, at time.Time, hive bool) string {
	at = at.UTC().Truncate(5 * time.Minute)
	name := at.Format("123456789012_vpcflowlogs_eu-central-1_fl-0a1b2c3d_20060102T1504Z_fe123456.log.parquet")
	name = strings.Replace(name, name[:12], "123456789012", 1)
	days := at.Format("AWSLogs/x/vpcflowlogs/eu-central-1/2006/01/02")
	if hive {
		days = at.Format("AWSLogs/aws-account-id=x/aws-service=vpcflowlogs/aws-region=eu-central-1/year=2006/month=01/day=02/hour=15")
	}
	return filepath.Join(folder, days, name)
}

// writeAWS writes records as AWS does: a file for all that end within five minutes.
func writeAWS(tb testing.TB, folder string, hive bool, rows []awsRow) {
	tb.Helper()
	files := map[string][]string{}
	for _, r := range rows {
		file := awsFile(folder, time.Unix(r.end, 0), hive)
		files[file] = append(files[file], r.values())
	}
	db := free(tb)
	for file, values := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			tb.Fatal(err)
		}
		_, err := db.Exec(fmt.Sprintf(`COPY (SELECT * EXCLUDE (end_), end_ AS "end" FROM (VALUES %s) t(%s)) TO %s (FORMAT parquet, COMPRESSION gzip)`,
			strings.Join(values, ", "), awsNames, text(file)))
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// awsRows is a record of each direction that was seen. AWS counts in seconds.
func awsRows(seen contract.Seen) []awsRow {
	protocol := map[string]int{"tcp": 6, "udp": 17, "icmp": 1}[seen.Transport]
	there := awsRow{
		sensor: seen.Sensor, src: seen.SrcIP, dst: seen.DstIP, srcPort: seen.SrcPort, dstPort: seen.DstPort, protocol: protocol,
		packets: seen.PacketsOut, bytes: seen.BytesOut, start: seen.Start.Unix(), end: seen.Start.Add(seen.Duration).Unix(), action: "ACCEPT", status: "OK",
	}
	back := there
	back.src, back.dst, back.srcPort, back.dstPort = there.dst, there.src, there.dstPort, there.srcPort
	back.bytes, back.packets = seen.BytesIn, 1
	var rows []awsRow
	if seen.BytesOut >= 0 {
		rows = append(rows, there)
	}
	if seen.BytesIn > 0 {
		rows = append(rows, back)
	}
	return rows
}

func TestAWSContract(t *testing.T) {
	const whole = "the layout's records are of all packets"
	for name, hive := range map[string]bool{"hive": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			lay := func(tb testing.TB, folder string, records []contract.Seen) {
				var rows []awsRow
				for _, r := range records {
					rows = append(rows, awsRows(r)...)
				}
				writeAWS(tb, folder, hive, rows)
			}
			h := harness(AWSVPC, lay, nil)
			contract.Hunter(t, h)
			h.Skip = map[string]string{"sampling is applied": whole, "a sampling rate of 0 is not said": whole}
			contract.Flows(t, h)
		})
	}
}

// awsSample is a sample of network logs as AWS would write it in Parquet.
func awsSample(t *testing.T, name string) []awsRow {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "contract", "testdata", "network-logs", name))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	var rows []awsRow
	for _, line := range lines[1:] {
		fields := map[string]string{}
		for i, v := range strings.Fields(line) {
			fields[strings.Fields(lines[0])[i]] = v
		}
		whole := func(name string) (n int64) {
			if fields[name] != "-" {
				if _, err := fmt.Sscan(fields[name], &n); err != nil {
					t.Fatal(err)
				}
			}
			return n
		}
		rows = append(rows, awsRow{
			sensor: fields["interface-id"], src: fields["srcaddr"], dst: fields["dstaddr"], packetSrc: fields["pkt-srcaddr"], packetDst: fields["pkt-dstaddr"],
			srcPort: int(whole("srcport")), dstPort: int(whole("dstport")), protocol: int(whole("protocol")),
			packets: whole("packets"), bytes: whole("bytes"), start: whole("start"), end: whole("end"), action: fields["action"], status: fields["log-status"],
		})
	}
	return rows
}

func awsLater(t time.Time) awsRow {
	return awsRow{
		sensor: "eni-1", src: "192.0.2.99", dst: "198.51.100.1", srcPort: 50000, dstPort: 443, protocol: 6, packets: 1, bytes: 1,
		start: t.Unix(), end: t.Unix() + 1, action: "ACCEPT", status: "OK",
	}
}

func TestAWSRightTotals(t *testing.T) {
	type host struct {
		ip             string
		sent, received int64
	}
	to := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		file    string
		atLeast bool
		hosts   []host
	}{
		"version 2": {"aws_vpc_v2.log", true, []host{
			{"10.20.4.42", 300_000_000, 5_000_000}, {"10.20.4.43", 210, 600}, {"2001:db8:20::42", 900_000, 0},
		}},
		"behind a NAT gateway": {"aws_vpc_v5_custom.log", false, []host{{"10.20.4.42", 60_000_000, 1_000_000}, {"10.20.9.9", 0, 0}}},
	} {
		for _, records := range []int{defaultRecords, 1} {
			t.Run(fmt.Sprintf("%s, %d records", name, records), func(t *testing.T) {
				folder := t.TempDir()
				rows := awsSample(t, c.file)
				for i := range rows {
					if rows[i].packetSrc == "" { // as where AWS does not know one of them
						rows[i].packetSrc, rows[i].packetDst = "-", rows[i].dst
					}
				}
				writeAWS(t, folder, true, append(rows, awsLater(to.Add(time.Minute))))
				s := store(t, folder, AWSVPC, func(c *Config) { c.Records = records })
				for _, h := range c.hosts {
					got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{h.ip}, From: to.Add(-15 * time.Minute), To: to, Top: 3})
					if err != nil {
						t.Fatal(err)
					}
					is(t, h.ip+": bytes_out", got.BytesOut, h.sent)
					is(t, h.ip+": bytes_in", got.BytesIn, h.received)
					if (len(got.AtLeast) > 0) != c.atLeast {
						t.Errorf("%s: at least because of %q, want %t", h.ip, got.AtLeast, c.atLeast)
					}
				}
			})
		}
	}
}

func is(t *testing.T, what string, v incident.Value[int64], want int64) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %d", what, v, want)
	}
}

// Where skipped data may hide what a host sent, nothing is not known to be nothing.
func TestAWSSkippedDataIsUnknown(t *testing.T) {
	to := hour().To
	sent := awsRow{
		sensor: "eni-1", src: "192.0.2.10", dst: "198.51.100.1", srcPort: 50000, dstPort: 443, protocol: 6, packets: 4, bytes: 5000,
		start: to.Unix() - 300, end: to.Unix() - 290, action: "ACCEPT", status: "OK",
	}
	before := sent
	before.start, before.end = sent.start-4000, sent.end-4000
	rejected := sent
	rejected.action, rejected.bytes = "REJECT", 9_000_000
	gap := func(sensor, status string) awsRow {
		return awsRow{sensor: sensor, src: "-", dst: "-", start: to.Unix() - 480, end: to.Unix() - 360, action: "-", status: status}
	}
	for name, c := range map[string]struct {
		rows           []awsRow
		known, atLeast bool
		points         int
	}{
		"a volume is the least":      {[]awsRow{sent, gap("eni-1", "SKIPDATA")}, true, true, 58},
		"nothing is unknown":         {[]awsRow{before, gap("eni-1", "SKIPDATA")}, false, true, 58},
		"another interface":          {[]awsRow{sent, gap("eni-2", "SKIPDATA")}, true, false, 60},
		"a host that was never seen": {[]awsRow{gap("eni-2", "SKIPDATA")}, false, true, 58},
		"no data is quiet":           {[]awsRow{before, gap("eni-1", "NODATA")}, true, false, 60},
		"what was rejected":          {[]awsRow{sent, rejected}, true, false, 60},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			writeAWS(t, folder, false, append(c.rows, awsLater(to.Add(time.Minute))))
			for _, records := range []int{defaultRecords, 1} {
				s := store(t, folder, AWSVPC, func(c *Config) { c.Records = records })
				got, err := s.Traffic(t.Context(), hour())
				if err != nil {
					t.Fatal(err)
				}
				if n, known := got.BytesOut.Get(); known != c.known || n > 5000 || (len(got.AtLeast) > 0) != c.atLeast {
					t.Errorf("bytes_out is %v, at least because of %q; want known %t, at least %t", got.BytesOut, got.AtLeast, c.known, c.atLeast)
				}
				points, err := s.Series(t.Context(), hour())
				if err != nil || len(points) != c.points {
					t.Errorf("the series has %d points (%v), want %d", len(points), err, c.points)
				}
				survey, err := s.Survey(t.Context(), hour().From, hour().To)
				if skips := c.rows[len(c.rows)-1].status == "SKIPDATA"; err != nil || strings.Contains(survey.AtLeast, "it skipped data") != skips {
					t.Errorf("the survey says %q (%v)", survey.AtLeast, err)
				}
			}
		})
	}
}

// A time without records is not how far the records reach.
func TestAWSSkippedDataIsNoRecord(t *testing.T) {
	to := hour().To
	gap := awsRow{sensor: "eni-1", src: "-", dst: "-", start: to.Unix() - 60, end: to.Unix() + 60, action: "-", status: "SKIPDATA"}
	last := awsLater(to.Add(-40 * time.Minute))
	folder := t.TempDir()
	writeAWS(t, folder, false, []awsRow{last, gap})
	got, err := store(t, folder, AWSVPC, nil).Traffic(t.Context(), hour())
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := got.Freshness.Get(); !ok || at.Unix() != last.end || got.BytesOut.IsKnown() {
		t.Errorf("the newest record is of %v and bytes_out %v, want %s and unknown", got.Freshness, got.BytesOut, time.Unix(last.end, 0).UTC())
	}
}

// TestAWSReadsTheFilesOfTheWindow has files of a month that cannot be read, except those
// that are near the window, the first and the last.
func TestAWSReadsTheFilesOfTheWindow(t *testing.T) {
	to := time.Date(2026, 3, 16, 10, 0, 0, 0, time.UTC)
	folder := t.TempDir()
	var rows []awsRow
	for at := to.Add(-4 * time.Hour); at.Before(to.Add(4 * time.Hour)); at = at.Add(5 * time.Minute) {
		rows = append(rows, awsLater(at))
	}
	sent := awsLater(to.Add(-5 * time.Minute))
	sent.src, sent.bytes = "192.0.2.10", 7000
	rows = append(rows, sent)
	first, last := to.AddDate(0, 0, -15), to.AddDate(0, 0, 15)
	for _, at := range []time.Time{first, last} {
		rows = append(rows, awsLater(at.Add(-5*time.Minute)), awsLater(at))
	}
	writeAWS(t, folder, true, rows)
	for at := first.Add(time.Hour); at.Before(last.Add(-time.Hour)); at = at.Add(time.Hour) {
		if at.After(to.Add(-4*time.Hour)) && at.Before(to.Add(4*time.Hour)) {
			continue
		}
		file := awsFile(folder, at, true)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, file, "nonsense, nothing but nonsense")
	}
	s := store(t, folder, AWSVPC, nil)
	got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.10"}, From: to.Add(-15 * time.Minute), To: to, Top: 3})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "bytes_out", got.BytesOut, 7000)
	v, err := s.lookAt(t.Context(), to.Add(-15*time.Minute), to)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(v.parts[0].files); n < 3 || n > 45 || len(v.files) < 700 {
		t.Errorf("%d of %d files are read, want those of some hours", n, len(v.files))
	}
}

// Without these columns what was refused would count, or what is missing would not be told.
func TestAWSNeedsItsColumns(t *testing.T) {
	for _, column := range []string{"action", "log_status", "interface_id", `"end"`} {
		folder := t.TempDir()
		work := t.TempDir()
		writeAWS(t, work, false, []awsRow{awsLater(hour().From)})
		file := awsFile(work, hour().From, false)
		if _, err := free(t).Exec(fmt.Sprintf("COPY (SELECT * EXCLUDE (%s) FROM read_parquet(%s)) TO %s (FORMAT parquet)", column, text(file),
			text(filepath.Join(folder, filepath.Base(file))))); err != nil {
			t.Fatal(err)
		}
		_, err := store(t, folder, AWSVPC, nil).Traffic(t.Context(), hour())
		if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), strings.Trim(column, `"`)) {
			t.Errorf("without %s: %v, want an invalid error that names it", column, err)
		}
	}
}

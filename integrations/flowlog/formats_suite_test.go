package flowlog_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// formatCase is a log of testdata/formats with what is right of it.
type formatCase struct {
	name    string
	options flowlog.Options
	log     []byte

	from, to        time.Time
	hosts           []wantedHost
	senders, gaps   []string
	bad, skipped    int64
	only, unfinishd bool
}

// wantedHost is what one address sent and received in the window, as text: a number or unknown.
type wantedHost struct{ ip, sent, received, flows string }

func formatCases(tb testing.TB, format string) []formatCase {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "formats", format, "*.txtar"))
	if err != nil {
		tb.Fatal(err)
	}
	var cases []formatCase
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		c := formatCase{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
		for _, part := range archive.Files {
			text := string(part.Data)
			switch part.Name {
			case "options":
				c.option(tb, text)
			case "map":
				if c.options.Map, err = flowlog.ParseMapping(file, part.Data); err != nil {
					tb.Fatal(err)
				}
			case "log":
				if before, found := strings.CutSuffix(text, "\\c\n"); found {
					text = before
				}
				c.log = []byte(text)
			case "want":
				for line := range strings.Lines(text) {
					c.want(tb, file, strings.Fields(line))
				}
			default:
				tb.Fatalf("%s: unknown section %q", file, part.Name)
			}
		}
		cases = append(cases, c)
	}
	return cases
}

func (c *formatCase) option(tb testing.TB, text string) {
	tb.Helper()
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "format":
			c.options.Format = value
		case "layout":
			c.options.Layout = value
		case "zone":
			zone, err := time.LoadLocation(value)
			if err != nil {
				tb.Fatal(err)
			}
			c.options.Zone = zone
		default:
			tb.Fatalf("%s: unknown option %q", c.name, line)
		}
	}
}

func (c *formatCase) want(tb testing.TB, file string, fields []string) {
	tb.Helper()
	if len(fields) == 0 {
		return
	}
	wrong := func() { tb.Fatalf("%s: invalid line %q", file, strings.Join(fields, " ")) }
	number := func() int64 {
		n, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
		if err != nil || len(fields) != 2 {
			wrong()
		}
		return n
	}
	switch fields[0] {
	case "window":
		var errFrom, errTo error
		if len(fields) != 3 {
			wrong()
		}
		c.from, errFrom = time.Parse(time.RFC3339, fields[1])
		c.to, errTo = time.Parse(time.RFC3339, fields[2])
		if errors.Join(errFrom, errTo) != nil {
			wrong()
		}
	case "host":
		if len(fields) != 6 && len(fields) != 8 || fields[2] != "sent" || fields[4] != "received" {
			wrong()
		}
		h := wantedHost{ip: fields[1], sent: fields[3], received: fields[5]}
		if len(fields) == 8 {
			h.flows = fields[7]
		}
		c.hosts = append(c.hosts, h)
	case "sender":
		c.senders = append(c.senders, strings.Join(fields[1:], " "))
	case "gap":
		c.gaps = append(c.gaps, strings.Join(fields[1:], " "))
	case "bad":
		c.bad = number()
	case "skipped":
		c.skipped = number()
	case "only":
		c.only = true
	case "unfinished":
		c.unfinishd = true
	default:
		wrong()
	}
}

// readLog returns everything that a log says.
type readLog struct {
	records    []flowmath.Record
	gaps       []flowmath.Gap
	bad        []string
	skipped    int64
	unfinished bool
	offset     int64
	format     string
	err        error
}

func readFrom(stream io.Reader, o flowlog.Options, from int64) (got readLog) {
	r, err := flowlog.NewReader(stream, o)
	if err != nil {
		return readLog{err: err}
	}
	if got.err = r.SkipTo(from); got.err != nil {
		return got
	}
	if from > 0 {
		r.FinishLine()
	}
	for {
		var rec flowmath.Record
		err := r.Next(&rec)
		if bad, ok := errors.AsType[*flowlog.BadLine](err); ok {
			got.bad = append(got.bad, bad.Error())
			continue
		}
		if err == nil {
			got.records = append(got.records, rec)
			continue
		}
		if !errors.Is(err, io.EOF) {
			got.err = err
		}
		break
	}
	got.gaps, got.skipped, got.unfinished, got.offset, got.format = r.TakeGaps(), r.Skipped(), r.Unfinished(), r.Offset(), r.Format().Name
	return got
}

func sameRecords() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}) }

// Every format reads the cases that others wrote from its product's documentation.
func TestFormatsReadWhatProductsWrite(t *testing.T) {
	for _, f := range flowlog.Formats() {
		t.Run(f.Name, func(t *testing.T) {
			cases := formatCases(t, f.Name)
			if len(cases) < 3 {
				t.Fatalf("testdata/formats/%s has %d cases, want 3 at least", f.Name, len(cases))
			}
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { c.check(t, f) })
			}
		})
	}
}

func (c *formatCase) check(t *testing.T, f flowlog.Format) {
	got := readFrom(bytes.NewReader(c.log), c.options, 0)
	if got.err != nil || got.format != f.Name {
		t.Fatalf("read as %q: %v", got.format, got.err)
	}
	if int64(len(got.bad)) != c.bad || got.skipped != c.skipped || got.unfinished != c.unfinishd {
		t.Errorf("%d bad lines, %d skipped, unfinished %v; want %d, %d, %v: %s", len(got.bad), got.skipped, got.unfinished,
			c.bad, c.skipped, c.unfinishd, strings.Join(got.bad, "; "))
	}
	c.checkTotals(t)
	var gaps []string
	for _, g := range got.gaps {
		gaps = append(gaps, fmt.Sprintf("%s %s %s", g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339), g.Sensor))
	}
	if diff := cmp.Diff(c.gaps, gaps); diff != "" {
		t.Errorf("gaps: %s", diff)
	}
	var senders []string
	for _, r := range got.records {
		said := fmt.Sprintf("%s %s %s", r.Src, word(r.User), word(r.Device))
		if (r.User != "" || r.Device != "") && !slices.Contains(senders, said) {
			senders = append(senders, said)
		}
	}
	if len(c.senders) > 0 || c.only {
		if diff := cmp.Diff(c.senders, senders); diff != "" {
			t.Errorf("senders: %s", diff)
		}
	}
	c.checkCuts(t, got)
	c.checkGarbage(t, f, got)
}

// word is a name as a case writes it.
func word(s string) string {
	if s == "" {
		return "-"
	}
	return strings.ReplaceAll(s, " ", "_")
}

// checkTotals imports the log, twice and packed, and asks the store.
func (c *formatCase) checkTotals(t *testing.T) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(c.log); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var added []int64
	for _, log := range [][]byte{c.log, c.log, packed.Bytes()} {
		done, err := store.Import(t.Context(), bytes.NewReader(log), sqlite.ImportOptions{Name: c.name, Log: c.options})
		if err != nil {
			t.Fatal(err)
		}
		added = append(added, done.Records)
	}
	if added[1] != 0 || added[2] != 0 {
		t.Errorf("the log again added %d and, packed, %d flows", added[1], added[2])
	}
	for _, h := range c.hosts {
		traffic, err := store.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{h.ip}, From: c.from, To: c.to, Top: 10})
		if err != nil {
			t.Fatal(err)
		}
		sent, received := valueText(traffic.BytesOut), valueText(traffic.BytesIn)
		if sent != h.sent || received != h.received {
			t.Errorf("%s sent %s and received %s, want %s and %s", h.ip, sent, received, h.sent, h.received)
		}
		if flows := valueText(traffic.Flows); h.flows != "" && flows != h.flows {
			t.Errorf("%s has %s flows, want %s", h.ip, flows, h.flows)
		}
	}
	if !c.only {
		return
	}
	all, err := store.Hosts(t.Context(), integrations.HostsQuery{From: c.from, To: c.to, Top: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		known := slices.ContainsFunc(c.hosts, func(w wantedHost) bool { return w.ip == h.IP })
		if n, _ := h.BytesOut.Get(); n > 0 && !known {
			t.Errorf("%s sent %d, and is no host of the case", h.IP, n)
		}
	}
}

func valueText(v incident.Value[int64]) string {
	if n, known := v.Get(); known {
		return strconv.FormatInt(n, 10)
	}
	return "unknown"
}

// checkCuts reads the log up to a place, and goes on from where that reader stopped when the rest has come:
// every record comes once.
func (c *formatCase) checkCuts(t *testing.T, whole readLog) {
	t.Helper()
	chance := rand.New(rand.NewPCG(1, uint64(len(c.log))))
	for range 40 {
		cut := chance.IntN(len(c.log) + 1)
		first := readFrom(bytes.NewReader(c.log[:cut]), c.options, 0)
		if first.err != nil && !errors.Is(first.err, flowlog.ErrUnrecognised) {
			t.Fatalf("cut at %d: %v", cut, first.err)
		}
		if first.err != nil || first.format != whole.format {
			continue // What is there of it may be anything.
		}
		rest := readFrom(bytes.NewReader(c.log), c.options, first.offset)
		if rest.err != nil {
			t.Fatalf("cut at %d, on from %d: %v", cut, first.offset, rest.err)
		}
		if n := len(first.records) + len(rest.records); n != len(whole.records) || len(first.bad)+len(rest.bad) != len(whole.bad) {
			t.Fatalf("cut at %d, on from %d: %d and %d records, %d and %d bad lines; want %d and %d together: %v %v", cut, first.offset,
				len(first.records), len(rest.records), len(first.bad), len(rest.bad), len(whole.records), len(whole.bad), first.bad, rest.bad)
		}
		if c.sameTotals(first.records, rest.records, whole.records) {
			continue
		}
		t.Fatalf("cut at %d, on from %d: the records are others: %s", cut, first.offset,
			cmp.Diff(whole.records, slices.Concat(first.records, rest.records), sameRecords()))
	}
}

// sameTotals reports whether the records in two parts have the counters, and the ends, of all.
func (*formatCase) sameTotals(first, rest, whole []flowmath.Record) bool {
	for i, r := range slices.Concat(first, rest) {
		w := whole[i]
		if r.Orig != w.Orig || r.Resp != w.Resp || r.Src != w.Src || r.Dst != w.Dst || r.End() != w.End() || r.Sensor != w.Sensor {
			return false
		}
	}
	return true
}

// checkGarbage breaks one line after the other: it is told of, and the others' records stay.
func (c *formatCase) checkGarbage(t *testing.T, f flowlog.Format, whole readLog) {
	t.Helper()
	if f.Frame != flowlog.ByLine || len(whole.records) < 2 {
		return
	}
	lines := bytes.SplitAfter(c.log, []byte("\n"))
	o := c.options
	o.Format = f.Name
	for i := range lines {
		if len(bytes.TrimSpace(lines[i])) == 0 || i == 0 {
			continue // The first may say what the others mean.
		}
		broken := slices.Clone(lines)
		broken[i] = []byte("\x00garbage \"{[,|= of no product\n")
		got := readFrom(bytes.NewReader(bytes.Join(broken, nil)), o, 0)
		lost := len(whole.records) - len(got.records)
		if got.err != nil || len(got.bad) != len(whole.bad)+1 && lost > 0 {
			t.Fatalf("line %d broken: %d of %d records, %d bad lines: %v %v", i+1, len(got.records), len(whole.records), len(got.bad), got.bad, got.err)
		}
	}
}

// A log is recognised as what it is and as nothing else, and what has to be named is named.
func TestFormatsAreToldApart(t *testing.T) {
	all := flowlog.Formats()
	if !slices.IsSortedFunc(all, func(a, b flowlog.Format) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the formats are not sorted by name")
	}
	for _, f := range all {
		if f.Title == "" || f.Doc == "" || f.New == nil {
			t.Errorf("%s lacks a title, a doc or a parser", f.Name)
		}
		for _, c := range formatCases(t, f.Name) {
			head := c.log[:min(len(c.log), flowlog.HeadLength)]
			for _, other := range all {
				if other.Begins == nil || !other.Begins(head) || other.Name == f.Name {
					continue
				}
				t.Errorf("%s/%s is taken for %s", f.Name, c.name, other.Name)
			}
			if c.options.Format == "" && (f.Begins == nil || !f.Begins(head)) {
				t.Errorf("%s/%s is not recognised, and names no format", f.Name, c.name)
			}
		}
	}
}

func FuzzFormats(f *testing.F) {
	all := flowlog.Formats()
	var mapping *flowlog.Mapping
	for i, format := range all {
		for _, c := range formatCases(f, format.Name) {
			f.Add(i, c.options.Layout, c.log)
			if c.options.Map != nil {
				mapping = c.options.Map
			}
		}
	}
	f.Fuzz(func(t *testing.T, i int, layout string, log []byte) {
		if len(all) == 0 || i < 0 || len(log) > 1<<16 {
			return
		}
		got := readFrom(bytes.NewReader(log), flowlog.Options{Format: all[i%len(all)].Name, Layout: layout, Map: mapping}, 0)
		for _, r := range got.records {
			if err := r.Check(); err != nil {
				t.Errorf("an implausible record: %v", err)
			}
		}
		if got.offset > int64(len(log)) {
			t.Errorf("%d of %d bytes were read", got.offset, len(log))
		}
	})
}

// BenchmarkFormats reads each format's cases over and over: lines/s is what one core reads.
func BenchmarkFormats(b *testing.B) {
	for _, f := range flowlog.Formats() {
		b.Run(f.Name, func(b *testing.B) {
			for _, c := range formatCases(b, f.Name) {
				if c.bad > 0 || c.name != "sample" {
					continue
				}
				log := bytes.Repeat(append(bytes.TrimRight(c.log, "\n"), '\n'), 1+(1<<20)/len(c.log))
				records := int64(0)
				for b.Loop() {
					records += int64(len(readFrom(bytes.NewReader(log), c.options, 0).records))
				}
				b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(float64(bytes.Count(log, []byte("\n")))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
				b.SetBytes(int64(len(log)))
			}
		})
	}
}

// BenchmarkImport reads each format's sample into an embedded store.
func BenchmarkImport(b *testing.B) {
	for _, f := range flowlog.Formats() {
		b.Run(f.Name, func(b *testing.B) {
			for _, c := range formatCases(b, f.Name) {
				if c.name != "sample" {
					continue
				}
				log := bytes.Repeat(append(bytes.TrimRight(c.log, "\n"), '\n'), 1+(8<<20)/len(c.log))
				for b.Loop() {
					store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "flows.db"))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := store.Import(b.Context(), bytes.NewReader(log), sqlite.ImportOptions{Name: f.Name, Log: c.options}); err != nil {
						b.Fatal(err)
					}
					if err := store.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(bytes.Count(log, []byte("\n")))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
			}
		})
	}
}

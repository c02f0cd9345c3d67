package sqlite

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func records(t *testing.T, s *Store) int64 {
	t.Helper()
	span, err := s.Span(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return span.Records
}

func mustImport(t *testing.T, s *Store, log []byte, o ImportOptions) ImportResult {
	t.Helper()
	got, err := s.Import(t.Context(), bytes.NewReader(log), o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func logs() map[string][]byte {
	return map[string][]byte{
		"tsv":    zeekTSV(newEstate(50, 3000), 3000),
		"json":   zeekJSON(newEstate(50, 3000), 3000),
		"goflow": goflowJSON(newEstate(50, 3000), 3000),
	}
}

func later() time.Time { return begin().AddDate(0, 0, 30) }

func TestImportTwiceAddsNothing(t *testing.T) {
	for name, log := range logs() {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, later())
			if got := mustImport(t, s, log, ImportOptions{Name: "a.log"}); got.Records != 3000 || got.Bad != 0 || got.Bytes != int64(len(log)) {
				t.Fatalf("imported %+v, want 3000 records", got)
			}
			for _, again := range []struct {
				name string
				log  []byte
			}{{"a.log", log}, {"b.log", log}, {"a.log.gz", packed(t, log)}} {
				got := mustImport(t, s, again.log, ImportOptions{Name: again.name})
				if got.Records != 0 || got.Already != int64(len(log)) || records(t, s) != 3000 {
					t.Errorf("%s again added %+v, the store has %d", again.name, got, records(t, s))
				}
			}
		})
	}
}

func TestImportGoesOnWhereTheFileGrew(t *testing.T) {
	for name, log := range logs() {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, later())
			var sum int64
			// Most of these cuts are inside of a line; the first is inside of the
			// part that identifies the file.
			for _, cut := range []int{1000, 3000, 100_000, 100_001, len(log) / 2, len(log) - 7, len(log)} {
				got := mustImport(t, s, log[:cut], ImportOptions{Name: "conn.log"})
				sum += got.Records
				if got.Bad != 0 || records(t, s) != sum {
					t.Fatalf("up to %d: %+v, the store has %d, want %d", cut, got, records(t, s), sum)
				}
			}
			if sum != 3000 {
				t.Errorf("the parts gave %d records, want 3000", sum)
			}
		})
	}
}

func TestImportTellsFilesWithOneBeginningApart(t *testing.T) {
	log := zeekTSV(newEstate(50, 3000), 3000)
	lines := bytes.SplitAfter(log, []byte("\n"))
	half := bytes.Join(lines[:1500], nil)
	other := append(bytes.Clone(half), bytes.Join(lines[2000:], nil)...)
	s := openStore(t, later())
	mustImport(t, s, log, ImportOptions{Name: "a"})
	before := records(t, s)
	got := mustImport(t, s, other, ImportOptions{Name: "b"})
	if want := int64(len(lines) - 2000 + 1500 - 6 - 1); got.Records != want || records(t, s) != before+want {
		t.Errorf("another file with the same beginning added %d, want its %d", got.Records, want)
	}
	// A stream cannot be read twice; that is reported, and nothing is changed.
	_, err := s.Import(t.Context(), io.MultiReader(bytes.NewReader(half), bytes.NewReader(log[:0]), strings.NewReader("\n\n")), ImportOptions{Name: "c"})
	if err == nil || records(t, s) != before+got.Records {
		t.Errorf("a stream like an earlier one: %v, want an error", err)
	}
}

func TestImportCountsBadLines(t *testing.T) {
	head := "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\torig_bytes\n#path\tconn\n"
	good := "1772323200.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t0.1\t50\n"
	bad := []struct{ line, want string }{
		{"1772323200.5\t10.0.0.1\t1\t10.0.0.2", "4 of 8 columns"},
		{"1772323200.5\t10.0.0.256\t1\t10.0.0.2\t53\tudp\t0.1\t50", `"10.0.0.256" is not an address`},
		{"1772323200.5\t10.0.0.1\t65536\t10.0.0.2\t53\tudp\t0.1\t50", `"65536" is not a port`},
		{"1772323200.5\t10.0.0.1\t-1\t10.0.0.2\t53\tudp\t0.1\t50", `"-1" is not a port`},
		{"1772323200.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t-0.1\t50", `duration: "-0.1" is not a time`},
		{"1772323200.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t1e9\t50", "duration 277777h46m40s is out of range"},
		{"1772323200.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t0.1\t-50", `"-50" is not a count`},
		{"1772323200.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t0.1\t99999999999999999", "bytes is out of range"},
		{"NaN\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t0.1\t50", `"NaN" is not a time`},
		{"17.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t0.1\t50", "is out of range"},
		{"1872323200.5\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t0.1\t50", "ahead of this machine's clock"},
		{strings.Repeat("x", 2<<20), "longer than 1048576 bytes"},
	}
	log := head
	for _, b := range bad {
		log += b.line + "\n" + good
	}
	s := openStore(t, later())
	got := mustImport(t, s, []byte(log), ImportOptions{Name: "conn.log"})
	if got.Records != int64(len(bad)) || got.Bad != int64(len(bad)) || records(t, s) != int64(len(bad)) {
		t.Fatalf("imported %d with %d bad, want %d each", got.Records, got.Bad, len(bad))
	}
	if len(got.BadLines) != shownBad {
		t.Fatalf("%d bad lines are shown, want %d", len(got.BadLines), shownBad)
	}
	for i, b := range got.BadLines {
		if b.Line != int64(4+2*i) || !strings.Contains(b.Err.Error(), bad[i].want) {
			t.Errorf("bad line %d is reported as %q, want line %d: …%s", i+1, b.Error(), 4+2*i, bad[i].want)
		}
	}
}

func TestImportRefusesWhatIsNoFlowLog(t *testing.T) {
	for name, text := range map[string]string{
		"prose": "Dear Sir or Madam,\nyours\n", "other JSON": `{"a":1}` + "\n", "one word": "conn",
		"shell": "#!/bin/sh\necho hi\n", "binary": strings.Repeat("\x00\xff\n", 5000), "open brace": "{\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, later())
			_, err := s.Import(t.Context(), strings.NewReader(text), ImportOptions{Name: "x"})
			if integrations.KindOf(err) != integrations.Invalid || err == nil {
				t.Errorf("error is %v, want an invalid one", err)
			}
			dbs, err := s.dbs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var rows int
			err = dbs.read.QueryRow(`SELECT (SELECT count(*) FROM block) + (SELECT count(*) FROM source) + (SELECT count(*) FROM sensor)`).Scan(&rows)
			if err != nil || rows != 0 {
				t.Errorf("the store has %d rows (%v), want none", rows, err)
			}
		})
	}
	s := openStore(t, later())
	for _, empty := range []string{"", "#fields\tts\n#close\n", `{"event_type":"alert"}` + "\n"} {
		if got, err := s.Import(t.Context(), strings.NewReader(empty), ImportOptions{}); err != nil || got.Records != 0 {
			t.Errorf("%q: %+v, %v; want nothing and no error", empty, got, err)
		}
	}
}

var errTorn = errors.New("the disk is gone")

func TestInterruptedImportLosesAndRepeatsNothing(t *testing.T) {
	const chunk, n = 1000, 2500
	log := zeekTSV(newEstate(50, n), n)
	t.Run("torn", func(t *testing.T) {
		s := openStore(t, later())
		s.chunk = chunk
		torn := io.MultiReader(bytes.NewReader(log[:len(log)*3/5]), errReader{})
		got, err := s.Import(t.Context(), torn, ImportOptions{Name: "a"})
		if !errors.Is(err, errTorn) || got.Records != chunk || records(t, s) != chunk {
			t.Fatalf("the torn import wrote %d and says %d (%v), want one chunk", records(t, s), got.Records, err)
		}
		if got := mustImport(t, s, log, ImportOptions{Name: "a"}); got.Records != n-chunk || records(t, s) != n {
			t.Errorf("after the rest (%d) the store has %d, want %d", got.Records, records(t, s), n)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		s := openStore(t, later())
		s.chunk = chunk
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Import(ctx, bytes.NewReader(log), ImportOptions{Name: "a", Progress: func(ImportResult) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error is %v, want the cancellation", err)
		}
		mustImport(t, s, log, ImportOptions{Name: "a"})
		if records(t, s) != n {
			t.Errorf("the store has %d, want %d", records(t, s), n)
		}
	})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errTorn }

func TestTwoImportsOfOneFileAtOnce(t *testing.T) {
	log := zeekTSV(newEstate(50, 3000), 3000)
	s := openStore(t, later())
	read, write := io.Pipe()
	slow := make(chan error, 1)
	go func() {
		_, err := s.Import(context.WithoutCancel(t.Context()), read, ImportOptions{Name: "slow"})
		slow <- err
	}()
	// The slow import has seen that the file is new once it reads on.
	for _, part := range [][]byte{log[:headLength], log[headLength:100_000], log[100_000:200_000]} {
		if _, err := write.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	mustImport(t, s, log, ImportOptions{Name: "fast"})
	if _, err := write.Write(log[200_000:]); err != nil {
		t.Fatal(err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-slow; integrations.KindOf(err) != integrations.Conflict || err == nil {
		t.Errorf("the slow import ends with %v, want a conflict", err)
	}
	if records(t, s) != 3000 {
		t.Errorf("the store has %d records, want 3000", records(t, s))
	}
}

func TestShift(t *testing.T) {
	log := zeekTSV(newEstate(50, 3000), 3000)
	s := openStore(t, later())
	to := later().Add(-time.Hour)
	got := mustImport(t, s, log, ImportOptions{Name: "a", ShiftTo: to})
	span, err := s.Span(t.Context())
	if err != nil || got.Records != 3000 || !span.Newest.Equal(to) || got.Shift <= 0 {
		t.Fatalf("imported %+v, the newest record ends at %s (%v), want %s", got, span.Newest, err, to)
	}
	if _, err := s.Import(t.Context(), io.MultiReader(bytes.NewReader(zeekJSON(newEstate(2, 9), 9))), ImportOptions{ShiftTo: to}); err == nil {
		t.Error("a stream that cannot be read twice was shifted")
	}
	// What the file grows by keeps the earlier shift.
	grown := append(bytes.Clone(log), zeekTSV(newEstate(50, 3000), 10)...)
	if got := mustImport(t, s, grown, ImportOptions{Name: "a"}); got.Records != 10 || got.Shift <= 0 {
		t.Errorf("the rest was imported as %+v, want 10 records with the same shift", got)
	}
}

func TestRecordsWithoutSensorGetTheOption(t *testing.T) {
	s := openStore(t, later())
	line := func(bytes int) []byte {
		return fmt.Appendf(nil, `{"ts":1772323200.5,"id.orig_h":"10.0.0.1","id.orig_p":4000,"id.resp_h":"10.9.0.2","id.resp_p":53,"proto":"udp","duration":30,"orig_bytes":%d,"orig_ip_bytes":%d,"orig_pkts":1}`+"\n", bytes, bytes)
	}
	mustImport(t, s, line(5000), ImportOptions{Name: "a", Sensor: "north"})
	mustImport(t, s, line(4000), ImportOptions{Name: "b", Sensor: "south"})
	got := query(t, s, "10.0.0.1", 1772323200, 1772323260)
	want(t, "flows", got.Flows, 1)
	want(t, "bytes_out", got.BytesOut, 5000)
	want(t, "coverage", got.Coverage, "both")
}

//go:build !no_embedded

package embedded

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// memFile is a file that notes how often it was synced, and what was then in it.
type memFile struct {
	data, synced []byte
	syncs        int
}

func (f *memFile) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(f.data).ReadAt(p, offset)
}

func (f *memFile) WriteAt(p []byte, offset int64) (int, error) {
	if missing := int(offset) + len(p) - len(f.data); missing > 0 {
		f.data = append(f.data, make([]byte, missing)...)
	}
	return copy(f.data[offset:], p), nil
}

func (f *memFile) Datasync() error {
	f.synced = bytes.Clone(f.data)
	f.syncs++
	return nil
}

// marked writes the marker of a log as the syncer does, and returns up to where it says
// that the log is on the disk.
func marked(t *testing.T, file string, log []byte) int {
	t.Helper()
	var end tail
	at, err := end.read(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	out := &memFile{}
	m := &marker{file: out}
	if err := m.note(at); err != nil {
		t.Fatal(err)
	}
	put(t, file+markerEnding, out.data)
	return int(at.offset)
}

// commits are the ends of the transactions of a log's present life.
func commits(data []byte) (ends []int) {
	for n := 1; n <= frames(data); n++ {
		if !bytes.Equal(data[frameAt(n)+4:frameAt(n)+8], make([]byte, 4)) {
			ends = append(ends, frameAt(n+1))
		}
	}
	return ends
}

// The end of the log is that of the last transaction which another follows: of the
// last one SQLite may have written only the beginning yet.
func TestTheTailIsFollowed(t *testing.T) {
	for _, earlier := range []int{0, 40} {
		data := logOf(t, crashed(t, earlier, 10))
		ends := commits(data)
		var end tail
		want := walHeader
		for cut := 0; cut <= len(data); cut += 513 {
			// What follows is of the life before, as SQLite overwrites the log.
			for _, e := range ends {
				if cut >= e+walFrameHeader {
					want = e
				}
			}
			now := data[:cut]
			at, err := end.read(bytes.NewReader(now))
			if err != nil {
				t.Fatal(err)
			}
			if cut >= walHeader && int(at.offset) > want || cut >= ends[len(ends)-1] && int(at.offset) < ends[len(ends)-2] {
				t.Fatalf("of %d bytes (%d earlier) the end is %d, want %d", cut, earlier, at.offset, want)
			}
		}
	}
	for what, data := range map[string][]byte{"no": nil, "a torn": bytes.Repeat([]byte{7}, 100)} {
		var end tail
		if at, err := end.read(bytes.NewReader(data)); err != nil || at != (position{}) {
			t.Errorf("%s log ends at %v, %v", what, at, err)
		}
	}
	broken := errors.New("input/output error")
	if _, err := new(tail).read(brokenFile{broken}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type brokenFile struct{ error }

func (f brokenFile) ReadAt([]byte, int64) (int, error) { return 0, f.error }

func logOf(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A loss of power leaves what was not synced in any state: cut anywhere, or with
// any of its blocks as they were. The start takes it, with all that was synced.
func TestALossOfPowerAfterTheMarker(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 26))
	for _, earlier := range []int{0, 40} {
		file := crashed(t, earlier, 10)
		data := logOf(t, file)
		ends := commits(data)
		// The marker is that of a log which then was written on.
		at := marked(t, file, data[:ends[len(ends)/2]])
		if at <= walHeader || at >= ends[len(ends)/2] {
			t.Fatalf("the marker says %d of %v", at, ends)
		}
		kept := 0
		for i, e := range ends {
			if e <= at {
				kept = earlier + i + 1
			}
		}
		for try := range 60 {
			lost := bytes.Clone(data)
			if try%3 == 0 {
				lost = lost[:at+random.IntN(len(data)-at)]
			}
			for block := at / 4096 * 4096; block < len(lost) && try%3 > 0; block += 4096 {
				from, to := max(block, at), min(block+4096, len(lost))
				switch random.IntN(3) {
				case 0:
					clear(lost[from:to])
				case 1: // as it was before, or rubbish
					for i := from; i < to; i++ {
						lost[i] = byte(random.Uint32())
					}
				}
			}
			put(t, file+"-wal", lost)
			if err := checkLog(file); err != nil {
				t.Fatalf("try %d (%d earlier): %v", try, earlier, err)
			}
			if try < 12 {
				if n := rows(t, copied(t, file)); n < kept {
					t.Errorf("try %d (%d earlier): %d rows are left of %d that were synced", try, earlier, n, kept)
				}
			}
		}
	}
}

// copied lets SQLite open a copy, since it changes what it opens.
func copied(t *testing.T, file string) string {
	t.Helper()
	to := t.TempDir() + "/x.db"
	for _, ending := range []string{"", "-wal"} {
		data, err := os.ReadFile(file + ending)
		if err != nil {
			t.Fatal(err)
		}
		put(t, to+ending, data)
	}
	return to
}

// What is broken or missing before the marker was accepted.
func TestDamageBeforeTheMarker(t *testing.T) {
	for _, earlier := range []int{0, 40} {
		file := crashed(t, earlier, 10)
		data := logOf(t, file)
		at := marked(t, file, data)
		last := (at - walHeader) / (walFrameHeader + 4096)
		refused := func(what string, frame int) {
			t.Helper()
			found, ok := errors.AsType[*damage](checkLog(file))
			if !ok || found.frame != frame || found.offset != int64(frameAt(frame)) || !found.synced {
				t.Errorf("%s in frame %d (%d earlier): %v", what, frame, earlier, found)
			}
		}
		for _, frame := range []int{1, 2, last / 2, last - 1, last} {
			for _, at := range []int{3, 6, 9, 14, 17, 23, 30, 4096 + 20} {
				bad := bytes.Clone(data)
				bad[frameAt(frame)+at] ^= 0x10
				put(t, file+"-wal", bad)
				refused("a bit", frame)
			}
			hole := bytes.Clone(data)
			clear(hole[frameAt(frame):frameAt(frame+1)])
			put(t, file+"-wal", hole)
			refused("a hole", frame)
			put(t, file+"-wal", data[:frameAt(frame)+random(4000)])
			refused("the end", frame)
		}
		// The advised remedy.
		bad := bytes.Clone(data)
		bad[frameAt(last)+100] ^= 1
		put(t, file+"-wal", bad)
		err := checkLog(file)
		if err == nil || !strings.Contains(err.Error(), " && rm "+file+markerEnding) {
			t.Errorf("error %v", err)
		}
		put(t, file+"-wal", bad[:frameAt(last)])
		if err := os.Remove(file + markerEnding); err != nil {
			t.Fatal(err)
		}
		if err := checkLog(file); err != nil {
			t.Errorf("the log that was cut as advised: %v", err)
		}
	}
}

func random(n int) int { return rand.IntN(n) }

// A marker of another life of the log says that nothing of this life was
// acknowledged, for its life is on the disk before anything is. A marker that cannot be read says
// nothing, and the log is checked as one that has none.
func TestAMarkerThatDoesNotFit(t *testing.T) {
	file := crashed(t, 40, 10)
	data := logOf(t, file)
	at := marked(t, file, data)
	whole, err := os.ReadFile(file + markerEnding)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(data)
	bad[frameAt(5)+100] ^= 1
	put(t, file+"-wal", bad)
	older := position{[8]byte{1, 2, 3}, int64(at)}
	for what, c := range map[string]struct {
		marker  []byte
		refused bool
	}{
		"whole":                       {whole, true},
		"with a torn position":        {append(bytes.Clone(whole[:markerStep]), bytes.Repeat([]byte{9}, 20)...), false},
		"with a torn life":            {append(make([]byte, markerStep), whole[markerStep:]...), true},
		"of another life":             {older.encode(), false},
		"that was just made":          {position{}.encode(), false},
		"that is empty":               {nil, true},
		"that is rubbish":             {bytes.Repeat([]byte{0xa5}, 2*markerStep), true},
		"that is cut":                 {whole[:20], true},
		"whose place has a wrong sum": {append(make([]byte, markerStep), flipped(whole[markerStep:])...), true},
	} {
		put(t, file+markerEnding, c.marker)
		if err := checkLog(file); (err != nil) != c.refused {
			t.Errorf("a marker %s: %v", what, err)
		}
	}
}

func flipped(data []byte) []byte {
	out := bytes.Clone(data)
	out[20] ^= 1
	return out
}

// No crash takes away a file whose content was acknowledged: SQLite would go on without
// it, as if nothing had ever been accepted.
func TestAFileThatTheMarkerNamesIsMissing(t *testing.T) {
	for what, lose := range map[string]func(file string) error{
		"the log":                   func(file string) error { return os.Remove(file + "-wal") },
		"the content of the log":    func(file string) error { return os.Truncate(file+"-wal", 0) },
		"the end of the log's head": func(file string) error { return os.Truncate(file+"-wal", walHeader-1) },
		"the database":              os.Remove,
		"the database's content":    func(file string) error { return os.Truncate(file, 0) },
	} {
		file := crashed(t, 40, 10)
		whole := logOf(t, file)
		for _, acknowledged := range []bool{true, false} {
			if acknowledged {
				marked(t, file, whole)
			} else if err := clearMarker(file + markerEnding); err != nil {
				t.Fatal(err)
			}
			one := copied(t, file)
			marker, err := os.ReadFile(file + markerEnding)
			if err != nil {
				t.Fatal(err)
			}
			put(t, one+markerEnding, marker)
			if err := lose(one); err != nil {
				t.Fatal(err)
			}
			var gone *missing
			if err := checkLog(one); errors.As(err, &gone) != acknowledged || !acknowledged && err != nil {
				t.Errorf("%s is missing, acknowledged %t: %v", what, acknowledged, err)
			}
			if err := os.Remove(one + markerEnding); err != nil {
				t.Fatal(err)
			}
			if err := checkLog(one); err != nil {
				t.Errorf("%s is missing, and the marker was removed: %v", what, err)
			}
		}
	}
}

// A life of the log is on the disk in the marker before anything of it is; the
// position follows without a sync.
func TestTheMarkerNamesALifeFirst(t *testing.T) {
	out := &memFile{}
	m := &marker{file: out}
	one, two := [8]byte{1}, [8]byte{2}
	for _, at := range []position{{one, 100}, {one, 200}, {two, 64}} {
		if err := m.note(at); err != nil {
			t.Fatal(err)
		}
		if p, ok := decodePosition(out.synced); !ok || p.salts != at.salts {
			t.Errorf("after %v the disk holds %v", at, p)
		}
	}
	if out.syncs != 2 {
		t.Errorf("%d syncs for two lives", out.syncs)
	}
	var _ io.ReaderAt = out
}

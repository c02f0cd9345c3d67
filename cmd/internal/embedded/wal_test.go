//go:build !no_embedded

package embedded

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// crashed returns a database in WAL mode as a killed process leaves it: so many
// transactions are in the log, or older ones after them, where the log began anew
// after earlier transactions.
func crashed(t *testing.T, earlier, transactions int) string {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "live.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TABLE t (id INTEGER PRIMARY KEY, text BLOB)")
	for range earlier {
		run("INSERT INTO t (text) VALUES (randomblob(9000))")
	}
	run("PRAGMA wal_checkpoint(RESTART)")
	for range transactions {
		run("INSERT INTO t (text) VALUES (randomblob(9000))")
	}
	for _, ending := range []string{"", "-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, "live.db"+ending))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x.db"+ending), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "x.db")
}

// rows counts what SQLite finds after the crash.
func rows(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// frames are the frames of a log of 4096-byte pages, those of its present life.
func frames(data []byte) (n int) {
	for at := walHeader; at+walFrameHeader+4096 <= len(data); at += walFrameHeader + 4096 {
		if bytes.Equal(data[at+8:at+16], data[16:24]) {
			n++
		}
	}
	return n
}

func frameAt(n int) int { return walHeader + (n-1)*(walFrameHeader+4096) }

func TestALogThatIsWholeOrCutIsTaken(t *testing.T) {
	for _, earlier := range []int{0, 40} {
		file := crashed(t, earlier, 10)
		data, err := os.ReadFile(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		count := frames(data)
		if count < 20 || earlier > 0 && frameAt(count+1) >= len(data) {
			t.Fatalf("%d frames of this life in %d bytes: the log is not what the test is about", count, len(data))
		}
		if err := checkLog(file); err != nil {
			t.Errorf("a whole log: %v", err)
		}
		// A crash cuts the log off anywhere.
		end := frameAt(count + 1)
		for _, cut := range []int{0, 1, walHeader - 1, walHeader, walHeader + 5, frameAt(2) - 1, frameAt(7), frameAt(7) + 10, end - 1, end - 4096} {
			put(t, file+"-wal", data[:cut])
			if err := checkLog(file); err != nil {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
		// The last frame was torn, by a kill or by the power: nothing follows it.
		for _, at := range []int{end - 1, end - 4096, end - 4096 - 20} {
			torn := bytes.Clone(data)
			torn[at] ^= 0x40
			put(t, file+"-wal", torn)
			if err := checkLog(file); err != nil {
				t.Errorf("torn at %d: %v", at, err)
			}
		}
		// So was a frame in the middle of the last transaction, which is empty yet.
		hole := bytes.Clone(data)
		clear(hole[frameAt(count-1):frameAt(count)])
		put(t, file+"-wal", hole)
		if err := checkLog(file); err != nil {
			t.Errorf("a hole in the last transaction: %v", err)
		}
		put(t, file+"-wal", nil)
		if err := checkLog(file); err != nil {
			t.Errorf("an empty log: %v", err)
		}
	}
	if err := checkLog(filepath.Join(t.TempDir(), "none.db")); err != nil {
		t.Errorf("no log: %v", err)
	}
}

func put(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Wherever a frame before the end is broken, later frames would be dropped
// silently.
func TestADamagedLogIsFound(t *testing.T) {
	for _, earlier := range []int{0, 40} {
		file := crashed(t, earlier, 10)
		data, err := os.ReadFile(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		count := frames(data)
		for _, frame := range []int{1, 2, count / 2, count - 5, count - 1} {
			for what, at := range map[string]int{"page number": 3, "commit": 6, "salt": 9, "second salt": 14, "sum": 17, "second sum": 23, "data": 30, "end of data": 4096 + 20} {
				bad := bytes.Clone(data)
				bad[frameAt(frame)+at] ^= 0x10
				put(t, file+"-wal", bad)
				err := checkLog(file)
				found, ok := errors.AsType[*damage](err)
				// Where the sum itself is broken the frame after it seems to be.
				last := frame == count-1 && (what == "sum" || what == "second sum")
				if last {
					continue
				}
				if !ok || found.frame != frame || found.offset != int64(frameAt(frame)) {
					t.Errorf("frame %d of %d, %s (life after %d): %v", frame, count, what, earlier, err)
				}
			}
		}
		// The advised remedy keeps the frames before the damage.
		bad := bytes.Clone(data)
		bad[frameAt(count/2)+100] ^= 1
		put(t, file+"-wal", bad)
		found, _ := errors.AsType[*damage](checkLog(file))
		put(t, file+"-wal", bad[:found.offset])
		if err := checkLog(file); err != nil {
			t.Errorf("the log that was cut as advised: %v", err)
		}
		if n := rows(t, file); n <= earlier || n >= earlier+10 {
			t.Errorf("%d rows are left of %d, want some of the last 10", n, earlier+10)
		}
	}
}

// A header that is broken makes SQLite take the whole log for empty.
func TestADamagedHeaderIsFound(t *testing.T) {
	file := crashed(t, 0, 10)
	data, err := os.ReadFile(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	for at := range walHeader {
		bad := bytes.Clone(data)
		bad[at] ^= 0x04
		put(t, file+"-wal", bad)
		if found, ok := errors.AsType[*damage](checkLog(file)); !ok || found.frame != 0 {
			t.Errorf("byte %d of the header: %v", at, found)
		}
	}
	// A crash while a new life began: the header is half written, and the frames
	// are of the life before.
	reborn := bytes.Clone(data)
	binary.BigEndian.PutUint32(reborn[16:], binary.BigEndian.Uint32(data[16:])+1)
	copy(reborn[20:], "\x12\x34\x56\x78\x00\x00\x00\x00\x00\x00\x00\x00")
	put(t, file+"-wal", reborn)
	if err := checkLog(file); err != nil {
		t.Errorf("a new life that was cut off: %v", err)
	}
}

// The sums of a log that a big-endian machine wrote are of big-endian words.
func TestBothByteOrders(t *testing.T) {
	file := crashed(t, 0, 6)
	data, err := os.ReadFile(file + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(data)
	other[3] ^= 1
	order := binary.ByteOrder(binary.LittleEndian)
	if other[3]&1 == 1 {
		order = binary.BigEndian
	}
	running := sum{}.add(order, other[:walChecked])
	store := func(at int) {
		binary.BigEndian.PutUint32(other[at:], running[0])
		binary.BigEndian.PutUint32(other[at+4:], running[1])
	}
	store(24)
	for n := 1; frameAt(n+1) <= len(other); n++ {
		at := frameAt(n)
		running = running.add(order, other[at:at+8]).add(order, other[at+walFrameHeader:frameAt(n+1)])
		store(at + 16)
	}
	put(t, file+"-wal", other)
	if err := checkLog(file); err != nil {
		t.Fatalf("a whole log: %v", err)
	}
	other[frameAt(3)+500] ^= 1
	put(t, file+"-wal", other)
	if found, ok := errors.AsType[*damage](checkLog(file)); !ok || found.frame != 3 {
		t.Errorf("a damaged one: %v", found)
	}
	put(t, file+"-wal", data)
	if n := rows(t, file); n != 6 {
		t.Errorf("%d rows, want 6", n)
	}
}

// The engine itself leaves an empty log behind when it stops, refuses a damaged
// one without touching anything, and starts from one that a kill cut off.
func TestTheEngineAndItsLog(t *testing.T) {
	dir := t.TempDir()
	s, err := Start(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	killed, robbed := t.TempDir(), t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal", fileName + markerEnding} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != fileName+markerEnding {
			put(t, filepath.Join(killed, name), data)
		}
		if name != fileName+"-wal" {
			put(t, filepath.Join(robbed, name), data)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, fileName+"-wal")); err == nil && info.Size() > 0 {
		t.Errorf("the log has %d bytes after the stop", info.Size())
	}
	if _, err := os.Stat(filepath.Join(dir, fileName+markerEnding)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the marker is left after the stop: %v", err)
	}

	if _, err := Start(t.Context(), Options{DataDir: robbed}); err == nil || !strings.Contains(err.Error(), `engine.db-wal" is missing or empty`) {
		t.Errorf("a log that is missing: %v", err)
	}
	if _, err := os.Stat(filepath.Join(robbed, fileName+"-wal")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the refused start made a log: %v", err)
	}

	log := filepath.Join(killed, fileName+"-wal")
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(data)
	bad[len(bad)/3] ^= 1
	put(t, log, bad)
	database, err := os.ReadFile(filepath.Join(killed, fileName))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{DataDir: killed})
	if err == nil || !strings.Contains(err.Error(), "is damaged: frame ") || !strings.Contains(err.Error(), "truncate -s ") {
		t.Errorf("a damaged log: %v", err)
	}
	for name, want := range map[string][]byte{fileName: database, fileName + "-wal": bad} {
		if got, err := os.ReadFile(filepath.Join(killed, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
	put(t, log, data[:len(data)-700])
	again, err := Start(t.Context(), Options{DataDir: killed})
	if err != nil {
		t.Fatalf("a log whose end was cut off: %v", err)
	}
	if err := again.Stop(); err != nil {
		t.Error(err)
	}
}

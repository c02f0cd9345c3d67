package memory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// entry is one line of the journal: a change that is made as a whole.
type entry struct {
	Start time.Time `json:"start,omitzero"`
	// Containment is its state after the change; the last one of a ref counts.
	Containment *containment `json:"containment,omitempty"`
	Kill        *kill        `json:"kill,omitempty"`
	// Message is the message that people see; the last one of a ref counts.
	Message *Sent   `json:"message,omitempty"`
	Effect  *Effect `json:"effect,omitempty"`
	// Reply is what the sender of an alert was told.
	Reply *Replied `json:"reply,omitempty"`
}

// maxJournal bounds what is read at start. A demo writes a few hundred bytes
// per effect.
const maxJournal = 256 << 20

// journal is an append-only file of JSON lines. The nil journal keeps nothing.
type journal struct {
	file *os.File
	size int64
}

// openJournal reads a journal and opens it for appending. A last line
// that was torn by a crash is cut off: its change was never acknowledged.
func openJournal(path string) (*journal, []entry, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	entries, size, err := readJournal(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		_ = f.Close() // The reading has failed already.
		return nil, nil, fmt.Errorf("open journal %q: %w", path, err)
	}
	return &journal{file: f, size: size}, entries, nil
}

// readJournal returns the entries and how many bytes of the file they take.
func readJournal(f *os.File) ([]entry, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > maxJournal {
		return nil, 0, fmt.Errorf("the file has %d bytes, more than %d", info.Size(), int64(maxJournal))
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		return nil, 0, err
	}
	var entries []entry
	var size int64
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			if size+int64(len(line)) == int64(len(data)) {
				break
			}
			return nil, 0, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
		size += int64(len(line))
	}
	return entries, size, nil
}

// append writes an entry and does not return before the disk has it. After a
// failure the file is as it was.
func (j *journal) append(e entry) error {
	if j == nil {
		return nil
	}
	if j.file == nil {
		return os.ErrClosed
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	_, err = j.file.WriteAt(line, j.size)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// Bytes after size are overwritten by the next entry, and
		// cut off at the next start.
		_ = j.file.Truncate(j.size)
		return err
	}
	j.size += int64(len(line))
	return nil
}

func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// commit makes a change: on disk first, then in the estate.
func (e *Estate) commit(change entry) error {
	if err := e.journal.append(change); err != nil {
		return integrations.Errorf(integrations.Unavailable, "write the estate's journal", "%w", err)
	}
	e.replay(change)
	return nil
}

// replay makes a change of the journal.
func (e *Estate) replay(change entry) {
	if !change.Start.IsZero() {
		e.start = change.Start
	}
	if c := change.Containment; c != nil {
		if i := slices.IndexFunc(e.containments, func(o *containment) bool { return o.Ref == c.Ref }); i >= 0 {
			e.containments[i] = c
		} else {
			e.containments = append(e.containments, c)
		}
	}
	if change.Kill != nil {
		e.kills = append(e.kills, *change.Kill)
	}
	if m := change.Message; m != nil {
		if i := slices.IndexFunc(e.messages, func(o Sent) bool { return o.Ref == m.Ref }); i >= 0 {
			e.messages[i] = *m
		} else {
			e.messages = append(e.messages, *m)
		}
	}
	if change.Reply != nil {
		e.replies = append(e.replies, *change.Reply)
	}
	if change.Effect != nil {
		e.effects = append(e.effects, *change.Effect)
	}
}

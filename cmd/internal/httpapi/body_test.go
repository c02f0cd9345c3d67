package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

// A body that was aborted leaves its buffers to the next one: otherwise slow
// senders would leave more garbage than the room that they have. One that
// was read to the end belongs to its reader.
func TestBrokenBodiesLeaveNoGarbage(t *testing.T) {
	const times, size = 200, 700 << 10
	b := newBodies(strangersBytes)
	fill := func(from io.Reader) ([]byte, error) {
		c := b.begin(func() {})
		defer b.end(c)
		body, held, err := b.fill(c, from, api.MaxBody)
		b.give(held)
		return body, err
	}
	broken := func(with byte) {
		if _, err := fill(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{with}, size)), iotest.ErrReader(io.ErrUnexpectedEOF))); err == nil {
			t.Error("a body that ends too early is taken")
		}
	}
	want := bytes.Repeat([]byte{'w'}, size)
	broken('a')
	whole, err := fill(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		broken('b')
	}
	runtime.ReadMemStats(&after)
	// The test's own bodies are of it.
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(times*size+8<<20); got > most {
		t.Errorf("%d bodies that were broken off took %d MiB", times, got>>20)
	}
	if !bytes.Equal(whole, want) || cap(whole) != len(whole) {
		t.Error("a body that was taken is not its reader's alone")
	}
	if b.free != b.most || b.spared > spareBytes {
		t.Errorf("%d of %d bytes of room are free, %d bytes are spare", b.free, b.most, b.spared)
	}
}

// However many were aborted, the buffers kept for the next are bounded, and counted.
func TestSpareBuffersAreBounded(t *testing.T) {
	b := newBodies(strangersBytes)
	for range 3 * spareBytes / api.MaxBody {
		b.keep(make([]byte, api.MaxBody+1))
		b.keep(make([]byte, firstBytes))
	}
	sum := func() (n int64) {
		for _, s := range b.spare {
			n += int64(cap(s))
		}
		return n
	}
	if b.spared > spareBytes || b.spared != sum() {
		t.Errorf("%d bytes are spare, and %d are counted", sum(), b.spared)
	}
	for range len(b.spare) {
		b.buffer(firstBytes)
		b.buffer(api.MaxBody + 1)
	}
	if got := b.buffer(firstBytes); b.spared != 0 || len(b.spare) != 0 || cap(got) != firstBytes {
		t.Errorf("%d bytes in %d buffers are spare when all were given away", b.spared, len(b.spare))
	}
}

// A body contains nothing of an earlier one in whose buffers it is read.
func TestABodyHoldsNothingOfAnEarlierOne(t *testing.T) {
	b := newBodies(strangersBytes)
	read := func(from io.Reader) []byte {
		c := b.begin(func() {})
		body, held, _ := b.fill(c, from, api.MaxBody)
		b.end(c)
		b.give(held)
		return body
	}
	type one struct{ got, want []byte }
	var all []one
	for i, size := range []int{1, firstBytes - 1, firstBytes, firstBytes + 1, 100 << 10, api.MaxBody - 1, api.MaxBody, 7, 0} {
		before := bytes.Repeat([]byte{'a' + byte(i)}, api.MaxBody/2)
		read(io.MultiReader(bytes.NewReader(before), iotest.ErrReader(io.ErrUnexpectedEOF)))
		want := bytes.Repeat([]byte{'A' + byte(i)}, size)
		all = append(all, one{read(iotest.HalfReader(bytes.NewReader(want))), want})
	}
	for i, body := range all {
		if !bytes.Equal(body.got, body.want) {
			t.Errorf("body %d of %d bytes is read as %d others", i, len(body.want), len(body.got))
		}
	}
	if b.free != b.most {
		t.Errorf("%d of %d bytes of room are free", b.free, b.most)
	}
}

// room is the room for one body, and the bodies that were stopped, in that order.
type room struct {
	*bodies
	stopped []string
}

// begins adds a body that releases its room when it is stopped, as its
// reader does.
func (r *room) begins(name string, holds int64) *coming {
	return r.begin(func() {
		r.stopped = append(r.stopped, name)
		go r.give(holds)
	})
}

// waits takes the room for a body, and returns how long that took.
func (r *room) waits(c *coming) (time.Duration, error) {
	began := time.Now()
	err := r.take(c, r.most)
	return time.Since(began), err
}

// A body is left the minimum time of every body. After that it is stopped as soon as
// another needs its room, which has it at once; the slowest first, each once, and
// never one that was read or the one that needs the room.
func TestTheSlowestBodyMakesRoom(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		r := &room{bodies: newBodies(firstBytes)}
		read := r.begins("read", 0)
		slow := r.begins("slow", r.most)
		if _, err := r.waits(slow); err != nil {
			t.Fatal(err)
		}
		r.end(read)
		time.Sleep(patience / 2)
		early := r.begins("early", 0)
		if took, err := r.waits(early); !errors.Is(err, errNoRoom) || took != roomWithin || len(r.stopped) > 0 {
			t.Errorf("before its time is over %v are told to stop; the other had %v after %s", r.stopped, err, took)
		}
		r.end(early)
		if _, err := r.waits(slow); !errors.Is(err, errNoRoom) || len(r.stopped) > 0 {
			t.Errorf("one that asks for more had %v, and %v are told to stop", err, r.stopped)
		}
		second := r.begins("second", r.most)
		if took, err := r.waits(second); err != nil || took > 0 || !slices.Equal(r.stopped, []string{"slow"}) {
			t.Errorf("the second had %v after %s, and %v are told to stop", err, took, r.stopped)
		}
		time.Sleep(patience)
		// Slow has not ended yet, and is not stopped again.
		third := r.begins("third", r.most)
		if took, err := r.waits(third); err != nil || took > 0 || !slices.Equal(r.stopped, []string{"slow", "second"}) {
			t.Errorf("the third had %v after %s, and %v are told to stop", err, took, r.stopped)
		}
		if !r.end(slow) || !r.end(second) || r.end(third) {
			t.Error("the wrong ones are said to be broken off")
		}
	})
}

// However a body ends, its room is released once, also when the release is called
// twice; an unread rest closes the connection.
func TestARoomIsGivenBackOnce(t *testing.T) {
	b := newBodies(strangersBytes)
	for name, c := range map[string]struct {
		from   io.Reader
		length int64
		status int
	}{
		"read":                     {bytes.NewReader(make([]byte, 10)), 10, 0},
		"as large as may be":       {bytes.NewReader(make([]byte, api.MaxBody)), api.MaxBody, 0},
		"said to be too large":     {iotest.ErrReader(errors.New("it is read")), api.MaxBody + 1, http.StatusRequestEntityTooLarge},
		"too large":                {bytes.NewReader(make([]byte, api.MaxBody+1)), -1, http.StatusRequestEntityTooLarge},
		"shorter than it says":     {iotest.ErrReader(io.ErrUnexpectedEOF), 10, http.StatusBadRequest},
		"broken off in the middle": {io.MultiReader(bytes.NewReader(make([]byte, api.MaxBody/2)), iotest.ErrReader(io.ErrUnexpectedEOF)), api.MaxBody, http.StatusBadRequest},
	} {
		req := httptest.NewRequest("POST", "/", c.from)
		req.ContentLength = c.length
		body, release, p := b.read(httptest.NewRecorder(), req, api.MaxBody)
		switch {
		case c.status == 0 && (p != nil || int64(len(body)) != c.length || b.free >= b.most):
			t.Errorf("%s: %d bytes, %v; %d of %d bytes of room are free", name, len(body), p, b.free, b.most)
		case c.status != 0 && (p == nil || p.status != c.status || !p.hangUp || body != nil):
			t.Errorf("%s: %+v", name, p)
		}
		release()
		release()
		if b.free != b.most || len(b.coming) > 0 {
			t.Errorf("%s: %d of %d bytes of room are free, %d bodies are coming", name, b.free, b.most, len(b.coming))
		}
	}
	full := newBodies(0)
	req := httptest.NewRequest("POST", "/", bytes.NewReader(make([]byte, 10)))
	_, release, p := full.read(httptest.NewRecorder(), req, api.MaxBody)
	release()
	if p == nil || p.status != http.StatusServiceUnavailable || p.retry <= 0 || !p.hangUp {
		t.Errorf("without room a body is answered %+v", p)
	}
}

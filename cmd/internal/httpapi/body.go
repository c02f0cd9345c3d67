package httpapi

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// strangersBytes bounds the total size of the bodies of requests whose
	// sender is known only when they have been read, sendersBytes that of the bodies of
	// authenticated senders.
	strangersBytes = 8 << 20
	sendersBytes   = 64 << 20
	// firstBytes is the first buffer of a body; it grows with the data that arrives.
	firstBytes = 4 << 10
	// patience is the minimum time that a body is allowed, roomWithin how long another
	// waits for its room.
	patience   = time.Second
	roomWithin = time.Second
	// spareBytes bounds the buffers that are kept for later bodies.
	spareBytes = 4 << 20
	// busyAfter is the Retry-After of a sender for whose request there was no room.
	busyAfter = 2 * time.Second
)

// bodies is the room for the bodies of requests. A body takes as much of it as
// has arrived, not its declared length. When there is none left, the
// slowest body is aborted: a client that sends slowly on purpose blocks no other.
type bodies struct {
	most int64

	mu   sync.Mutex
	free int64
	// coming are the bodies that are being read, in the order in which they
	// began.
	coming []*coming
	// spare are unused buffers, spared bytes in all.
	spare  [][]byte
	spared int64
	// room is closed and made anew on every release.
	room chan struct{}
}

// coming is a body that is being read.
type coming struct {
	began time.Time
	// stop ends the reading; nil once it was called.
	stop func()
}

func newBodies(most int64) *bodies {
	return &bodies{most: most, free: most, room: make(chan struct{})}
}

var errNoRoom = errors.New("no room for the body")

// read returns a body of at most so many bytes. Release frees its room; it
// is never nil.
func (b *bodies) read(w http.ResponseWriter, req *http.Request, most int64) (body []byte, release func(), p *problem) {
	none := func() {}
	if req.ContentLength > most {
		return nil, none, tooLarge(most)
	}
	control := http.NewResponseController(w)
	c := b.begin(func() {
		// Without a deadline it ends with the server's own.
		_ = control.SetReadDeadline(time.Unix(1, 0))
	})
	body, held, err := b.fill(c, http.MaxBytesReader(w, req.Body, most), most)
	stopped := b.end(c)
	release = sync.OnceFunc(func() { b.give(held) })
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
		return body, release, nil
	case large:
		p = tooLarge(most)
	case stopped, errors.Is(err, errNoRoom):
		p = noRoom()
	default:
		p = fail(http.StatusBadRequest, "invalid", "read the body: it ends too early, or comes too slowly")
	}
	p.hangUp = true
	release()
	return nil, none, p
}

func tooLarge(most int64) *problem {
	p := fail(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", most)
	p.hangUp = true
	return p
}

// fill reads to the end, and returns how much room it holds also on an error.
func (b *bodies) fill(c *coming, from io.Reader, most int64) (body []byte, held int64, err error) {
	for {
		if len(body) == cap(body) {
			size := max(firstBytes, 2*int64(cap(body)))
			if size >= most {
				// One byte more than the limit shows that the body is too large. It
				// is read with the last of them: alone it would take the whole
				// body's room once more.
				size = most + 1
			}
			if err := b.take(c, size); err != nil {
				b.keep(body)
				return nil, held, err
			}
			outgrown := body
			body = append(b.buffer(size), body...)
			b.keep(outgrown)
			b.give(held)
			held = size
		}
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			// The caller may keep it: it is not used again.
			return slices.Clip(body), held, nil
		}
		if err != nil {
			b.keep(body)
			return nil, held, err
		}
	}
}

// buffer returns an empty buffer of that size, one that was kept where there is
// one.
func (b *bodies) buffer(size int64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.IndexFunc(b.spare, func(s []byte) bool { return int64(cap(s)) == size })
	if at < 0 {
		return make([]byte, 0, size)
	}
	found := b.spare[at]
	b.spare = slices.Delete(b.spare, at, at+1)
	b.spared -= size
	return found
}

// keep keeps an unused buffer for the next body of its size: clients that
// send slowly would otherwise leave garbage behind at the pace of the network.
func (b *bodies) keep(buffer []byte) {
	size := int64(cap(buffer))
	b.mu.Lock()
	defer b.mu.Unlock()
	if size > 0 && b.spared+size <= spareBytes {
		b.spare, b.spared = append(b.spare, buffer[:0]), b.spared+size
	}
}

func (b *bodies) begin(stop func()) *coming {
	c := &coming{began: time.Now(), stop: stop}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.coming = append(b.coming, c)
	return c
}

// end reports whether the body was aborted.
func (b *bodies) end(c *coming) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.coming = slices.DeleteFunc(b.coming, func(other *coming) bool { return other == c })
	return c.stop == nil
}

// take reserves room for a body, for which slower ones may be aborted.
func (b *bodies) take(c *coming, n int64) error {
	deadline := time.NewTimer(roomWithin)
	defer deadline.Stop()
	for {
		b.mu.Lock()
		if b.free >= n {
			b.free -= n
			b.mu.Unlock()
			return nil
		}
		b.breakOff(c)
		room := b.room
		b.mu.Unlock()
		select {
		case <-room:
		case <-deadline.C:
			return errNoRoom
		}
	}
}

// breakOff aborts the body that takes longest, unless it is this one or has had
// little time yet.
func (b *bodies) breakOff(but *coming) {
	for _, c := range b.coming {
		if c == but || time.Since(c.began) < patience {
			return
		}
		if c.stop != nil {
			c.stop()
			c.stop = nil
			return
		}
	}
}

func (b *bodies) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	close(b.room)
	b.room = make(chan struct{})
}

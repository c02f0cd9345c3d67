package receiver

import (
	"bytes"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
)

// A body that was broken off leaves its buffers to the next one: otherwise those
// who send slowly would leave more garbage than the room that they have. One that
// was read to the end is its reader's alone.
func TestBrokenBodiesLeaveNoGarbage(t *testing.T) {
	const times, size = 200, 700 << 10
	b := newBodies(strangersBytes)
	fill := func(from io.Reader) ([]byte, error) {
		c := b.begin(func() {})
		defer b.end(c)
		body, held, err := b.fill(c, from, MaxBody)
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

package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
)

// forgedSignature is a header that is found wrong only by reading the body.
func forgedSignature() string {
	return fmt.Sprintf("%s: t=%d,v1=%s", auth.SignatureHeader, time.Now().Unix(), strings.Repeat("0", 64))
}

// part sends the head of a request for a large body, and only so many bytes of
// it. The connection stays open.
func (s *side) part(source, header string, sent int) net.Conn {
	s.t.Helper()
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /v1/alerts/%s HTTP/1.1\r\nHost: stanch\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
		source, header, api.MaxBody, strings.Repeat("x", sent))
	if err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// Slow bodies take all the room that strangers share, and nothing
// ends them by itself: a valid request is served all the same, and it is the slow
// ones that are answered with Retry-After.
func TestARightRequestIsServedWhileSlowBodiesHoldTheRoom(t *testing.T) {
	const held = 64 << 10
	s := newSide(t, everyWay(t))
	var answered, otherwise atomic.Int32
	slow := func(n, sent int) {
		for range n {
			conn := s.part("signed", forgedSignature(), sent)
			go func() {
				line := make([]byte, len("HTTP/1.1 503"))
				if _, err := io.ReadFull(conn, line); err != nil {
					return
				}
				if !bytes.HasSuffix(line, []byte("503")) {
					otherwise.Add(1)
				}
				answered.Add(1)
			}()
		}
	}
	// More bodies than there is room for, and then small ones into the rest of it.
	slow(160, held/2+1)
	eventually(t, "there is no room for all of them", func() bool { return answered.Load() > 0 })
	before := answered.Load()
	slow(700, 1)
	eventually(t, "there is no room for one more", func() bool { return answered.Load() > before })
	h := host(t)
	served := func() bool {
		body := alert("right", "note", h)
		return s.call("POST", "/v1/alerts/signed", "", body, signedAt(time.Now(), hmacSecret, body)).status == http.StatusAccepted
	}
	// Later than any of those waits that found no room, the rest is unchanged.
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		served()
	}
	for range 3 {
		eventually(t, "a right request is served", served)
	}
	if n := otherwise.Load(); n > 0 {
		t.Errorf("%d slow bodies were not told to come again", n)
	}
}

// However a body ends, its room is released, also of the largest that
// is allowed.
func TestTheRoomOfABodyIsGivenBack(t *testing.T) {
	s := newSide(t, everyWay(t))
	large := strings.Repeat("x", api.MaxBody/2+1)
	endless := strings.Repeat("x", api.MaxBody+1)
	h := host(t)
	for i := range 5 {
		s.call("POST", "/v1/alerts/signed", "", large, signedAt(time.Now(), "another secret of 16", large)).refused(401, "unauthorized")
		// Without a length it is known to be too large when it has been read.
		s.call("POST", "/v1/alerts/signed", "", endless, signedAt(time.Now(), hmacSecret, endless), func(req *http.Request) {
			req.ContentLength = -1
		}).refused(413, "too_large")
		conn := s.part("signed", forgedSignature(), api.MaxBody/2+1)
		if half, ok := conn.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, conn)
		// The largest is read; one alert of that size is kept as rejected.
		most := strings.Repeat(" ", api.MaxBody-1) + "x"
		s.call("POST", "/v1/alerts/signed", "", most, signedAt(time.Now(), hmacSecret, most)).refused(422, "rejected")
		right := alert(fmt.Sprint("right-", i), "note", h)
		s.call("POST", "/v1/alerts/signed", "", right, signedAt(time.Now(), hmacSecret, right)).is(202, nil)
	}
	for range 20 {
		conn := s.part("siem", "Authorization: Bearer "+siemToken, api.MaxBody/2+1)
		if half, ok := conn.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, conn)
	}
	s.call("POST", "/v1/alerts/siem", siemToken, alert("right", "note", h)).is(202, nil)
}

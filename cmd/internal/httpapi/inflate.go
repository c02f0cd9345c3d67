package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"strings"
)

const (
	// expands is how many times as large as it was sent a body may become; alerts that
	// repeat each other become some hundred times as large. A small one may become
	// expandsAlways bytes.
	expands       = 500
	expandsAlways = 64 << 10
)

// unpack returns the body of an authenticated sender as it was before its client
// compressed it, of at most so many bytes. Release frees its room; it is never nil.
func (b *bodies) unpack(req *http.Request, body []byte, most int64) (plain []byte, release func(), p *problem) {
	none := func() {}
	encoding := strings.TrimSpace(strings.Join(req.Header.Values("Content-Encoding"), ","))
	switch {
	case encoding == "", strings.EqualFold(encoding, "identity"):
		return body, none, nil
	case !strings.EqualFold(encoding, "gzip") && !strings.EqualFold(encoding, "x-gzip"):
		return nil, none, fail(http.StatusUnsupportedMediaType, "unsupported", "the only Content-Encoding that is read is gzip")
	}
	packed, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, none, fail(http.StatusBadRequest, "invalid", "read the body: it is not gzip, as its Content-Encoding says")
	}
	limit := min(most, max(expandsAlways, expands*int64(len(body))))
	plain, held, err := b.fill(nil, http.MaxBytesReader(nil, packed, limit), limit)
	if err == nil {
		return plain, func() { b.give(held) }, nil
	}
	b.give(held)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large && limit < most:
		p = fail(http.StatusRequestEntityTooLarge, "too_large", "the body becomes more than %d times as large as it was sent", expands)
	case large:
		p = fail(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", most)
	case errors.Is(err, errNoRoom):
		p = noRoom()
	default:
		p = fail(http.StatusBadRequest, "invalid", "read the body: what it is packed as gzip is broken")
	}
	return nil, none, p
}

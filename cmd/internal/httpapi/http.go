package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/cmd/internal/api"
)

// problem is an answer other than success.
type problem struct {
	status int
	// retry is when the same request may be sent again, as the header Retry-After
	// has it; hangUp closes the connection, part of which is unread.
	retry  time.Duration
	hangUp bool
	api.Problem
}

func fail(status int, kind, format string, args ...any) *problem {
	return &problem{status: status, Problem: api.Problem{Kind: kind, Error: fmt.Sprintf(format, args...)}}
}

// invalid is the answer to a request that is wrong in a field.
func invalid(field, format string, args ...any) *problem {
	p := fail(http.StatusBadRequest, "invalid", format, args...)
	p.Field = field
	return p
}

func (p *problem) reply(w http.ResponseWriter) {
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retry.Seconds()))))
	}
	if p.hangUp {
		// Otherwise the server reads on, and answers after that.
		w.Header().Set("Connection", "close")
	}
	reply(w, p.status, p.Problem)
}

func reply(w http.ResponseWriter, status int, body any) {
	var text bytes.Buffer
	// Our answers always encode.
	_ = json.NewEncoder(&text).Encode(body)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// A document that a sender wrote may hold bytes that are not text. A client
	// that has disconnected cannot be sent an error.
	_, _ = w.Write(bytes.ToValidUTF8(text.Bytes(), []byte("\uFFFD")))
}

// plain answers invalid paths and queries with 400: those with bytes
// that are not text, or with control characters. A path that is not in canonical
// form is not found.
func plain(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		query, err := url.QueryUnescape(req.URL.RawQuery)
		switch {
		case !isPlain(req.URL.Path) || !isPlain(query) || err != nil:
			invalid("", "the path or the query holds a byte that is no text").reply(w)
		case path.Clean("/"+req.URL.Path) != strings.TrimSuffix(req.URL.Path, "/") && req.URL.Path != "/":
			// The mux would redirect to the clean path, and name it with its query, in
			// which a token may be.
			fail(http.StatusNotFound, "not_found", "there is nothing at this path").reply(w)
		default:
			h.ServeHTTP(w, req)
		}
	})
}

func isPlain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// decode reads a strict JSON body: one document, no unknown field.
func decode(w http.ResponseWriter, req *http.Request, into any) *problem {
	req.Body = http.MaxBytesReader(w, req.Body, maxRequest)
	dec := json.NewDecoder(req.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("it holds more than one document")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fail(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", maxRequest)
	}
	return fail(http.StatusBadRequest, "invalid", "read the request: %v", err)
}

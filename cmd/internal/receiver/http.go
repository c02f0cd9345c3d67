package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// problem is an answer other than success. Field names what is wrong in the
// request.
type problem struct {
	status int
	Error  string `json:"error"`
	Kind   string `json:"kind,omitempty"`
	Field  string `json:"field,omitempty"`
	// Rejected is the id under which the request was kept.
	Rejected string `json:"rejected,omitempty"`
}

func fail(status int, kind, format string, args ...any) *problem {
	return &problem{status: status, Kind: kind, Error: fmt.Sprintf(format, args...)}
}

// invalid is the answer to a request that is wrong in a field.
func invalid(field, format string, args ...any) *problem {
	p := fail(http.StatusBadRequest, "invalid", format, args...)
	p.Field = field
	return p
}

func (p *problem) reply(w http.ResponseWriter) { reply(w, p.status, p) }

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// A client that has gone away cannot be told that it has.
	_ = json.NewEncoder(w).Encode(body)
}

// readBody reads a body of at most so many bytes.
func readBody(w http.ResponseWriter, req *http.Request, most int64) ([]byte, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, most))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fail(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", most)
	}
	if err != nil {
		return nil, fail(http.StatusBadRequest, "invalid", "read the body: %v", err)
	}
	return body, nil
}

// decode reads a strict JSON body: one document, no field that is not known.
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

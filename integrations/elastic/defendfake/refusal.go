package defendfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// refusal is an answer that is an error.
type refusal struct {
	status int
	header http.Header
	body   any
}

// kibanaError is how Kibana writes an error.
func kibanaError(status int, format string, args ...any) *refusal {
	return &refusal{status: status, body: map[string]any{
		"statusCode": status, "error": http.StatusText(status), "message": fmt.Sprintf(format, args...),
	}}
}

// elasticError is how Elasticsearch writes an error.
func elasticError(status int, kind, format string, args ...any) *refusal {
	reason := fmt.Sprintf(format, args...)
	return &refusal{status: status, body: map[string]any{
		"status": status,
		"error":  map[string]any{"root_cause": []any{map[string]any{"type": kind, "reason": reason}}, "type": kind, "reason": reason},
	}}
}

// decodeStrict reads a JSON body into a value of known keys.
func decodeStrict(r *http.Request, into any) *refusal {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		decoder.DisallowUnknownFields()
		err = decoder.Decode(into)
	}
	if err != nil {
		return elasticError(http.StatusBadRequest, "x_content_parse_exception", "[1:1] failed to parse the body: %v", err)
	}
	return nil
}

// decodeObject reads a JSON object.
func decodeObject(r io.Reader) (map[string]any, error) {
	decoder := json.NewDecoder(io.LimitReader(r, 1<<20))
	decoder.UseNumber()
	var in map[string]any
	if err := decoder.Decode(&in); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("more than one value")
	}
	return in, nil
}

// reply writes an answer.
func (d *Double) reply(rw http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		d.complain("write an answer: %v", err)
		status = http.StatusInternalServerError
	}
	rw.WriteHeader(status)
	_, _ = rw.Write(text) // Whoever has gone wants no answer.
}

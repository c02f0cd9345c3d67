package kibanafake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// apiVersion is the only version of these operations.
const apiVersion = "2023-10-31"

// call is a request that is taken up.
type call struct {
	by    Key
	query url.Values
	body  map[string]any
}

// operation is one that Kibana serves.
type operation struct {
	privilege string
	serve     func(*Double, *call) (any, *refusal)
}

// operations are all, by method and by path below the space.
func (d *Double) operations() map[string]operation {
	all := map[string]operation{
		"PATCH /api/note": {WriteNotes, (*Double).persistNote},
		"GET /api/note":   {ReadNotes, (*Double).getNotes},
		"POST /api/detection_engine/signals/search": {Security, (*Double).searchAlerts},
		"POST /api/detection_engine/signals/status": {Security, (*Double).setStatus},
	}
	if d.o.Release == Release815 {
		delete(all, "GET /api/note")
	}
	return all
}

// refusal is an answer that is an error.
type refusal struct {
	status int
	header http.Header
	body   any
}

// platformError is how Kibana itself writes an error.
func platformError(status int, format string, args ...any) *refusal {
	return &refusal{status: status, body: map[string]any{
		"statusCode": status, "error": http.StatusText(status), "message": fmt.Sprintf(format, args...),
	}}
}

// securityError is how its security solution does.
func securityError(status int, format string, args ...any) *refusal {
	return &refusal{status: status, body: map[string]any{"status_code": status, "message": fmt.Sprintf(format, args...)}}
}

// ServeHTTP implements [http.Handler].
func (d *Double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	notReady, disabled := d.failing(NotReady), d.failing(Disabled)
	d.mu.Unlock()
	if notReady {
		w.Header().Set(apispec.FaultHeader, "1") // which no description knows
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Kibana server is not ready yet", http.StatusServiceUnavailable)
		return
	}
	var answer any
	refused := platformError(http.StatusNotFound, "Not Found")
	if !disabled {
		answer, refused = d.serve(r)
	}
	status := http.StatusOK
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Elastic-Api-Version", apiVersion)
	w.Header().Set("Kbn-Name", "kibana")
	if refused != nil {
		status, answer = refused.status, refused.body
		for name, values := range refused.header {
			w.Header()[name] = values
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // Whoever has gone wants no answer.
}

func (d *Double) serve(r *http.Request) (any, *refusal) {
	space, path := "default", r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/s/"); ok {
		name, below, _ := strings.Cut(rest, "/")
		space, path = name, "/"+below
	}
	op, ok := d.operations()[r.Method+" "+path]
	if !ok {
		return nil, platformError(http.StatusNotFound, "Not Found")
	}
	by, refused := d.authenticate(r)
	if refused != nil {
		return nil, refused
	}
	if refused := headers(r, path); refused != nil {
		return nil, refused
	}
	// A space that does not exist is one in which a key has no privileges.
	if !by.may(op.privilege) || space != d.o.Space {
		return nil, platformError(http.StatusForbidden, "API [%s %s] is unauthorized for user, this action is granted by the Kibana privileges [%s]", r.Method, path, op.privilege)
	}
	c := &call{by: by, query: r.URL.Query()}
	if r.Method != http.MethodGet {
		if c.body, refused = d.read(r); refused != nil {
			return nil, refused
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return op.serve(d, c)
}

// headers checks those that Kibana asks for.
func headers(r *http.Request, path string) *refusal {
	if r.Method != http.MethodGet {
		if r.Header.Get("Kbn-Xsrf") == "" && r.Header.Get("Kbn-Version") == "" {
			return platformError(http.StatusBadRequest, "Request must contain a kbn-xsrf header.")
		}
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
			return platformError(http.StatusUnsupportedMediaType, "Unsupported Media Type")
		}
	}
	// An installation that is not serverless takes the oldest where none is named.
	if v := r.Header.Get("Elastic-Api-Version"); v != "" && v != apiVersion {
		return platformError(http.StatusBadRequest, "No version %q available for [%s] [%s]. Available versions are: %s", v, strings.ToLower(r.Method), path, apiVersion)
	}
	return nil
}

// read reads a JSON object.
func (d *Double) read(r *http.Request) (map[string]any, *refusal) {
	text, err := io.ReadAll(io.LimitReader(r.Body, int64(d.o.Payload)+1))
	if err != nil {
		return nil, platformError(http.StatusBadRequest, "aborted")
	}
	if len(text) > d.o.Payload {
		return nil, platformError(http.StatusRequestEntityTooLarge, "Payload content length greater than maximum allowed: %s", strconv.Itoa(d.o.Payload))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var body map[string]any
	if err = decoder.Decode(&body); err == nil && decoder.More() {
		err = errors.New("more than one value")
	}
	if err != nil || body == nil {
		return nil, platformError(http.StatusBadRequest, "Invalid request payload JSON format")
	}
	return body, nil
}

// invalid is the error of a part of a body that is not what it must be.
func invalid(at, want string) *refusal {
	return platformError(http.StatusBadRequest, "[request body]: %s: %s", at, want)
}

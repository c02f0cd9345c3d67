package defenderfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what is read of a request; a file of the library has 20 MB.
const maxBody = 32 << 20

// refusal is an error that is answered.
type refusal struct {
	status  int
	code    string
	message string
	after   time.Duration // of Retry-After
}

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// guid returns a new correlation id. The lock must be held.
func (d *Double) guid() string {
	d.serial++
	return fmt.Sprintf("%08x-5ec0-4f6d-8a1b-%012x", d.serial, d.serial)
}

func (d *Double) correlation() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.guid()
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; odata.metadata=minimal; odata.streaming=true")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// deny writes an error as Defender does; its target is the id of the request.
func (d *Double) deny(w http.ResponseWriter, r *refusal) {
	retryAfter(w, r)
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	writeJSON(w, r.status, map[string]any{"error": map[string]any{
		"code": r.code, "message": r.message, "target": d.correlation(),
	}})
}

// denyGraph writes an error as Graph does.
func (d *Double) denyGraph(w http.ResponseWriter, r *refusal) {
	retryAfter(w, r)
	id := d.correlation()
	writeJSON(w, r.status, map[string]any{"error": map[string]any{
		"code": r.code, "message": r.message,
		"innerError": map[string]any{
			"date": d.world.Now().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": id,
		},
	}})
}

func retryAfter(w http.ResponseWriter, r *refusal) {
	if r.after > 0 {
		seconds := int64((r.after + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
}

// stamp writes a time as the samples of Defender do, with up to seven digits.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.9999999Z")
}

// entity adds what the options add to one.
func (d *Double) entity(e map[string]any) map[string]any {
	maps.Copy(e, d.o.Extra)
	for k, v := range e {
		if word, ok := v.(string); ok {
			if other, ok := d.o.Respell[word]; ok {
				e[k] = other
			}
		}
	}
	return e
}

// list writes a list, or null for none where the options say so.
func list[T any](d *Double, items []T) any {
	if len(items) > 0 {
		return items
	}
	if d.o.NullLists {
		return nil
	}
	return []T{}
}

// context is the address of the metadata; samples have the older host.
func context(entity string) string {
	return "https://api.securitycenter.microsoft.com/api/$metadata#" + entity
}

// decode reads a body whose keys are exactly those that are known. Which unknown
// keys the product ignores is not documented: none here.
func decode(r *http.Request, known ...string) (map[string]any, *refusal) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(strings.ToLower(kind)) != "application/json" {
		return nil, refuse(http.StatusBadRequest, "InvalidRequestBody", "Request body is incorrect: the content type is application/json")
	}
	var body map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody)).Decode(&body); err != nil || body == nil {
		return nil, refuse(http.StatusBadRequest, "InvalidRequestBody", "Request body is incorrect")
	}
	for key := range body {
		found := false
		for _, k := range known {
			found = found || k == key
		}
		if !found {
			for _, k := range known {
				if strings.EqualFold(k, key) {
					return nil, refuse(http.StatusBadRequest, "MissingRequiredParameter", "Parameter %s is missing.", k)
				}
			}
			return nil, refuse(http.StatusBadRequest, "InvalidRequestBody", "Request body is incorrect: %s", key)
		}
	}
	return body, nil
}

// required returns a text of a body.
func required(body map[string]any, key string) (string, *refusal) {
	s, ok := body[key].(string)
	switch {
	case body[key] == nil, s == "" && ok:
		return "", refuse(http.StatusBadRequest, "MissingRequiredParameter", "Parameter %s is missing.", key)
	case !ok:
		return "", refuse(http.StatusBadRequest, "InvalidRequestBody", "Request body is incorrect: %s", key)
	}
	return s, nil
}

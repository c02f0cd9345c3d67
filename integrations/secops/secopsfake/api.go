package secopsfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// How says how an answer tells when to come again; no page says which of them it is.
type How int

// The ways to say it.
const (
	Nowhere How = iota
	InHeader
	InDetails
)

// Fault is what becomes of one call of the API in place of its answer.
type Fault struct {
	// Status is that of the answer; 0: there is none, and the connection is closed.
	Status int
	// After is when to come again, and How where the answer says it.
	After time.Duration
	How   How
	// Cut breaks the answer off in its middle.
	Cut bool
	// Body is written, with the status, as no page describes it.
	Body string
	// Revoke makes the token of the call invalid before it is looked at.
	Revoke bool
	// None is no fault: a place among others.
	None bool
}

// refusal is a google.rpc.Status.
type refusal struct {
	code            int
	status, message string
	details         []any
	header          http.Header
}

func refuse(code int, status, format string, args ...any) *refusal {
	return &refusal{code: code, status: status, message: fmt.Sprintf(format, args...), header: http.Header{}}
}

func (r *refusal) write(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	body := map[string]any{"code": r.code, "message": r.message, "status": r.status}
	if len(r.details) > 0 {
		body["details"] = r.details
	}
	writeJSON(w, r.code, map[string]any{"error": body})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// info is the detail by which machines know a reason.
func info(reason string, metadata map[string]any) map[string]any {
	return map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}
}

const permission = "chronicle.legacies.legacySearchDetections"

// admit checks the token and the permission. What is not there and what may not be seen are
// answered alike.
func (d *Double) admit(r *http.Request) *refusal {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	d.mu.Lock()
	until, known := d.tokens[token]
	d.mu.Unlock()
	if !known || !d.o.Now().Before(until) {
		f := refuse(http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.")
		f.details = []any{info("ACCESS_TOKEN_EXPIRED", map[string]any{"service": "chronicle.googleapis.com"})}
		f.header.Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/", error="invalid_token"`)
		return f
	}
	if d.o.Denied || r.URL.Path != d.path() {
		resource := strings.TrimPrefix(strings.TrimSuffix(r.URL.Path, "/legacy:legacySearchDetections"), "/v1alpha/")
		f := refuse(http.StatusForbidden, "PERMISSION_DENIED", "Permission '%s' denied on resource '//chronicle.googleapis.com/%s' (or it may not exist).", permission, resource)
		f.details = []any{info("IAM_PERMISSION_DENIED", map[string]any{"permission": permission, "resource": resource})}
		return f
	}
	return nil
}

// api answers a call of the API.
func (d *Double) api(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	var fault *Fault
	if len(d.faults) > 0 {
		f := d.faults[0]
		fault, d.faults = &f, d.faults[1:]
	}
	d.mu.Unlock()
	switch {
	case fault == nil:
	case fault.None:
		fault = nil
	case fault.Revoke:
		d.RevokeTokens()
		fault = nil
	case !fault.Cut:
		d.fail(w, *fault)
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/legacy:legacySearchDetections") || r.Method != http.MethodGet {
		refuse(http.StatusNotFound, "NOT_FOUND", "Method not found.").write(w)
		return
	}
	refused := d.admit(r)
	var body map[string]any
	if refused == nil {
		body, refused = d.search(r.URL.Query(), r.URL.RawQuery)
	}
	switch {
	case refused != nil:
		refused.write(w)
	case fault != nil:
		cut(w, body)
	default:
		d.list(w, body)
	}
}

// list writes a page: the bytes of a detection are those that it was made of, unless answers
// are to differ.
func (d *Double) list(w http.ResponseWriter, body map[string]any) {
	d.mu.Lock()
	d.answers++
	blanks := ""
	if d.o.Pretty {
		blanks = strings.Repeat(" ", 1+d.answers%7)
	}
	d.mu.Unlock()
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	out.SetIndent("", blanks)
	if err := out.Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(text.Bytes())
}

func (d *Double) fail(w http.ResponseWriter, f Fault) {
	switch {
	case f.Status == 0:
		w.Header().Set(apispec.FaultHeader, "gone")
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	case f.Body != "":
		w.Header().Set(apispec.FaultHeader, "body")
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, f.Body)
		return
	}
	words := map[int]string{429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED", 400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}
	r := refuse(f.Status, words[f.Status], "The request failed.")
	if f.Status == http.StatusTooManyRequests {
		r.details = append(r.details, info("RATE_LIMIT_EXCEEDED", map[string]any{"service": "chronicle.googleapis.com"}))
	}
	switch f.How {
	case Nowhere:
	case InHeader:
		r.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.After.Seconds()))))
	case InDetails:
		r.details = append(r.details, map[string]any{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": fmt.Sprintf("%gs", f.After.Seconds())})
	}
	r.write(w)
}

// cut writes half of an answer that promised all of it.
func cut(w http.ResponseWriter, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		return
	}
	w.Header().Set(apispec.FaultHeader, "cut")
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s", len(text), text[:len(text)/2])
	_ = out.Flush()
	_ = conn.Close()
}

package loganalyticsfake

import (
	"encoding/json"
	"io"
	"math"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// Fault is what becomes of one query in place of its answer.
type Fault struct {
	// Status is that of the answer; 0: there is none, and the connection is closed. 429 and
	// 504 have the product's errors.
	Status int
	// After is when to come again; 0: the answer does not say it.
	After time.Duration
	// Body is written in place of the product's error, such as the page of a proxy.
	Body string
	// Hang holds the answer back until the client goes away.
	Hang bool
	// Partial answers with half of the rows, and says that they are not all.
	Partial bool
	// Torn answers with half of the bytes.
	Torn bool
}

// Fail has the next queries fail, one after the other.
func (d *Double) Fail(faults ...Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, faults...)
}

// Break has every query fail, until it is called with nil.
func (d *Double) Break(f *Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = f
}

func (d *Double) nextFault() (Fault, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return *d.broken, true
	}
	if len(d.faults) == 0 {
		return Fault{}, false
	}
	f := d.faults[0]
	d.faults = d.faults[1:]
	return f, true
}

// refusal is an error of the product. The inner ones are from the outside to the inside.
type refusal struct {
	status        int
	code, message string
	inner         [][2]string
	header        http.Header
}

func refuse(status int, code, message string, inner ...[2]string) *refusal {
	return &refusal{status: status, code: code, message: message, inner: inner}
}

func (r *refusal) write(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	top := map[string]any{"code": r.code, "message": r.message}
	at := top
	for _, i := range r.inner {
		in := map[string]any{"code": i[0], "message": i[1]}
		at["innererror"] = in
		at = in
	}
	writeJSON(w, r.status, map[string]any{"error": top})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// Handler serves Entra and the workspace on one origin.
func (d *Double) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.o.Before != nil {
			d.o.Before(r)
		}
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			d.login(w, r)
			return
		}
		fault, failing := d.nextFault()
		if failing && !fault.Partial && !fault.Torn {
			d.fail(w, r, fault)
			return
		}
		if refused := d.answer(w, r, fault); refused != nil {
			refused.write(w)
		}
	})
}

func (d *Double) fail(w http.ResponseWriter, r *http.Request, f Fault) {
	if f.Hang {
		<-r.Context().Done()
		cut(w)
		return
	}
	if f.Status == 0 {
		cut(w)
		return
	}
	if f.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.After.Seconds()))))
	}
	if f.Body != "" {
		w.Header().Set(apispec.FaultHeader, "page")
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(f.Body))
		return
	}
	switch f.Status {
	case http.StatusTooManyRequests:
		throttled().write(w)
	case http.StatusGatewayTimeout:
		slow().write(w)
	case http.StatusUnauthorized:
		refuse(f.Status, "AuthenticationFailed", "Authentication failed.").write(w)
	case http.StatusForbidden:
		insufficient().write(w)
	case http.StatusNotFound:
		missing().write(w)
	default:
		refuse(f.Status, "InternalServerError", "An internal server error occurred.").write(w)
	}
}

func cut(w http.ResponseWriter) {
	w.Header().Set(apispec.FaultHeader, "cut")
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// throttled is what more queries than the limit are answered. Its status is documented, and
// neither its text nor that it says when to come again.
func throttled() *refusal {
	return refuse(http.StatusTooManyRequests, "ThrottledError", "The request rate is above the limit.")
}

func slow() *refusal {
	return refuse(http.StatusGatewayTimeout, "GatewayTimeout", "The query did not finish in time.")
}

func insufficient() *refusal {
	return refuse(http.StatusForbidden, "InsufficientAccessError", "The provided credentials have insufficient access to perform the requested operation")
}

func missing() *refusal {
	return refuse(http.StatusNotFound, "PathNotFoundError", "The requested path does not exist")
}

var queryPath = regexp.MustCompile(`^/v1/workspaces/([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})/query$`)

// request is a query as it was sent.
type request struct {
	query      string
	timespans  []string
	statistics bool
	wait       time.Duration
}

// answer runs a query, or returns why it does not.
func (d *Double) answer(w http.ResponseWriter, r *http.Request, f Fault) *refusal {
	if refused := d.authenticate(r); refused != nil {
		return refused
	}
	m := queryPath.FindStringSubmatch(r.URL.Path)
	if m == nil || r.Method != http.MethodGet && r.Method != http.MethodPost {
		return missing()
	}
	// Of a workspace that is not there the page says to verify its id where access is denied.
	if !strings.EqualFold(m[1], d.Workspace) || d.o.Nobody {
		return insufficient()
	}
	if !d.admit() {
		return throttled()
	}
	q, ok, refused := d.read(r)
	if refused != nil {
		return refused
	}
	if !ok {
		// A POST without JSON, or that does not say that it is, is answered with nothing.
		w.WriteHeader(http.StatusOK)
		return nil
	}
	refused = d.serve(w, q, f)
	d.note(q, refused)
	return refused
}

func (d *Double) note(q request, refused *refusal) {
	asked := Query{Text: q.query, Timespan: strings.Join(q.timespans, " and "), Wait: q.wait}
	if refused != nil {
		asked.Refused = refused.code
		for _, i := range refused.inner {
			asked.Refused += ": " + i[1]
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, asked)
}

// admit counts a query against the limit of half a minute.
func (d *Double) admit() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	kept := d.times[:0]
	for _, t := range d.times {
		if now.Sub(t) < 30*time.Second {
			kept = append(kept, t)
		}
	}
	d.times = kept
	if len(kept) >= d.o.Rate {
		return false
	}
	d.times = append(kept, now)
	return true
}

// read takes a query from a request; ok is false where there is none.
func (d *Double) read(r *http.Request) (q request, ok bool, refused *refusal) {
	values := r.URL.Query()
	var workspaces []string
	if v := values.Get("timespan"); v != "" {
		q.timespans = append(q.timespans, v)
	}
	if r.Method == http.MethodGet {
		q.query = values.Get("query")
		if v := values.Get("workspaces"); v != "" {
			workspaces = strings.Split(v, ",")
		}
	} else {
		typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		text, errBody := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		var body struct {
			Query      string   `json:"query"`
			Timespan   string   `json:"timespan"`
			Workspaces []string `json:"workspaces"`
		}
		if err != nil || typ != "application/json" || errBody != nil || json.Unmarshal(text, &body) != nil {
			return q, false, nil
		}
		q.query, workspaces = body.Query, body.Workspaces
		if body.Timespan != "" {
			q.timespans = append(q.timespans, body.Timespan)
		}
	}
	for _, id := range workspaces {
		if !strings.EqualFold(id, d.Workspace) {
			return q, false, insufficient()
		}
	}
	q.prefer(r.Header.Values("Prefer"))
	if strings.TrimSpace(q.query) == "" {
		return q, false, invalid([2]string{"QueryValidationError", "The query is empty."})
	}
	return q, true, nil
}

// prefer reads the header Prefer: the time that a query may take is three minutes unless it
// says another, and ten at most.
func (q *request) prefer(headers []string) {
	q.wait = 3 * time.Minute
	for p := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(name) {
		case "wait":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				q.wait = min(time.Duration(n)*time.Second, 10*time.Minute)
			}
		case "include-statistics":
			q.statistics = value == "true"
		}
	}
}

func invalid(inner ...[2]string) *refusal {
	return refuse(http.StatusBadRequest, "BadArgumentError", "The request had some invalid properties", inner...)
}

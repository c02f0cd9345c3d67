package sentinelfake

import (
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// Fault is what becomes of one call in place of its answer.
type Fault struct {
	// Status is that of the answer; 0: there is none, and the connection is closed. 429 is
	// that of the Resource Manager, and 409 a conflict.
	Status int
	// After is when to come again; 0: the answer does not say it.
	After time.Duration
	// Applied has the call be carried out nonetheless.
	Applied bool
	// Body is written in place of the product's error, such as the page of a proxy.
	Body string
}

// refusal is an error of the Resource Manager or of a provider behind it.
type refusal struct {
	status        int
	code, message string
	header        http.Header
}

func refuse(status int, code, message string) *refusal {
	return &refusal{status: status, code: code, message: message}
}

func (r *refusal) write(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	writeJSON(w, r.status, map[string]any{"error": map[string]any{"code": r.code, "message": r.message}})
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

// versions are the stable versions of the API that have all that is served here.
func versions() []string {
	return []string{
		"2021-04-01", "2021-10-01", "2022-08-01", "2022-11-01", "2023-02-01", "2023-11-01",
		"2024-03-01", "2024-09-01", "2025-03-01", "2025-06-01", "2025-09-01",
	}
}

// Handler serves Entra and the Resource Manager on one origin.
func (d *Double) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.o.Before != nil {
			d.o.Before(r)
		}
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			d.login(w, r)
			return
		}
		d.manage(w, r)
	})
}

// manage answers a call of the Resource Manager.
func (d *Double) manage(w http.ResponseWriter, r *http.Request) {
	fault, failing := d.nextFault()
	switch {
	case failing && fault.Applied:
		d.answer(&nowhere{header: http.Header{}}, r)
	case !failing:
		d.answer(w, r)
		return
	}
	d.fail(w, fault)
}

func (d *Double) nextFault() (Fault, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.faults) == 0 {
		return Fault{}, false
	}
	f := d.faults[0]
	d.faults = d.faults[1:]
	return f, true
}

func (d *Double) fail(w http.ResponseWriter, f Fault) {
	if f.Status == 0 {
		w.Header().Set(apispec.FaultHeader, "cut")
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
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
		w.Header().Set("X-Ms-Ratelimit-Remaining-Subscription-Reads", "0")
		refuse(f.Status, "SubscriptionRequestsThrottled", "Number of requests for subscription '"+d.Subscription+"' exceeded the limit. Please try again later.").write(w)
	case http.StatusConflict:
		conflict("").write(w)
	default:
		refuse(f.Status, "InternalServerError", "Encountered internal server error.").write(w)
	}
}

// nowhere is where an answer goes that is lost.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header       { return n.header }
func (*nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (*nowhere) WriteHeader(int)             {}

// target is what a path names.
type target struct {
	subscription, group, workspace string
	rest                           string // below Microsoft.SecurityInsights
}

var insights = regexp.MustCompile(`(?i)^/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.OperationalInsights/workspaces/([^/]+)/providers/Microsoft\.SecurityInsights/(.+)$`)

// answer checks a call as the Resource Manager does, and hands it to the provider.
func (d *Double) answer(w http.ResponseWriter, r *http.Request) {
	if refused := d.authenticate(r); refused != nil {
		refused.write(w)
		return
	}
	m := insights.FindStringSubmatch(r.URL.Path)
	if m == nil {
		refuse(http.StatusNotFound, "InvalidResourceType", "The resource type could not be found in the namespace.").write(w)
		return
	}
	t := target{m[1], m[2], m[3], m[4]}
	if refused := d.admit(r, t); refused != nil {
		refused.write(w)
		return
	}
	d.mu.Lock()
	d.calls = append(d.calls, r.Method+" "+t.rest)
	d.mu.Unlock()
	budget := "X-Ms-Ratelimit-Remaining-Subscription-Reads"
	if r.Method != http.MethodGet {
		budget = "X-Ms-Ratelimit-Remaining-Subscription-Writes"
	}
	w.Header().Set(budget, "199")
	w.Header().Set("X-Ms-Request-Id", "5b0d8f3e-6f5e-4a7a-8b7c-0d1e52c10300")
	d.provide(w, r, t)
}

// admit checks the version, the scope and the role. A scope on which the application has no
// role is refused as one that it may not read, whether it is there or not.
func (d *Double) admit(r *http.Request, t target) *refusal {
	version := r.URL.Query().Get("api-version")
	if version == "" {
		return refuse(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	if !slices.Contains(versions(), version) {
		return refuse(http.StatusBadRequest, "NoRegisteredProviderFound", "No registered resource provider found for API version '"+version+"'.")
	}
	if !strings.EqualFold(t.subscription, d.Subscription) {
		return refuse(http.StatusNotFound, "SubscriptionNotFound", "The subscription '"+t.subscription+"' could not be found.")
	}
	action, may := "incidents/read", d.o.Role != Nobody
	switch r.Method {
	case http.MethodPut, http.MethodDelete:
		action, may = "incidents/write", d.o.Role == Responder
	case http.MethodPost:
		action, may = "incidents/entities/action", d.o.Role == Responder || d.o.Role == Reader && d.o.ReaderPosts
	}
	here := strings.EqualFold(t.group, d.ResourceGroup) && strings.EqualFold(t.workspace, d.Workspace)
	if !here || !may {
		return refuse(http.StatusForbidden, "AuthorizationFailed", "The client '"+d.ClientID+"' with object id '"+d.ClientID+"' does not have authorization to perform action 'Microsoft.SecurityInsights/"+action+"' over scope '"+r.URL.Path+"' or the scope is invalid. If access was recently granted, please refresh your credentials.")
	}
	return nil
}

package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Cases lists cases, newest first.
func (c *Client) Cases(ctx context.Context, f api.CaseFilter) (api.CaseList, error) {
	query := url.Values{}
	for name, value := range map[string]string{"status": f.Status, "subject": f.Subject} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Limit != 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	var out api.CaseList
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/cases", query: query}, &out)
}

// Report adds up what cases did in the last while; the server's own span when it is
// zero.
func (c *Client) Report(ctx context.Context, since time.Duration) (api.Report, error) {
	query := url.Values{}
	if since != 0 {
		query.Set("since", since.String())
	}
	var out api.Report
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/report", query: query}, &out)
}

// escape makes a path of an id that has several parts.
func escape(id string) string {
	parts := strings.Split(id, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// Case returns the state of a case; an empty run is the newest.
func (c *Client) Case(ctx context.Context, id, run string) (incident.Case, error) {
	query := url.Values{}
	if run != "" {
		query.Set("run", run)
	}
	var out incident.Case
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/cases/" + escape(id), query: query}, &out)
}

// Decide answers the approval that a case waits for.
func (c *Client) Decide(ctx context.Context, id string, in api.DecideRequest) (incident.Approval, error) {
	var out incident.Approval
	return out, c.post(ctx, "/v1/cases/"+escape(id)+"/decide", in, &out)
}

// CloseCase closes a case on a person's request: its leases are released.
func (c *Client) CloseCase(ctx context.Context, id string, in api.CloseRequest) (incident.Case, error) {
	var out incident.Case
	return out, c.post(ctx, "/v1/cases/"+escape(id)+"/close", in, &out)
}

func (c *Client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, request{method: http.MethodPost, path: path, body: body}, into)
}

// Leases lists the active leases, those that end soonest first.
func (c *Client) Leases(ctx context.Context) (api.LeaseList, error) {
	var out api.LeaseList
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/leases"}, &out)
}

// Drift reads the products of the leases that stand, and lists what differs.
func (c *Client) Drift(ctx context.Context) (api.DriftList, error) {
	var out api.DriftList
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/leases/drift"}, &out)
}

// ExtendLease asks the approvers whether to extend a lease.
func (c *Client) ExtendLease(ctx context.Context, in api.LeaseRequest) (api.Extending, error) {
	var out api.Extending
	return out, c.post(ctx, "/v1/leases/extend", in, &out)
}

// ReleaseLease releases one lease, regardless of which cases hold it.
func (c *Client) ReleaseLease(ctx context.Context, in api.LeaseRequest) (incident.Lease, error) {
	var out incident.Lease
	return out, c.post(ctx, "/v1/leases/release", in, &out)
}

// ReleaseSince releases everything that was contained lately.
func (c *Client) ReleaseSince(ctx context.Context, in api.SinceRequest) (api.Released, error) {
	var out api.Released
	return out, c.post(ctx, "/v1/release", in, &out)
}

// Budget returns what was contained lately, and whether it is paused.
func (c *Client) Budget(ctx context.Context) (protocol.BudgetState, error) {
	var out protocol.BudgetState
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/budget"}, &out)
}

// Pause stops all new containment.
func (c *Client) Pause(ctx context.Context, reason string) (protocol.BudgetState, error) {
	var out protocol.BudgetState
	return out, c.post(ctx, "/v1/pause", api.ReasonRequest{Reason: reason}, &out)
}

// Resume allows containment again.
func (c *Client) Resume(ctx context.Context, reason string) (protocol.BudgetState, error) {
	var out protocol.BudgetState
	return out, c.post(ctx, "/v1/resume", api.ReasonRequest{Reason: reason}, &out)
}

// Rejected lists the rejected alerts that wait to be retried, without bodies.
func (c *Client) Rejected(ctx context.Context) (api.RejectedList, error) {
	var out api.RejectedList
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/rejected"}, &out)
}

// RejectedAlert returns one rejected alert with its body.
func (c *Client) RejectedAlert(ctx context.Context, id string) (protocol.RejectedAlert, error) {
	var out protocol.RejectedAlert
	return out, c.call(ctx, request{method: http.MethodGet, path: "/v1/rejected/" + escape(id)}, &out)
}

// Retry has a rejected alert read again.
func (c *Client) Retry(ctx context.Context, id string) (api.Accepted, error) {
	var out api.Accepted
	return out, c.post(ctx, "/v1/rejected/"+escape(id)+"/retry", nil, &out)
}

// Send posts alerts to a source; prove adds the sender's credential.
func (c *Client) Send(ctx context.Context, source string, body []byte, prove func(*http.Request)) (api.Accepted, error) {
	var out api.Accepted
	return out, c.call(ctx, request{
		method: http.MethodPost, path: AlertsPath(source), body: body, stranger: true, edit: prove,
	}, &out)
}

// Try asks what a body of a source would become. Nothing of it is kept or started.
func (c *Client) Try(ctx context.Context, source string, body []byte, prove func(*http.Request)) (api.Preview, error) {
	var out api.Preview
	return out, c.call(ctx, request{
		method: http.MethodPost, path: TryPath(source), body: body, stranger: true, edit: prove,
	}, &out)
}

// AlertsPath is where the alerts of a source are posted, and TryPath where a body is only
// tried.
func AlertsPath(source string) string { return "/v1/alerts/" + url.PathEscape(source) }

// TryPath is explained at [AlertsPath].
func TryPath(source string) string { return AlertsPath(source) + "/test" }

// Alive reports whether the server answers.
func (c *Client) Alive(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodGet, path: "/healthz", stranger: true}, nil)
}

// Ready reports whether the server can take alerts.
func (c *Client) Ready(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodGet, path: "/readyz", stranger: true}, nil)
}

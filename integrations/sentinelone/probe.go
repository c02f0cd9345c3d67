package sentinelone

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// tokenSoon is how long before its end a token is reported.
	tokenSoon = 14 * 24 * time.Hour
	// lately is the time in which a device that is active must have sent an event.
	lately = time.Hour
)

// Probe implements [integrations.Prober]. Nothing is changed: what only a write could show
// is said to be unknown.
func (c *Client) Probe(ctx context.Context) []integrations.Finding {
	a, err := c.send(ctx, call{op: "find devices", method: http.MethodGet, path: agentsPath, query: url.Values{"limit": {"1"}}})
	if err != nil {
		return []integrations.Finding{c.judged("Endpoints.view", refused(a, err))}
	}
	found := []integrations.Finding{{What: "SentinelOne answers at " + c.base + ", and the token has Endpoints.view", OK: true}}
	found = append(found, httpx.Clock("SentinelOne's", a.Header, c.now()), c.probeToken(ctx), c.probeLake(ctx))
	_, err = ask[[]any](ctx, c, call{op: "list the library's scripts", method: http.MethodGet, path: scriptsPath, query: url.Values{"limit": {"1"}}})
	found = append(found, c.judged("Remote Script Orchestration.view", err))
	return append(found, integrations.Finding{
		What: "whether the service user may isolate devices, give them back, set their customer identifier, run scripts and read their tasks cannot be told without doing so",
		OK:   true, Warning: true, Fix: "look at the role of the service user in the console, under Settings, Users",
	})
}

// judged is the finding for a permission.
func (c *Client) judged(right string, err error) integrations.Finding {
	if err == nil {
		return integrations.Finding{What: "the token has " + right, OK: true}
	}
	f := integrations.Finding{What: "the token may lack " + right + ": " + err.Error(), Fix: "check the way to " + c.base + ", also through a proxy, and ask again"}
	switch integrations.KindOf(err) {
	case integrations.Denied:
		f.Fix = "give the service user a role with the permissions that this kind's page lists, and check that the token is of this console and has not ended"
	case integrations.Invalid, integrations.NotFound:
		f.Fix = "check url and accounts"
	case integrations.Conflict, integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return f
}

// probeToken tells until when the token is good.
func (c *Client) probeToken(ctx context.Context) integrations.Finding {
	type details struct {
		Expires string `json:"expiresAt"`
	}
	body := map[string]any{"data": map[string]string{"apiToken": c.config.Token.Reveal()}}
	out, err := ask[details](ctx, c, call{op: "read when the token ends", method: http.MethodPost, path: "/users/api-token-details", body: body})
	end, parseErr := time.Parse(time.RFC3339, out.Data.Expires)
	if err != nil || parseErr != nil {
		return integrations.Finding{
			What: "cannot tell when the token ends", OK: true, Warning: true, Fix: "note the date that the console shows with the service user",
		}
	}
	left := end.Sub(c.now())
	f := integrations.Finding{What: "the token is good until " + end.UTC().Format(time.DateOnly), OK: left > 0}
	if left < tokenSoon {
		f.Warning, f.Fix = f.OK, "make a new token for the service user, and configure it"
	}
	return f
}

// probeLake asks for the last events of a device that is active.
func (c *Client) probeLake(ctx context.Context) integrations.Finding {
	const op = "ask the data lake"
	out, err := ask[[]agent](ctx, c, call{op: op, method: http.MethodGet, path: agentsPath, query: url.Values{"limit": {"1"}, "isActive": {"true"}}})
	if err != nil {
		return c.judged("Endpoints.view", err)
	}
	if len(out.Data) == 0 {
		return integrations.Finding{
			What: "cannot tell whether the data lake answers: no device is active", OK: true, Warning: true, Fix: "ask again when one is",
		}
	}
	u, ok := parseUUID(out.Data[0].UUID)
	if !ok {
		return integrations.Finding{What: "SentinelOne gives a device the uuid " + strconv.Quote(httpx.Line(out.Data[0].UUID)), Fix: "report it: events are asked for by it"}
	}
	now := c.now()
	query := "dataSource.name = 'SentinelOne' and agent.uuid = '" + u.text + "' | limit 1 | columns agent.uuid, " + eventTime
	rows, _, err := c.search(ctx, op, query, now.Add(-lately), now)
	name := strconv.Quote(httpx.Line(out.Data[0].Name))
	switch {
	case err != nil:
		return c.judged("Skylight Query API.view", err)
	case len(rows) == 0:
		return integrations.Finding{
			What: fmt.Sprintf("the data lake answers, and has no event of the device %s in the last %s: who sends may not be found", name, lately),
			OK:   true, Warning: true, Fix: "check accounts, and that the policy has Deep Visibility on",
		}
	}
	return integrations.Finding{What: "the data lake answers, and has events of the device " + name, OK: true}
}

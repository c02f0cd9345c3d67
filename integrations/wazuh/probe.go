package wazuh

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Probe implements [integrations.Prober].
func (c *Client) Probe(ctx context.Context) []integrations.Finding {
	var managed, indexed []integrations.Finding
	_ = httpx.All(
		func() error { managed = c.probeManager(ctx); return nil },
		func() error { indexed = c.probeIndexer(ctx); return nil },
	)
	return slices.Concat(managed, indexed, []integrations.Finding{{
		What: "cannot tell which agents have the scripts of Stanch: Wazuh does not know its agents' files",
		OK:   true, Warning: true, Fix: "install them as the page of this kind says, and try each on a machine that nobody needs",
	}})
}

func (c *Client) probeManager(ctx context.Context) []integrations.Finding {
	const op = "ask the manager"
	version, a, err := c.info(ctx, op)
	if err == nil {
		err = c.supported(ctx, op)
	}
	if err != nil {
		return []integrations.Finding{problem(err, "url, user and password")}
	}
	findings := []integrations.Finding{
		{What: fmt.Sprintf("the manager answers at %s: Wazuh %s", c.manager.origin, strings.TrimPrefix(version, "v")), OK: true},
		c.probeClock(a.Header),
	}
	return append(findings, c.probeRights(ctx)...)
}

// probeIndexer searches the alerts of the last minute of an agent that there is not.
func (c *Client) probeIndexer(ctx context.Context) []integrations.Finding {
	now := c.now()
	if _, err := c.indexer.search(ctx, "search the indexer", "999999999", 1, received(now.Add(-time.Minute), now)); err != nil {
		return []integrations.Finding{problem(err, "indexer_url, indexer_user and indexer_password, and that the user may read the index "+c.indexer.index)}
	}
	return []integrations.Finding{{What: "the indexer answers at " + c.indexer.origin, OK: true}}
}

// problem tells of an error, and how to fix it.
func problem(err error, check string) integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "check " + check}
	switch integrations.KindOf(err) {
	case integrations.Throttled, integrations.Unavailable, integrations.Ambiguous, integrations.Conflict, integrations.NotFound:
		f.Fix += ", the way there, and ca: Wazuh makes its own certificates"
	case integrations.Denied:
		f.Fix += "; after 50 refused logins the manager refuses all for five minutes"
	case integrations.Invalid:
	}
	return f
}

// probeClock compares the clock with the manager's; orders are carried out by those of the
// agents.
func (c *Client) probeClock(h http.Header) integrations.Finding {
	f := httpx.Clock("the manager's", h, c.now())
	if f.Fix != "" {
		f.Fix = "have the clocks kept by NTP, also on agents: a script refuses an order that is ten minutes old"
	}
	return f
}

// probeRights compares the policies of the user with the permissions that are needed.
func (c *Client) probeRights(ctx context.Context) []integrations.Finding {
	var out struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	r := httpx.Request{Op: "read the user's rights", Method: http.MethodGet, URL: c.manager.origin + "/security/users/me/policies", Tokens: c.manager.tokens}
	if a, err := c.manager.client.JSON(ctx, r, nil, &out); err != nil || len(out.Data) == 0 {
		what := "cannot tell which rights the user has"
		if err != nil {
			what += ": " + refused(a, err).Error()
		}
		return []integrations.Finding{{What: what, OK: true, Warning: true, Fix: "compare the policies of the user's roles with the page of this kind"}}
	}
	var mode string
	_ = json.Unmarshal(out.Data["rbac_mode"], &mode)
	var findings []integrations.Finding
	for _, p := range permissions() {
		if p.Name == "read" || allows(out.Data[p.Name], mode) {
			continue
		}
		findings = append(findings, integrations.Finding{
			What: fmt.Sprintf("the user lacks %s (%s)", p.Name, p.Why), Fix: "add the action to a policy of a role of the user, for the agents that Stanch may see",
			// These two are for a part of what can be done.
			OK: p.Name != readAgents, Warning: p.Name != readAgents,
		})
	}
	if len(findings) == 0 {
		return []integrations.Finding{{What: "the user has the rights that are needed, at least on some agents", OK: true}}
	}
	return findings
}

// allows reports whether a policy allows an action on anything. In the mode black what no
// policy denies is allowed.
func allows(raw json.RawMessage, mode string) bool {
	var effects map[string]string
	if json.Unmarshal(raw, &effects) != nil {
		return strings.EqualFold(mode, "black")
	}
	if len(effects) == 0 {
		return strings.EqualFold(mode, "black")
	}
	for _, effect := range effects {
		if strings.EqualFold(effect, "allow") {
			return true
		}
	}
	return false
}

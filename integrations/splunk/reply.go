package splunk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The paths: the call that changes notable events, and the collection that holds what was
// changed of them.
const (
	updatePath  = "/services/notable_update"
	reviewsPath = "/servicesNS/nobody/SA-ThreatIntelligence/storage/collections/data/incident_review"
)

// notable is in the id of every notable event.
const notable = "@@notable@@"

// ReplyTo implements [integrations.Replier]: a comment at the notable event, in Incident
// Review's history, by which it is known again. A comment that closes is one call with the
// status, so that there is never one without the other.
//
// https://help.splunk.com/en/splunk-enterprise-security-7/api-reference/7.3/notable-event-endpoints/notable-event-api-reference
func (c *Client) ReplyTo(ctx context.Context, r integrations.Reply) (incident.Receipt, error) {
	id := r.To.ID
	if strings.Contains(r.To.Reference, notable) {
		id = r.To.Reference
	}
	op := "comment on notable event " + alerts.Quote(id)
	switch {
	case r.Key == "":
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the reply has no key")
	case !strings.Contains(id, notable):
		return incident.Receipt{}, integrations.Refuse(integrations.Invalid, op,
			"the alert is no notable event: only those of Enterprise Security can be answered, where the search gives event_id")
	}
	reviews, err := c.reviews(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	receipt := incident.Receipt{Ref: r.Key, At: c.now().UTC()}
	mark := r.Mark()
	if slices.ContainsFunc(reviews, func(v review) bool { return strings.Contains(v.Comment, mark) }) {
		return receipt, nil
	}
	form := url.Values{"ruleUIDs": {id}, "comment": {strings.Join(append(r.Lines(), mark), "\n")}}
	if r.Close && !c.isClosed(reviews) {
		form.Set("status", c.config.Closed)
	}
	var out struct {
		Success bool   `json:"success"`
		Message string `json:"message"`
	}
	if _, err := c.ask(ctx, call{op: op, method: http.MethodPost, path: updatePath, form: form, write: true}, &out, "success"); err != nil {
		return incident.Receipt{}, err
	}
	if !out.Success {
		return incident.Receipt{}, integrations.Errorf(failure(out.Message), op, "Splunk says %s", httpx.Quote(out.Message))
	}
	return receipt, nil
}

// failure is the kind of an update that was answered with status 200, and was no success.
// Splunk gives a reason in words alone. Where its rules forbid the update, no other try
// helps; anything else failed within, perhaps after it was written.
func failure(said string) integrations.Kind {
	for _, rule := range []string{"comment length", "transition from", "No such status"} {
		if strings.Contains(said, rule) {
			return integrations.Invalid
		}
	}
	return integrations.Ambiguous
}

// review is one change of a notable event.
type review struct {
	Comment string      `json:"comment"`
	Status  string      `json:"status"`
	Time    json.Number `json:"time"`
}

// reviews are the changes of a notable event, oldest first.
func (c *Client) reviews(ctx context.Context, op, id string) ([]review, error) {
	// A map of texts encodes.
	query, _ := json.Marshal(map[string]string{"rule_id": id})
	var all []review
	_, err := c.ask(ctx, call{op: op, method: http.MethodGet, path: reviewsPath, query: url.Values{"query": {string(query)}}}, &all)
	slices.SortStableFunc(all, func(a, b review) int {
		at, _ := a.Time.Float64()
		than, _ := b.Time.Float64()
		switch {
		case at < than:
			return -1
		case at > than:
			return 1
		}
		return 0
	})
	return all, err
}

// isClosed reports whether nothing is left to do about an event, as its last change of the
// status says.
func (c *Client) isClosed(reviews []review) bool {
	for _, v := range slices.Backward(reviews) {
		if v.Status != "" {
			return v.Status == c.config.Closed || slices.Contains(c.config.Also, v.Status)
		}
	}
	return false
}

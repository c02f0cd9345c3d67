package kibanafake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
)

// source is an alert as it is stored: its keys are whole names, with their dots.
func (a *Alert) source() map[string]any {
	s := map[string]any{
		"@timestamp": "2026-07-29T19:08:49.126Z", "kibana.alert.uuid": a.ID, "kibana.alert.workflow_status": a.Status,
		"kibana.alert.status": "active", "kibana.alert.rule.name": "UDP egress", "event.kind": "signal", "host.name": "ws-042",
	}
	if a.Reason != "" {
		s["kibana.alert.workflow_reason"] = a.Reason
	}
	if a.Legacy {
		delete(s, "kibana.alert.workflow_status")
		s["signal"] = map[string]any{"status": a.Status}
	}
	return s
}

// index refuses a key that may not do this to the index of alerts, as Elasticsearch does.
func (d *Double) index(c *call, privilege, action string) *refusal {
	if d.failing(Overloaded) {
		return securityError(http.StatusTooManyRequests, "circuit_breaking_exception: [parent] Data too large")
	}
	if c.by.may(privilege) {
		return nil
	}
	return securityError(http.StatusForbidden, "security_exception: action [%s] is unauthorized for API key id [k] of user [%s] on indices [.alerts-security.alerts-%s]", action, c.by.User, d.o.Space)
}

// searchAlerts finds alerts.
func (d *Double) searchAlerts(c *call) (any, *refusal) {
	if refused := d.index(c, ReadAlerts, "indices:data/read/search"); refused != nil {
		return nil, refused
	}
	known := []string{"query", "aggs", "_source", "fields", "track_total_hits", "size", "sort"}
	if !slices.ContainsFunc(known, func(name string) bool { return c.body[name] != nil }) {
		return nil, securityError(http.StatusBadRequest, `"value" must have at least 1 children`)
	}
	found, err := d.matching(c.body["query"])
	if err != nil {
		return nil, securityError(http.StatusBadRequest, "parsing_exception: %v", err)
	}
	size := 10
	if n, ok := c.body["size"].(json.Number); ok {
		asked, err := n.Int64()
		if err != nil || asked < 0 || asked > 10_000 {
			return nil, securityError(http.StatusBadRequest, "illegal_argument_exception: Result window is too large")
		}
		size = int(asked)
	}
	failed, timedOut := 0, d.failing(TimedOut)
	if d.failing(ShardsFailed) {
		failed = 1
	}
	if failed > 0 || timedOut {
		found = nil // Those that failed had them.
	}
	hits := []any{}
	for _, a := range found[:min(size, len(found))] {
		hit := map[string]any{"_index": ".internal.alerts-security.alerts-" + d.o.Space + "-000001", "_id": a.ID, "_score": 0}
		if s := filtered(a.source(), c.body["_source"]); s != nil {
			hit["_source"] = s
		}
		hits = append(hits, hit)
	}
	return map[string]any{
		"took": 1, "timed_out": timedOut,
		"_shards": map[string]any{"total": 2, "successful": 2 - failed, "skipped": 0, "failed": failed},
		"hits":    map[string]any{"total": map[string]any{"value": len(found), "relation": "eq"}, "max_score": 0, "hits": hits},
	}, nil
}

// filtered is what a search asks for of a document, and nil where it asks for nothing.
func filtered(s map[string]any, by any) map[string]any {
	var patterns []string
	switch v := by.(type) {
	case nil:
		return s
	case bool:
		if !v {
			return nil
		}
		return s
	case string:
		patterns = []string{v}
	case []any:
		for _, p := range v {
			patterns = append(patterns, fmt.Sprint(p))
		}
	}
	maps.DeleteFunc(s, func(name string, value any) bool {
		if inner, ok := value.(map[string]any); ok {
			return len(filtered(prefixed(name, inner), by)) == 0
		}
		return !slices.ContainsFunc(patterns, func(p string) bool {
			ok, err := path.Match(p, name)
			return ok && err == nil
		})
	})
	return s
}

// prefixed is an object with the whole names of its members.
func prefixed(name string, in map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range in {
		out[name+"."+k] = v
	}
	return out
}

// setStatus changes the state of alerts: of those with some ids, or of those that a query
// finds. Ids that there are not change nothing, and are no error.
func (d *Double) setStatus(c *call) (any, *refusal) {
	status, _ := c.body["status"].(string)
	if !slices.Contains([]string{"open", "closed", "acknowledged", "in-progress"}, status) {
		return nil, invalid("status", "Invalid enum value. Expected 'open' | 'closed' | 'acknowledged' | 'in-progress'")
	}
	reason, _ := c.body["reason"].(string)
	if c.body["reason"] != nil && !slices.Contains(reasons(), reason) {
		return nil, securityError(http.StatusBadRequest, "invalid closing reason %q", fmt.Sprint(c.body["reason"]))
	}
	if refused := d.index(c, WriteAlerts, "indices:data/write/update/byquery"); refused != nil {
		return nil, refused
	}
	query := c.body["query"]
	if ids, ok := c.body["signal_ids"].([]any); ok {
		if len(ids) == 0 || slices.ContainsFunc(ids, func(id any) bool { s, ok := id.(string); return !ok || s == "" }) {
			return nil, invalid("signal_ids", "Array must contain at least 1 element(s)")
		}
		query = map[string]any{"terms": map[string]any{"_id": ids}}
	} else if _, ok := query.(map[string]any); !ok {
		return nil, invalid("signal_ids", "Required")
	}
	found, err := d.matching(query)
	if err != nil {
		return nil, securityError(http.StatusBadRequest, "parsing_exception: %v", err)
	}
	conflicts := 0
	passed := len(found) > 0 && d.failing(PassedOver)
	if passed || len(found) > 0 && d.failing(Conflict) {
		if !passed && c.body["conflicts"] != "proceed" {
			return nil, securityError(http.StatusConflict, "version_conflict_engine_exception: [%s]: version conflict, required seqNo [1], primary term [1]. current document has seqNo [2]", found[0].ID)
		}
		conflicts, found = 1, found[1:]
	}
	for _, a := range found {
		a.version++
		if a.Status != status || a.Legacy {
			a.Status, a.Reason = status, reason
		}
	}
	// What had the state already is written anew, and counted.
	return map[string]any{
		"took": 81, "timed_out": false, "total": len(found) + conflicts, "updated": len(found), "deleted": 0,
		"batches": min(1, len(found)), "version_conflicts": conflicts, "noops": 0,
		"retries":          map[string]any{"bulk": 0, "search": 0},
		"throttled_millis": 0, "requests_per_second": -1, "throttled_until_millis": 0, "failures": []any{},
	}, nil
}

// reasons are why an alert may be closed. Versions that do not know them do not look at them.
func reasons() []string {
	return []string{"false_positive", "issue_resolved", "acceptable_risk", "expected_activity", "low_severity", "duplicate", "investigation_required"}
}

// matching are the alerts that a query finds, by their ids.
func (d *Double) matching(query any) ([]*Alert, error) {
	var found []*Alert
	for _, id := range slices.Sorted(maps.Keys(d.alerts)) {
		ok, err := matches(d.alerts[id], query)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, d.alerts[id])
		}
	}
	if len(d.alerts) == 0 {
		// A query that cannot be read is one where nothing is stored, too.
		if _, err := matches(&Alert{}, query); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// field is what an alert has under a name.
func (a *Alert) field(name string) string {
	switch name {
	case "_id", "kibana.alert.uuid":
		return a.ID
	case "kibana.alert.workflow_status":
		if !a.Legacy {
			return a.Status
		}
	case "signal.status":
		if a.Legacy {
			return a.Status
		}
	}
	return ""
}

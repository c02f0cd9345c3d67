package sentinelonefake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// readLaunch reads the body that launches a PowerQuery. Queries of other types are
// refused: nothing of ours needs them.
func readLaunch(r *http.Request, now time.Time) (launch, *failure) {
	bad := func(detail string) (launch, *failure) {
		return launch{}, &failure{status: http.StatusBadRequest, detail: detail}
	}
	body, f := readBody(r, "queryType", "tenant", "accountIds", "startTime", "endTime", "queryPriority", "pq", "log")
	if f != nil {
		f.status = http.StatusBadRequest
		return launch{}, f
	}
	var kind, start, end, priority string
	var l launch
	for name, into := range map[string]any{
		"queryType": &kind, "startTime": &start, "endTime": &end, "queryPriority": &priority, "tenant": &l.tenant, "accountIds": &l.accounts,
	} {
		if raw, given := body[name]; given {
			if err := json.Unmarshal(raw, into); err != nil {
				return bad(name + ": " + err.Error())
			}
		}
	}
	switch {
	case kind == "":
		return bad("Query type must be specified")
	case kind != "PQ":
		return bad("Unexpected value '" + kind + "'")
	case len(l.accounts) > 0 && (l.tenant == nil || *l.tenant):
		return bad("tenant=false should be used when querying accountIds")
	case priority != "" && priority != "LOW" && priority != "HIGH":
		return bad("Unexpected value '" + priority + "'")
	}
	var err error
	if l.startTime, err = moment(start, now); err != nil {
		return bad("startTime: " + err.Error())
	}
	if l.endTime, err = moment(end, now); err != nil {
		return bad("endTime: " + err.Error())
	}
	if l.text, f = readPQ(body["pq"]); f != nil {
		return launch{}, f
	}
	return l, nil
}

func readPQ(raw json.RawMessage) (string, *failure) {
	var pq map[string]string
	if json.Unmarshal(raw, &pq) != nil || pq["query"] == "" {
		return "", &failure{status: http.StatusBadRequest, detail: "pq.query must be specified"}
	}
	for name := range pq {
		if !slices.Contains([]string{"query", "resultType"}, name) {
			return "", &failure{status: http.StatusBadRequest, detail: "Unexpected field '" + name + "'"}
		}
	}
	if pq["resultType"] != "TABLE" {
		return "", &failure{status: http.StatusBadRequest, detail: "Unexpected value '" + pq["resultType"] + "'"}
	}
	return pq["query"], nil
}

// moment reads a time: in ISO form with its zone, or as a span before now.
func moment(text string, now time.Time) (time.Time, error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		span, err := time.ParseDuration(days + "h")
		return now.Add(-24 * span), err
	}
	if span, err := time.ParseDuration(text); err == nil && span > 0 {
		return now.Add(-span), nil
	}
	return time.Parse(time.RFC3339Nano, text)
}

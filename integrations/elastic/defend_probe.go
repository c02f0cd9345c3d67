package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// lately is the time in which some device must have written an event.
const lately = 15 * time.Minute

// Probe implements [integrations.Prober].
func (d *Defend) Probe(ctx context.Context) []integrations.Finding {
	var front []integrations.Finding
	var found [3][]integrations.Finding
	look := func(i int, setting string, indices []string, missing bool) func() error {
		return func() error { found[i] = d.events.probe(ctx, d.now(), setting, indices, missing); return nil }
	}
	_ = httpx.All(
		func() error { front = d.probeKibana(ctx); return nil },
		look(0, "network_indices", d.events.networks, false),
		look(1, "process_indices", d.events.processes, false),
		look(2, "script_indices", d.events.scripts, true),
	)
	return slices.Concat(front, found[0], found[1], found[2], []integrations.Finding{{
		What: "cannot tell whether the API key may isolate, end processes and run scripts, nor when it ends: Kibana shows it by doing it alone",
		OK:   true, Warning: true, Fix: "compare the key's role with the page of this kind",
	}})
}

func (d *Defend) probeKibana(ctx context.Context) []integrations.Finding {
	var out struct {
		Total int `json:"total"`
	}
	a, err := d.kibana.ask(ctx, call{op: "list devices", method: http.MethodGet, path: metadataPath, query: url.Values{"pageSize": {"1"}, "hostStatuses": statuses()}, members: []string{"data"}}, nil, &out)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: kibanaFix(err, "Endpoint List")}}
	}
	found := []integrations.Finding{{What: fmt.Sprintf("Kibana answers at %s, and has %d devices", d.kibana.base, out.Total), OK: true}}
	if out.Total == 0 {
		found[0].Warning, found[0].Fix = true, "check space: it has no device with Elastic Defend"
	}
	found = append(found, httpx.Clock("Elastic's", a.Header, d.now()))
	if _, err := d.kibana.ask(ctx, call{op: "list actions", method: http.MethodGet, path: actionsPath, query: url.Values{"pageSize": {"1"}}, members: []string{"data"}}, nil, nil); err != nil {
		return append(found, integrations.Finding{What: err.Error(), Fix: kibanaFix(err, "Response Actions History")})
	}
	return append(found, integrations.Finding{What: "the API key may read what was ordered on devices", OK: true})
}

func kibanaFix(err error, needs string) string {
	switch integrations.KindOf(err) {
	case integrations.Denied:
		return "check api_key, and give its role the privilege " + needs + " of Security in all spaces"
	case integrations.NotFound, integrations.Invalid, integrations.Conflict:
		return "check url and space, and that Kibana is 8.4 or newer"
	case integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return "check url, space, ca and proxy, and that Kibana is up"
}

// probe looks for the newest event of the last minutes: one, and hits are not counted.
func (e events) probe(ctx context.Context, now time.Time, setting string, indices []string, missing bool) []integrations.Finding {
	if len(indices) == 0 {
		return nil
	}
	names := strings.Join(indices, ", ")
	rows, err := e.search(ctx, "search "+names, indices, missing, newest(1, []string{"event.action"}, stamped(now.Add(-lately), now)))
	switch {
	case err != nil:
		return []integrations.Finding{{What: setting + ": " + err.Error(), Fix: fix(integrations.KindOf(err), names)}}
	case len(rows) == 0:
		f := integrations.Finding{What: fmt.Sprintf("%s have no event of the last %s", names, lately), OK: true, Warning: true, Fix: "check " + setting + ", and that events are shipped"}
		if missing {
			f.Fix = "where the text of scripts is wanted, have PowerShell log script blocks, and ship its operational log"
		}
		return []integrations.Finding{f}
	}
	return []integrations.Finding{{What: names + " have events", OK: true}}
}

package loganalytics

import (
	"context"
	"fmt"

	"github.com/stanch-soar/stanch/integrations"
)

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	now := s.now()
	span, err := s.span(ctx, now)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: s.fix(integrations.KindOf(err))}}
	}
	name := s.layout.table
	if span.Records == 0 {
		return append(s.probeMatches(ctx), integrations.Finding{
			What: fmt.Sprintf("%s has no flows of the last two years", name),
			Fix:  "check workspace, layout, only and without, and that flows are sent to the table",
		})
	}
	found := []integrations.Finding{{What: fmt.Sprintf("%s has flows, the newest of %s", name, span.NewestText()), OK: true}}
	found = append(found, span.Findings(name, now, "")...)
	if s.layout.least != "" {
		found = append(found, integrations.Finding{
			What: fmt.Sprintf("%s: %s: a volume is the least that was sent, and no effect can be proven", name, s.layout.least), OK: true, Warning: true,
			Fix: "use another flow store for the proof of effects",
		})
	}
	return append(found, s.probeMatches(ctx)...)
}

// fix returns what to do where the table cannot be asked.
func (s *Store) fix(k integrations.Kind) string {
	switch k {
	case integrations.Denied:
		return fmt.Sprintf("check tenant, client_id, the client's secret or certificate, and that the tenant is in the cloud %q; grant the application Data.Read of the Log Analytics API, and Log Analytics Reader on the workspace or on the table %s", s.config.Cloud, s.layout.table)
	case integrations.Invalid:
		return fmt.Sprintf("check layout, sensor_column, only and without: the workspace has no table %s before something is sent to it; where the answer is too large, narrow them", s.layout.table)
	case integrations.NotFound, integrations.Conflict, integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return fmt.Sprintf("check workspace, and the way there, also through a proxy, and cloud, which is %q", s.config.Cloud)
}

// probeMatches checks that the values of only and without occur.
func (s *Store) probeMatches(ctx context.Context) []integrations.Finding {
	plain := s.layout
	plain.only, plain.without = nil, nil
	now := s.now()
	first, last := now.Add(-kept), now.Add(clocks)
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			st := &statement{l: plain, pipeline: plain.counting(first, last), first: first, last: last}
			st.where(matching(m))
			st.few(1).then("summarize", "Records = count()")
			occurs := false
			err := asker{s, "look for " + m.String()}.rows(ctx, st, func(r *reader) { occurs = r.whole("Records") > 0 })
			if err != nil {
				found = append(found, integrations.Finding{What: setting + ": " + err.Error(), Fix: s.fix(integrations.KindOf(err))})
				continue
			}
			found = append(found, integrations.MatchFinding(setting, m, occurs))
		}
	}
	look("only", s.layout.only)
	look("without", s.layout.without)
	return found
}

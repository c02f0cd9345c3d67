package splunk

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Probe implements [integrations.Prober].
func (s *Flows) Probe(ctx context.Context) []integrations.Finding {
	now := time.Now()
	span, err := s.span(ctx, now)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: s.fix(err)}}
	}
	name := "data model " + s.config.Model
	if span.Records == 0 {
		return append(s.probeMatches(ctx, now), s.empty(ctx, name, now))
	}
	found := []integrations.Finding{{What: fmt.Sprintf("%s has events, the newest of %s", name, span.NewestText()), OK: true}}
	found = append(found, span.Findings(name, now, "")...)
	found = append(found, s.accelerated(ctx, name, now, span.Newest)...)
	found = append(found, s.named(ctx, now)...)
	return append(found, s.probeMatches(ctx, now)...)
}

// fix returns what to do where Splunk cannot be searched.
func (s *Flows) fix(err error) string {
	switch integrations.KindOf(err) {
	case integrations.Denied:
		return "check token, that token authentication is on, and that a role of its user has the capability search and no bound of its time range"
	case integrations.Invalid:
		return "check model: is the Common Information Model installed, and may the token's user read it?"
	case integrations.NotFound, integrations.Conflict, integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return "check url and ca, that it is the management port of a search head, that its search peers are up, and timeout"
}

// empty is the finding about a model without events that count.
func (s *Flows) empty(ctx context.Context, name string, now time.Time) integrations.Finding {
	f := integrations.Finding{
		What: fmt.Sprintf("%s has no events of the last %s", name, incident.FormatDuration(year)),
		Fix:  "check that the role may search the indices, indices, and that the add-on tags its events network and communicate",
	}
	if s.config.Summaries != Only {
		return f
	}
	if rows, err := s.run(ctx, "look for events without summaries", tstats{from: now.Add(-recent), to: now}, false); err == nil && len(rows) > 0 && rows[0].count("count") > 0 {
		f.What = name + " has events, and none is summarized: it is not accelerated"
		f.Fix = "accelerate the data model, or write summaries: also"
	}
	return f
}

// accelerated finds a model whose summaries are not there, or are behind.
func (s *Flows) accelerated(ctx context.Context, name string, now, newest time.Time) []integrations.Finding {
	if s.config.Summaries == Only || newest.IsZero() {
		return nil
	}
	rows, err := s.run(ctx, "look for summaries", tstats{sums: []string{"max(_time) AS last"}, from: now.Add(-recent), to: now}, true)
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: s.fix(err)}}
	}
	last, ok := time.Time{}, false
	if len(rows) > 0 {
		last, ok = rows[0].time("last")
	}
	switch {
	case !ok:
		return []integrations.Finding{{
			What: name + " has no summaries of the last day: each search reads the events themselves", OK: true, Warning: true,
			Fix: "accelerate the data model, for as many days as baselines reach back",
		}}
	case newest.Sub(last) > incident.LagTolerance:
		return []integrations.Finding{{
			What: fmt.Sprintf("%s: its summaries are %s behind", name, incident.FormatDuration(newest.Sub(last))), OK: true, Warning: true,
			Fix: "keep summaries: also, and give the acceleration of the data model more searches at once",
		}}
	}
	return []integrations.Finding{{What: name + " is accelerated", OK: true}}
}

// named finds events whose source is known by its name alone: those of a host are not found
// by its address.
func (s *Flows) named(ctx context.Context, now time.Time) []integrations.Finding {
	const look, most = 15 * time.Minute, 1000
	rows, err := s.search(ctx, "look for sources without an address", tstats{
		by: []string{fieldSrc, fieldSrcIP}, then: fmt.Sprintf("| sort %d - count", most), from: now.Add(-look), to: now,
	})
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: s.fix(err)}}
	}
	var n int64
	for _, r := range rows {
		if r.address(fieldSrcIP, fieldSrc).IsUnspecified() {
			n = flowmath.Add(n, r.sum("count"))
		}
	}
	if n == 0 {
		return nil
	}
	return []integrations.Finding{{
		What: fmt.Sprintf("%d events of the last %s have no address of their source: what those hosts sent is not found", n, incident.FormatDuration(look)),
		OK:   true, Warning: true, Fix: "have the add-on fill src_ip, or leave these events out by without",
	}}
}

// probeMatches checks that the values of only and without occur.
func (s *Flows) probeMatches(ctx context.Context, now time.Time) []integrations.Finding {
	config := s.config
	config.Only, config.Without = nil, nil
	counted, err := config.conditions()
	if err != nil {
		return []integrations.Finding{{What: err.Error(), Fix: "correct indices"}}
	}
	plain := &Flows{config: config, endpoint: s.endpoint, counted: counted, slots: s.slots}
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			found = append(found, plain.occurs(ctx, setting, m, now))
		}
	}
	look("only", s.config.Only)
	look("without", s.config.Without)
	return found
}

func (s *Flows) occurs(ctx context.Context, setting string, m integrations.Match, now time.Time) integrations.Finding {
	where, err := matching(m)
	var rows []row
	if err == nil {
		rows, err = s.search(ctx, "look for "+m.String(), tstats{where: []string{where}, from: now.Add(-recent), to: now})
	}
	if err != nil {
		return integrations.Finding{What: setting + ": " + err.Error(), Fix: "raise timeout"}
	}
	return integrations.MatchFinding(setting, m, len(rows) > 0 && rows[0].count("count") > 0)
}

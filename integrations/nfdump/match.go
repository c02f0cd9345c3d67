package nfdump

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// chosen are the fields by which records can be chosen, as in nfdump's filter, with
// the valid form of a value: nothing else of a setting ever gets into a filter.
func chosen() map[string]struct {
	words string
	valid func(string) bool
} {
	type by = struct {
		words string
		valid func(string) bool
	}
	number := func(bits int) func(string) bool {
		return func(value string) bool { _, err := strconv.ParseUint(value, 10, bits); return err == nil }
	}
	return map[string]by{
		"in_if":             {"in if", number(32)},
		"out_if":            {"out if", number(32)},
		"forwarding_status": {"fwdstat", number(8)},
		"proto":             {"proto", regexp.MustCompile(`^[a-z0-9]{1,16}$`).MatchString},
		"router":            {"router ip", func(value string) bool { a, err := netip.ParseAddr(value); return err == nil && a.Zone() == "" }},
		"event":             {"asa event", regexp.MustCompile(`^(ignore|create|delete|deny)$`).MatchString},
	}
}

// checkMatches returns what is wrong with only and without, if anything.
func (c Config) checkMatches() error {
	known := chosen()
	if err := integrations.CheckMatches(c.Only, c.Without, func(string) bool { return true }); err != nil {
		return err
	}
	for _, m := range append(slices.Clip(c.Only), c.Without...) {
		by, ok := known[m.Column.String()]
		if !ok {
			return fmt.Errorf("nfdump cannot choose records by %q: must be one of %s", m.Column, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		for _, value := range m.Texts() {
			if !by.valid(value) {
				return fmt.Errorf("invalid %s %q", m.Column, value)
			}
		}
	}
	return nil
}

// matching selects the records that have one of the values.
func matching(m integrations.Match) filter {
	words := chosen()[m.Column.String()].words
	terms := make([]string, len(m.Is))
	for i, value := range m.Texts() {
		terms[i] = words + " " + value
	}
	return filter("(" + strings.Join(terms, " or ") + ")")
}

// counted is a filter for the records that count; an empty filter is one for all
// of these.
func (s *Store) counted(f filter) filter {
	var all []string
	if f != "" {
		all = append(all, "("+string(f)+")")
	}
	for _, m := range s.config.Only {
		all = append(all, string(matching(m)))
	}
	for _, m := range s.config.Without {
		all = append(all, "not "+string(matching(m)))
	}
	return filter(strings.Join(all, " and "))
}

// probeMatches checks that the values of only and without occur.
func (s *Store) probeMatches(ctx context.Context, newest time.Time) []integrations.Finding {
	plain := &Store{config: s.config, program: s.program, turns: s.turns, now: s.now}
	plain.config.Only, plain.config.Without = nil, nil
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			occurs, err := plain.any(ctx, "look for "+m.String(), newest.Add(-24*time.Hour), newest.Add(time.Hour), matching(m))
			if err != nil {
				found = append(found, integrations.Finding{What: setting + ": " + err.Error(), Fix: "check the folder, or raise timeout"})
				continue
			}
			found = append(found, integrations.MatchFinding(setting, m, occurs))
		}
	}
	look("only", s.config.Only)
	look("without", s.config.Without)
	return found
}

package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxLooked bounds the rows that are searched for spellings, of each column.
	maxLooked = 200_000
	// maxOdd bounds the spellings, those of the most rows first.
	maxOdd = 10_000
)

// spelling is an address as it is written, and in how many rows.
type spelling struct {
	text string
	rows int64
}

// lost reports whether an index does not find the address, or it is invalid.
func (s spelling) lost(a address) bool {
	addr, ok := flowmath.AddressIn(s.text)
	return !ok || !slices.Contains(a.forms(addr), s.text)
}

// odd returns the addresses of the window that are written in an unusual way.
// Types of addresses have one spelling each.
func (s *Store) odd(ctx context.Context, base *statement) ([]spelling, error) {
	if !base.t.address.written() {
		return nil, nil
	}
	st := base.again()
	query := st.odd()
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (spelling, error) {
		var one spelling
		err := row.Scan(&one.text, &one.rows)
		return one, err
	})
}

// lost counts the addresses of the window that are missing from all answers.
func (s *Store) lost(ctx context.Context, base *statement) (int64, error) {
	odd, err := s.odd(ctx, base)
	var n int64
	for _, one := range odd {
		if one.lost(base.t.address) {
			n += one.rows
		}
	}
	return n, err
}

// hidden returns the spellings of the host's address that no index finds, usually
// none. It reads the window, so it is called only where the answer would otherwise
// be that there are no flows.
func (s *Store) hidden(ctx context.Context, base *statement, h flowmath.Host) (string, error) {
	odd, err := s.odd(ctx, base)
	for _, one := range odd {
		if addr, ok := flowmath.AddressIn(one.text); ok && h.Has(addr) && one.lost(base.t.address) {
			return one.text, nil
		}
	}
	return "", err
}

// unfound is the answer for a host with rows that no index finds.
func unfound(t incident.Traffic, text string) incident.Traffic {
	answer := incident.Traffic{Freshness: t.Freshness, Window: t.Window, Attribution: t.Attribution, JoinRate: t.JoinRate, ClockSkew: t.ClockSkew}
	incident.Explain(&answer, fmt.Sprintf("flows: the address is written as %q, which is not looked for", text))
	return answer
}

// probeAddresses checks the newest records' addresses.
func (s *Store) probeAddresses(ctx context.Context, t *table, newest time.Time) []integrations.Finding {
	base := &statement{t: t, from: newest.Add(-time.Hour), to: newest.Add(time.Second), newest: newest}
	n, err := s.lost(ctx, base)
	switch {
	case err != nil:
		return []integrations.Finding{{
			What: fmt.Sprintf("read the addresses of the last hour of %s: %v", s.config.Table, failed(ctx, "read the addresses", err)),
			Fix:  "make an index that begins with the column of the start",
		}}
	case n > 0:
		return []integrations.Finding{{
			What: fmt.Sprintf("%d addresses of the last hour of %s are invalid, or in an unusual spelling: answers lack them", n, s.config.Table),
			Fix:  "have the collector write plain addresses, or make the columns inet",
		}}
	}
	return nil
}

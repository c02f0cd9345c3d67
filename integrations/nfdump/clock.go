package nfdump

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// span returns what the folder holds that counts for a time that ends at to.
// nfdump must not be run on an empty folder: it crashes.
func (s *Store) span(ctx context.Context, to time.Time) (flowmath.Span, error) {
	const op = "read what the flow store holds"
	if _, err := s.version(ctx); err != nil {
		return flowmath.Span{}, err
	}
	files, err := s.latest(op)
	if err != nil || len(files) == 0 {
		return flowmath.Span{}, err
	}
	var span flowmath.Span
	err = s.run(ctx, op, []string{"-I", "-R", s.config.Folder}, func(line []byte) error {
		key, value, _ := strings.Cut(string(line), ":")
		if key != "Flows" && key != "First" {
			return nil
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return broken(op, err)
		}
		if key == "Flows" {
			span.Records = n
		} else {
			span.Oldest = time.Unix(n, 0).UTC()
		}
		return nil
	})
	if err != nil || span.Records == 0 {
		return flowmath.Span{}, err
	}
	m := flowmath.Moment{Now: s.now(), To: to}
	span.Limit = s.config.Longest
	span.Longer = s.longer.Find(m.Now, func() (time.Duration, error) { return s.lasting(ctx, m) })
	err = s.reach(ctx, &span, m)
	return span, err
}

// hour is how far back the newest record is looked for first.
const hour = time.Hour

// reach puts into the span the newest record that counts, and the sensors that
// are ahead. The last time that nfdump prints for all files cannot be used: a file
// without any flow has the time of its slot there, so a collector whose exporters
// fell silent would look up to date.
func (s *Store) reach(ctx context.Context, span *flowmath.Span, m flowmath.Moment) error {
	latest, err := s.times(ctx, m.Now.Add(-hour), time.Time{})
	if err != nil {
		return err
	}
	steady, err := s.fast(ctx, span, m, latest)
	if err != nil {
		return err
	}
	past := m.To.Before(m.Now.Add(-incident.ClockTolerance))
	for _, back := range []time.Duration{hour, 24 * time.Hour, 0} {
		from := time.Time{}
		if back > 0 {
			from = m.Until().Add(-back)
		}
		routers := latest
		if back != hour || len(span.Fast) > 0 || past {
			if routers, err = s.times(ctx, from, m.Until()); err != nil {
				return err
			}
		}
		for router, at := range routers {
			end, ok := m.Reach(at.first, at.last)
			if ok && !steady[router] && end.After(span.Newest) {
				span.Newest = end
			}
		}
		if !span.Newest.IsZero() {
			return nil
		}
	}
	switch {
	case len(span.Fast) > 0 || past:
	case s.counted("") != "":
		*span = flowmath.Span{} // there are records, and none of them counts
	default:
		return integrations.Errorf(integrations.Unavailable, "read the newest record", "%d records were counted, and none could be read", span.Records)
	}
	return nil
}

// fast puts into the span which routers' clocks are ahead, of those with a record of
// about now, and returns those of which every record is.
func (s *Store) fast(ctx context.Context, span *flowmath.Span, m flowmath.Moment, latest map[string]times) (map[string]bool, error) {
	steady := map[string]bool{}
	ahead := map[string]times{}
	for router, at := range latest {
		if at.last.After(m.Future()) {
			ahead[router] = times{at.last, at.last}
		}
	}
	if len(ahead) == 0 {
		return steady, nil
	}
	future, err := s.times(ctx, m.Future(), time.Time{})
	if err != nil {
		return nil, err
	}
	for router, at := range ahead {
		if f, ok := future[router]; ok {
			at = f
		}
		c := m.Fast(s.sensor(router), at.first, at.last)
		span.Fast, steady[router] = append(span.Fast, c), c.Steady
	}
	span.Fast = flowmath.SortFast(span.Fast)
	return steady, nil
}

// times are the first start and the last end of a router's records.
type times struct{ first, last time.Time }

// times returns those of the records that begin and end within a time, of each
// router. nfdump sums them.
func (s *Store) times(ctx context.Context, from, to time.Time) (map[string]times, error) {
	const op = "read the newest record"
	routers := map[string]times{}
	args := []string{"-q", "-N", "-6", "-R", s.config.Folder, "-t", timeWindow(from, to), "-A", "router", "-o", "fmt:%ra,%ts,%te"}
	if f := s.counted(""); f != "" {
		args = append(args, string(f))
	}
	err := s.run(ctx, op, args, func(line []byte) error {
		if text := strings.TrimSpace(string(line)); text == nothing || text == "" {
			return nil
		}
		var f [3][]byte
		if err := split(line, f[:]); err != nil {
			return broken(op, err)
		}
		var n counts
		at := times{n.instant(f[1]), n.instant(f[2])}
		if n.err != nil {
			return broken(op, n.err)
		}
		router := string(f[0])
		if known, ok := routers[router]; ok {
			at = times{earlier(known.first, at.first), later(known.last, at.last)}
		}
		routers[router] = at
		return nil
	})
	return routers, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lasting returns the length of a record that is longer than the configured
// maximum, of those that may reach into the last such period.
func (s *Store) lasting(ctx context.Context, m flowmath.Moment) (time.Duration, error) {
	var found time.Duration
	long := fmt.Sprintf("duration > %d", s.config.Longest.Milliseconds())
	args := []string{"-q", "-N", "-6", "-R", s.config.Folder, "-c", "1", "-o", recordFormat, "-t", timeWindow(m.Until().Add(-3*s.config.Longest), m.Until().Add(s.config.Longest)), long}
	err := s.run(ctx, "look for long records", args, func(line []byte) error {
		if len(line) == 0 || string(line) == nothing {
			return nil
		}
		var r flowmath.Record
		_, err := parseRecord(line, &r)
		found = r.Duration
		return err
	})
	return found, err
}

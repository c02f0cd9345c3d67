package nfdump

import (
	"context"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// latest returns the files of nfcapd by folder, the latest of each: names carry
// their time. The file into which nfcapd writes is not read before it is
// complete.
func (s *Store) latest(op string) (map[string]string, error) {
	if err := s.folder(op); err != nil {
		return nil, err
	}
	files := map[string]string{}
	err := filepath.WalkDir(s.config.Folder, func(path string, d fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err != nil || d.IsDir() || !strings.HasPrefix(name, "nfcapd.") || strings.HasPrefix(name, "nfcapd.current") {
			return err
		}
		folder := filepath.Dir(path)
		files[folder] = max(files[folder], name)
		return nil
	})
	if err != nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	return files, nil
}

// span tells what the folder holds. Of an empty folder nfdump must not be
// asked: it crashes.
func (s *Store) span(ctx context.Context) (flowmath.Span, error) {
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
	// The last time that nfdump tells of all files is no use: a file without
	// any flow has the time of its slot there, so a collector whose exporters
	// fell silent would look up to date.
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 0} {
		from := time.Time{}
		if back > 0 {
			from = s.now().Add(-back)
		}
		if span.Newest, err = s.newest(ctx, from); err != nil || !span.Newest.IsZero() {
			return span, err
		}
	}
	if s.counted("") != "" {
		return flowmath.Span{}, nil // there are records, and none of them counts
	}
	return span, integrations.Errorf(integrations.Unavailable, op, "%d records are counted, and none can be read", span.Records)
}

// newest returns when the newest record of those that begin after a time ended;
// zero when there is none. nfdump sums them up by router.
func (s *Store) newest(ctx context.Context, from time.Time) (time.Time, error) {
	const op = "read the newest record"
	var newest time.Time
	args := []string{"-q", "-N", "-R", s.config.Folder, "-t", timeWindow(from, time.Time{}), "-A", "router", "-o", "fmt:%ter"}
	if f := s.counted(""); f != "" {
		args = append(args, string(f))
	}
	err := s.run(ctx, op, args, func(line []byte) error {
		text := strings.TrimSpace(string(line))
		if text == nothing || text == "" {
			return nil
		}
		var n counts
		at := n.instant([]byte(text))
		if n.err != nil {
			return broken(op, n.err)
		}
		if at.After(newest) {
			newest = at
		}
		return nil
	})
	return newest, err
}

// samplers returns the sampling rates of routers, by address: one packet in so
// many. They stand in the latest file of each folder.
func (s *Store) samplers(ctx context.Context) (map[string]int64, error) {
	const op = "read the sampling rates"
	files, err := s.latest(op)
	if err != nil {
		return nil, err
	}
	rates := map[string]int64{}
	for folder, name := range files {
		router := ""
		err := s.run(ctx, op, []string{"-E", filepath.Join(folder, name)}, func(line []byte) error {
			text := string(line)
			if _, rest, ok := strings.Cut(text, ", IP:"); ok {
				address, _, _ := strings.Cut(rest, ",")
				router = strings.TrimSpace(address)
			} else if rate := samplingRate(text); rate > 0 && router != "" {
				rates[router] = max(rates[router], rate)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rates, nil
}

// samplingRate reads a line such as "Sampler: …, packet interval: 1, packet
// space: 99", or of older versions "Sampler: …, interval: 100"; 0 when it says
// nothing of sampling.
func samplingRate(line string) int64 {
	if !strings.Contains(line, "Sampler") {
		return 0
	}
	number := func(name string) int64 {
		_, rest, ok := strings.Cut(line, name)
		if !ok {
			return 0
		}
		digits, _, _ := strings.Cut(rest, ",")
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	interval := number("interval:")
	if !strings.Contains(line, "packet space:") {
		return interval
	}
	if interval == 0 {
		return 0
	}
	return (interval + number("packet space:")) / interval
}

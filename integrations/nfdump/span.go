package nfdump

import (
	"context"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
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

// samplers returns the sampling rates of routers, by address: one packet in so
// many. They are in the latest file of each folder.
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
// space: 99", or of older versions "Sampler: …, interval: 100"; 0 without a
// sampling rate.
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

package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/fetch"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// pull fetches the alerts of the sources that are not posted to.
func (s *Service) pull(ctx context.Context, r *httpapi.Receiver) error {
	fetchers, err := s.fetchers(ctx, r)
	if err != nil {
		return err
	}
	for _, f := range fetchers {
		s.running.Go(func() { f.Run(ctx) })
	}
	return nil
}

// fetchers opens a puller for each of them, or none.
func (s *Service) fetchers(ctx context.Context, r *httpapi.Receiver) ([]*fetch.Fetcher, error) {
	c := s.options.Config
	var fetchers []*fetch.Fetcher
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		source := c.Sources[name]
		if !source.Fetched() {
			continue
		}
		puller, err := OpenPuller(ctx, name, source)
		if err != nil {
			for _, f := range fetchers {
				err = errors.Join(err, f.Puller.Close())
			}
			return nil, err
		}
		if source.Fetch.Alone != "" && c.Temporal.Address != config.Embedded {
			s.options.Log.Warn("each process with the role receiver fetches every alert of a source; repeats are recognised", "source", name, "why", source.Fetch.Alone)
		}
		fetchers = append(fetchers, &fetch.Fetcher{
			Source: name, Puller: puller, Metrics: s.metrics, Log: s.options.Log,
			Take: func(ctx context.Context, bodies [][]byte) (int, error) { return r.Take(ctx, name, bodies) },
		})
	}
	return fetchers, nil
}

// OpenPuller opens what fetches the alerts of a source.
func OpenPuller(ctx context.Context, name string, source config.Source) (alerts.Puller, error) {
	puller, err := source.Fetch.Open(ctx, source.Fetch.Config)
	if err != nil {
		return nil, fmt.Errorf("source %s: open %s: %w", name, source.Fetch.Kind, err)
	}
	return puller, nil
}

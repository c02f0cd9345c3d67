package command

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
)

// checkFetched asks where the alerts of sources wait whether it can be reached.
func checkFetched(ctx context.Context, c *config.Config) []finding {
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		if source := c.Sources[name]; source.Fetched() {
			found = append(found, checkPuller(ctx, name, source))
		}
	}
	return found
}

func checkPuller(ctx context.Context, name string, source config.Source) finding {
	about, kind := "source "+name, source.Fetch.Kind
	fix := "start it, or correct from of the source in stanch.yaml"
	puller, err := service.OpenPuller(ctx, name, source)
	if err != nil {
		return bad(about, fix, "%v", err)
	}
	defer puller.Close() //nolint:errcheck // It was asked one question: what it holds goes with the process.
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	lag, err := puller.Lag(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return fine(about, "fetches alerts of kind %s by %s, which cannot tell how many wait", source.Kind, kind)
	}
	if err != nil {
		return bad(about, fix, "its alerts cannot be fetched by %s: %v", kind, err)
	}
	return fine(about, "fetches alerts of kind %s by %s: %s", source.Kind, kind, count(int(lag), "message")+" waiting")
}

package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/config"
)

// trySources sends a sample of its kind through every source that is posted to, to where a
// running server only says what it would become.
func trySources(ctx context.Context, c *config.Config, client *apiclient.Client) []finding {
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		if source := c.Sources[name]; !source.Fetched() && source.Auth.Configured() {
			found = append(found, trySource(ctx, client, name, source))
		}
	}
	return found
}

func trySource(ctx context.Context, client *apiclient.Client, name string, source config.Source) finding {
	about := "source " + name
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	body := []byte(source.Alerts.Example)
	prove, err := source.Auth.Prover(body, time.Now())
	if err != nil {
		return warn(about, "have its sender post to "+client.URL()+apiclient.TryPath(name)+": nothing is kept or started there", "%v", err)
	}
	preview, err := client.Try(ctx, name, body, prove)
	if refused, ok := errors.AsType[*apiclient.Error](err); ok {
		return untried(about, source, refused)
	}
	if err != nil {
		return bad(about, "start the server, or look at its log", "a sample is not taken: %v", err)
	}
	if source.Map != "" {
		return fine(about, "a sample is authenticated; what its mapping makes of its alerts is what `stanch source test --source %s` says", name)
	}
	if preview.Wrong != nil || len(preview.Alerts) == 0 {
		return bad(about, "run the same version here and there", "a sample of kind %s is authenticated, and not understood", source.Kind)
	}
	var routed []string
	for _, a := range preview.Alerts {
		if a.Wrong != nil {
			return bad(about, "", "a sample of kind %s is authenticated, and would be rejected: %s", source.Kind, a.Wrong.Problem)
		}
		routed = append(routed, taker(a))
	}
	if !slices.ContainsFunc(preview.Alerts, func(a api.PreviewedAlert) bool { return a.Playbook != "" }) {
		return warn(about, "give the source the category that a playbook's trigger has, or the playbook a trigger for it",
			"a sample is authenticated and read, and %s", strings.Join(routed, ", "))
	}
	return fine(about, "a sample is authenticated, read, and would go to %s; nothing was started", strings.Join(routed, ", "))
}

// taker says where an alert would go.
func taker(a api.PreviewedAlert) string {
	if a.Playbook == "" {
		return "no playbook takes it: its case " + a.Case + " would only tell people"
	}
	return fmt.Sprintf("case %s of playbook %s", a.Case, a.Playbook)
}

// untried says why a server did not try a sample.
func untried(about string, source config.Source, refused *apiclient.Error) finding {
	switch refused.Status {
	case http.StatusUnauthorized:
		if len(source.Auth.Addresses) > 0 {
			return warn(about, "run doctor on one of its senders", "a sample from here is refused: it takes requests from %s alone, or the server has another secret", strings.Join(source.Auth.Addresses, ", "))
		}
		return bad(about, "restart the server with this configuration, or correct the secret here", "a sample with its credential is refused: the server has another configuration")
	case http.StatusTooManyRequests:
		return warn(about, "", "a sample is authenticated, and not read now: the source is at its rate")
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return warn(about, "upgrade the server", "the server is of a version that cannot try a sample")
	}
	return bad(about, "look at the server's log", "a sample is not taken: %v", refused)
}

package httpapi

import (
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// reportedByDefault is the span of a report that names none, maxReported the longest.
	reportedByDefault = 7 * 24 * time.Hour
	maxReported       = 366 * 24 * time.Hour
	// readWithin bounds the reading of a report's cases: it leaves time to answer.
	readWithin = answerWithin * 2 / 3
)

func (r *Receiver) showReport(w http.ResponseWriter, req *http.Request, _ incident.Person) *problem {
	span := reportedByDefault
	if text := req.FormValue("since"); text != "" {
		var err error
		if span, err = incident.ParseDuration(text); err != nil || span <= 0 || span > maxReported {
			return invalid("since", "since %q is not a duration of at most %s, such as 24h or 7d", text, "366d")
		}
	}
	now := r.Now()
	out, err := r.Engine.Report(req.Context(), now.Add(-span), now, time.Now().Add(readWithin))
	if err != nil {
		return r.unavailable(req.Context(), "report", err)
	}
	reply(w, http.StatusOK, out)
	return nil
}

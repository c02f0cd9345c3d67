package splunk

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	jobsPath = "/services/search/v2/jobs"
	// maxRows is how many rows Splunk keeps of a search, its limit maxresultrows; pageRows
	// how many are read at once.
	maxRows  = 50_000
	pageRows = 5_000
	// concurrent is how many searches a user of the role user may run at once.
	concurrent = 3
	// abandoned is after how many seconds Splunk itself cancels a job that nobody asks
	// about, kept how many seconds it keeps the results of one that ended.
	abandoned, kept = 60, 120
	// cancelling is how long it may take to cancel a job.
	cancelling        = 2 * time.Second
	firstPoll, slower = 20 * time.Millisecond, 2 * time.Second
)

// errTooMany is why a search has no answer: it would have more rows than are kept.
var errTooMany = errors.New("the answer has more rows than Splunk keeps: ask for a shorter time")

// flag is a truth, which Splunk writes as a word or as a number.
type flag bool

// UnmarshalJSON implements [json.Unmarshaler].
func (f *flag) UnmarshalJSON(text []byte) error {
	b, err := strconv.ParseBool(strings.Trim(string(text), `"`))
	*f = flag(b)
	return err
}

// number is a whole number, which Splunk writes as such or as a text.
type number int

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(text []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(text), `"`))
	*n = number(i)
	return err
}

// job is the state of a search.
type job struct {
	State     string `json:"dispatchState"`
	Done      flag   `json:"isDone"`
	Failed    flag   `json:"isFailed"`
	Finalized flag   `json:"isFinalized"`
	Zombie    flag   `json:"isZombie"`
	// Rows is nil where the answer does not say how many there are.
	Rows     *number   `json:"resultCount"`
	Earliest string    `json:"earliestTime"`
	Messages []message `json:"messages"`
}

// search runs a search and returns all of its rows. An answer that is not whole is an
// error. The job is gone when it returns.
func (s *Flows) search(ctx context.Context, op string, q tstats) ([]row, error) {
	return s.run(ctx, op, q, s.config.Summaries == Only)
}

func (s *Flows) run(ctx context.Context, op string, q tstats, only bool) ([]row, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, integrations.Errorf(integrations.Unavailable, op, "wait for an earlier search: %w", ctx.Err())
	}
	bounded, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	// The job has an id of ours, so that it can be cancelled though the answer with its id
	// was lost.
	id := "stanch_" + rand.Text()
	defer s.drop(ctx, id)
	rows, err := s.job(bounded, op, id, q, only)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the search took longer than %s", s.config.Timeout)
	}
	return rows, err
}

// job starts a job, waits for its end and reads its rows.
func (s *Flows) job(ctx context.Context, op, id string, q tstats, only bool) ([]row, error) {
	var started struct {
		ID string `json:"sid"`
	}
	_, err := s.ask(ctx, call{op: op, method: http.MethodPost, path: jobsPath, form: url.Values{
		"search": {s.spl(q, only)}, "id": {id}, "exec_mode": {"normal"}, "adhoc_search_level": {"fast"},
		"earliest_time": {epoch(q.from, false)}, "latest_time": {epoch(q.to, true)},
		// A part of an answer must not be taken for the whole.
		"allow_partial_results": {"false"}, "max_count": {strconv.Itoa(maxRows)},
		"max_time":    {strconv.Itoa(int(s.config.Timeout / time.Second))},
		"auto_cancel": {strconv.Itoa(abandoned)}, "timeout": {strconv.Itoa(kept)},
	}}, &started, "sid")
	if err != nil {
		return nil, err
	}
	if started.ID != id {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the search has the id %s, not the one asked for", httpx.Quote(started.ID))
	}
	n, err := s.wait(ctx, op, id, q)
	if err != nil {
		return nil, err
	}
	return s.rows(ctx, op, id, n)
}

// wait waits for the end of a job, and returns how many rows it has.
func (s *Flows) wait(ctx context.Context, op, id string, q tstats) (int, error) {
	for pause := firstPoll; ; pause = min(2*pause, slower) {
		var out struct {
			Entry []struct {
				Content job `json:"content"`
			} `json:"entry"`
		}
		a, err := s.ask(ctx, call{op: op, method: http.MethodGet, path: jobsPath + "/" + id}, &out, "entry")
		switch {
		case a.Status == http.StatusNoContent: // it is not known yet
		case err != nil:
			return 0, err
		case len(out.Entry) != 1:
			return 0, integrations.Errorf(integrations.Unavailable, op, "the answer is of %d searches", len(out.Entry))
		default:
			if at := out.Entry[0].Content; at.Done || at.Failed || at.Zombie {
				return at.whole(op, q)
			}
		}
		if err := httpx.Pause(ctx, op, "the search", pause); err != nil {
			return 0, err
		}
	}
}

// whole returns how many rows a job has that ended, or why they are not the whole answer.
func (j job) whole(op string, q tstats) (int, error) {
	if err := complaint(op, j.Messages); err != nil {
		return 0, err
	}
	switch {
	case bool(j.Failed || j.Zombie) || j.State != "DONE":
		return 0, integrations.Errorf(integrations.Unavailable, op, "the search failed: its state is %s", httpx.Quote(j.State))
	case bool(j.Finalized):
		return 0, integrations.Errorf(integrations.Unavailable, op, "the search was ended before it was done, and has a part of the answer only")
	case j.Rows == nil:
		return 0, integrations.Errorf(integrations.Unavailable, op, "the search does not say how many rows it has")
	case *j.Rows >= maxRows:
		return 0, integrations.Errorf(integrations.Invalid, op, "%w", errTooMany)
	}
	// A role may bound how far back its users search: Splunk then begins later.
	if from, ok := instant(j.Earliest); ok && from.After(q.from.Add(time.Second)) {
		return 0, integrations.Errorf(integrations.Denied, op, "Splunk searched from %s only, not from %s: look at the time range of the role",
			from.Format(time.RFC3339), q.from.UTC().Format(time.RFC3339))
	}
	return int(*j.Rows), nil
}

// complaint returns what Splunk says against an answer: that something failed, or that it
// is not all. A plain remark is neither, unless it speaks of a part.
func complaint(op string, said []message) error {
	for _, m := range said {
		text := strings.ToLower(m.Text)
		part := false
		for _, word := range []string{"incomplete", "partial", "truncat", "finalized", "limit"} {
			part = part || strings.Contains(text, word)
		}
		switch strings.ToUpper(m.Type) {
		case "INFO", "DEBUG":
			if !part {
				continue
			}
		}
		return integrations.Errorf(integrations.Unavailable, op, "Splunk says of the search: %s", httpx.Quote(m.Text))
	}
	return nil
}

// rows reads the rows of a job to the end.
func (s *Flows) rows(ctx context.Context, op, id string, n int) ([]row, error) {
	all := make([]row, 0, n)
	for len(all) < n {
		var page struct {
			Preview  flag      `json:"preview"`
			Messages []message `json:"messages"`
			Results  []row     `json:"results"`
		}
		_, err := s.ask(ctx, call{op: op, method: http.MethodGet, path: jobsPath + "/" + id + "/results", query: url.Values{
			"count": {strconv.Itoa(pageRows)}, "offset": {strconv.Itoa(len(all))},
		}}, &page, "results")
		if err == nil {
			err = complaint(op, page.Messages)
		}
		switch {
		case err != nil:
			return nil, err
		case bool(page.Preview):
			return nil, integrations.Errorf(integrations.Unavailable, op, "the rows are a preview")
		case len(page.Results) == 0:
			return nil, integrations.Errorf(integrations.Unavailable, op, "the search has %d of its %d rows", len(all), n)
		}
		all = append(all, page.Results...)
	}
	if len(all) != n {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the search has %d rows, and says %d", len(all), n)
	}
	return all, nil
}

// drop cancels a job, whatever became of it. Where that fails, Splunk does it by itself
// after a time: the answer is right all the same.
func (s *Flows) drop(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelling)
	defer cancel()
	_, _ = s.ask(ctx, call{op: "cancel a search", method: http.MethodDelete, path: jobsPath + "/" + id}, nil)
}

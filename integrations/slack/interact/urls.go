package interact

import (
	"sync"
	"time"
)

const (
	// urlLives is how long Slack takes answers at the URL of a click.
	urlLives = 30 * time.Minute
	maxURLs  = 1024
)

// urls remembers, by the id of a form, where its filler can be answered: a
// form's submission brings no such URL of its own. It may forget at any time;
// then the filler reads the card instead.
type urls struct {
	now func() time.Time

	mu     sync.Mutex
	byView map[string]answerURL
}

type answerURL struct {
	url string
	end time.Time
}

func newURLs(now func() time.Time) *urls { return &urls{now: now, byView: map[string]answerURL{}} }

func (u *urls) keep(view, url string) {
	if view == "" || url == "" {
		return
	}
	now := u.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	oldest := ""
	for id, a := range u.byView {
		if !now.Before(a.end) {
			delete(u.byView, id)
		} else if oldest == "" || a.end.Before(u.byView[oldest].end) {
			oldest = id
		}
	}
	if len(u.byView) >= maxURLs {
		delete(u.byView, oldest)
	}
	u.byView[view] = answerURL{url: url, end: now.Add(urlLives)}
}

// of returns the URL, or an empty one when it is not known or no longer lives.
func (u *urls) of(view string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	a, ok := u.byView[view]
	if !ok || !u.now().Before(a.end) {
		return ""
	}
	return a.url
}

func (u *urls) forget(view string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.byView, view)
}

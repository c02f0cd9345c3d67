package slack

import (
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

// maxAnswer bounds what is read of an answer: a page of cards takes a few
// hundred kilobytes.
const maxAnswer = 8 << 20

func newHTTPClient(timeout time.Duration) *http.Client {
	c := &http.Client{
		Timeout: timeout,
		// Slack's API does not redirect; a form would take its token along.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		c.Transport = httpx.Traced(t.Clone())
	}
	return c
}

// bounded is an HTTP client that does not read answers without end.
type bounded struct{ client *http.Client }

func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	return resp, nil
}

package wazuh

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// pageSize is how many entries are asked for at once: more than 500 are not recommended.
const pageSize = 500

// manager is the API of a Wazuh manager.
type manager struct {
	client *httpx.Client
	origin string
	login  integrations.Secret // the header of a login
	tokens *httpx.Tokens
}

// basic is the header of a user and a password.
func basic(user string, password integrations.Secret) integrations.Secret {
	return integrations.Secret("Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password.Reveal())))
}

// token logs in. The manager shuts an address out that fails 50 times in five minutes:
// [httpx.Tokens] believes a refusal for a while.
func (m manager) token(ctx context.Context) (integrations.Secret, time.Duration, error) {
	var out struct {
		Data struct {
			Token integrations.Secret `json:"token"`
		} `json:"data"`
	}
	r := httpx.Request{
		Op: "log in to Wazuh", Method: http.MethodPost, URL: m.origin + "/security/user/authenticate",
		Header: http.Header{"Authorization": {m.login.Reveal()}}, Members: []string{"data"},
	}
	a, err := m.client.JSON(ctx, r, nil, &out)
	return out.Data.Token, lifetime(out.Data.Token), refused(a, err)
}

// lifetime is how long a token is good, as it says itself: the manager's default of 15
// minutes can be changed. 0 is not known.
func lifetime(token integrations.Secret) time.Duration {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return 0
	}
	var claims struct {
		From  float64 `json:"nbf"`
		Until float64 `json:"exp"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.From <= 0 || claims.Until <= claims.From {
		return 0
	}
	return time.Duration(min(claims.Until-claims.From, 24*3600)) * time.Second
}

// answer is the form of the manager's answers.
type answer[T any] struct {
	Data struct {
		Items  []T       `json:"affected_items"`
		Total  int       `json:"total_affected_items"`
		Failed []failure `json:"failed_items"`
	} `json:"data"`
	Message string `json:"message"`
	// Error is 0, 1 where all failed, and 2 where some did; of a refusal it is a code.
	Error int `json:"error"`
}

// failure is why something was not done, and on which agents.
type failure struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	ID []text `json:"id"`
}

// failed is the error in an answer of status 200, which says so only in its body.
func (a answer[T]) failed(op string) error {
	if len(a.Data.Failed) > 0 {
		f := a.Data.Failed[0].Error
		return integrations.Errorf(kindOf(f.Code), op, "Wazuh refused: %s (code %d)", httpx.Quote(f.Message), f.Code)
	}
	if a.Error != 0 {
		return integrations.Errorf(integrations.Unavailable, op, "Wazuh refused: %s (error %d)", httpx.Quote(a.Message), a.Error)
	}
	return nil
}

// The manager's codes that mean something of their own here.
const (
	codeInactive  = 1707 // the agent is not active
	codeNotActive = 1651 // the same, in older releases
	codeUnknown   = 1652 // no such active response
	codeDisabled  = 1750 // active responses are switched off on the agent
	codeNoAgent   = 1701
	codeDenied    = 4000
	codeTooMany   = 6001
)

func kindOf(code int) integrations.Kind {
	switch code {
	case codeNoAgent:
		return integrations.NotFound
	case codeDenied:
		return integrations.Denied
	case codeTooMany:
		return integrations.Throttled
	case codeUnknown, codeDisabled:
		return integrations.Invalid
	}
	// codeInactive and codeNotActive among them: nothing was sent.
	return integrations.Unavailable
}

// refused adds to a refusal what its body says.
func refused(a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	var body struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   int    `json:"code"`
		Error  int    `json:"error"`
	}
	more := *e
	if httpx.Decode(a.Body, &body) != nil || body.Title == "" {
		if e.Kind == integrations.NotFound {
			// What is not there is told in a body: this is another server.
			more.Kind = integrations.Unavailable
			more.Err = fmt.Errorf("%w, and not Wazuh's answer: check the address", e.Err)
		}
		return &more
	}
	code := body.Code + body.Error // one of them is there
	more.Err = fmt.Errorf("%w: %s: %s (code %d)", e.Err, httpx.Quote(body.Title), httpx.Quote(body.Detail), code)
	switch kind := kindOf(code); {
	case e.Kind == integrations.NotFound && code != codeNoAgent:
		more.Kind = integrations.Invalid
	case kind != integrations.Unavailable && e.Kind == integrations.Invalid:
		more.Kind = kind
	}
	return &more
}

// ask makes a call of the manager and reads its answer.
func ask[T any](ctx context.Context, m manager, r httpx.Request, path string, query url.Values, in any) (answer[T], httpx.Answer, error) {
	r.URL, r.Tokens, r.Members = m.origin+path, m.tokens, []string{"data"}
	if len(query) > 0 {
		r.URL += "?" + query.Encode()
	}
	var out answer[T]
	a, err := m.client.JSON(ctx, r, in, &out)
	return out, a, refused(a, err)
}

// list reads a list to its end. One of more than most entries is an error: nothing is left
// out unsaid.
func list[T any](ctx context.Context, m manager, op, path string, query url.Values, most int) ([]T, error) {
	var all []T
	for {
		q := url.Values{"limit": {strconv.Itoa(min(pageSize, most+1))}, "offset": {strconv.Itoa(len(all))}}
		for name, values := range query {
			q[name] = values
		}
		page, _, err := ask[T](ctx, m, httpx.Request{Op: op, Method: http.MethodGet}, path, q, nil)
		if err != nil {
			return nil, err
		}
		if err := page.failed(op); err != nil {
			return nil, err
		}
		all = append(all, page.Data.Items...)
		switch {
		case len(all) > most:
			return nil, integrations.Errorf(integrations.Invalid, op, "more than %d match", most)
		case len(page.Data.Items) == 0 && len(all) < page.Data.Total:
			return nil, integrations.Errorf(integrations.Unavailable, op, "the list ended after %d of %d entries", len(all), page.Data.Total)
		case len(all) >= page.Data.Total:
			return all, nil
		}
	}
}

// release is which release a manager is, as it said last.
type release struct {
	mu   sync.Mutex
	text string
	at   time.Time
}

// asksVersion is how long a manager's release is taken to stay the same.
const asksVersion = time.Hour

// supported fails where the manager is of another major release than 4: 5 has no active
// responses, and answers otherwise.
func (c *Client) supported(ctx context.Context, op string) error {
	c.version.mu.Lock()
	version, at := c.version.text, c.version.at
	c.version.mu.Unlock()
	if version == "" || c.now().Sub(at) > asksVersion {
		info, _, err := c.info(ctx, op)
		if err != nil {
			return err
		}
		version = info
		c.version.mu.Lock()
		c.version.text, c.version.at = version, c.now()
		c.version.mu.Unlock()
	}
	if major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "."); major != "4" {
		return integrations.Errorf(integrations.Invalid, op, "the manager is Wazuh %s: only 4.x has the active responses that this kind needs", httpx.Quote(version))
	}
	return nil
}

// info asks the manager which release it is.
func (c *Client) info(ctx context.Context, op string) (version string, a httpx.Answer, err error) {
	var out struct {
		Data struct {
			Version string `json:"api_version"`
		} `json:"data"`
	}
	a, err = c.manager.client.JSON(ctx, httpx.Request{
		Op: op, Method: http.MethodGet, URL: c.manager.origin + "/", Tokens: c.manager.tokens, Members: []string{"data"},
	}, nil, &out)
	if err == nil && out.Data.Version == "" {
		err = integrations.Errorf(integrations.Unavailable, op, "the answer names no release of Wazuh")
	}
	return out.Data.Version, a, refused(a, err)
}

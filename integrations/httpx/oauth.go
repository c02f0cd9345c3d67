package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/stanch-soar/stanch/integrations"
)

// Credentials are those of an application that acts for itself, by OAuth 2.0's grant of
// client credentials. They go in the form of the request, not in a header.
type Credentials struct {
	// URL is the address that gives tokens. It must not contain a secret.
	URL    string
	Client string
	// Secret proves who the client is; or Certificate does.
	Secret      integrations.Secret
	Certificate *Certificate
	Scopes      []string
	// Form are further values of the request.
	Form url.Values
	// Explain says in our own words what the product means by a refusal, and what to do
	// about it; empty, or nil, is nothing. No text of the answer may be in it.
	Explain func(Answer) string
}

// OAuth returns the tokens of credentials, fetched through the client.
func (c *Client) OAuth(o Credentials) *Tokens {
	return NewTokens(func(ctx context.Context) (integrations.Secret, time.Duration, error) { return c.token(ctx, o) })
}

func (c *Client) token(ctx context.Context, o Credentials) (integrations.Secret, time.Duration, error) {
	const op = "get a token"
	config := clientcredentials.Config{
		ClientID: o.Client, ClientSecret: o.Secret.Reveal(), TokenURL: o.URL, Scopes: o.Scopes,
		EndpointParams: maps.Clone(o.Form), AuthStyle: oauth2.AuthStyleInParams,
	}
	if o.Certificate != nil {
		assertion, err := o.Certificate.assertion(o.URL, o.Client, time.Now())
		if err != nil {
			return "", 0, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		if config.EndpointParams == nil {
			config.EndpointParams = url.Values{}
		}
		config.EndpointParams.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		config.EndpointParams.Set("client_assertion", assertion)
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: exchange{c, op, o.Explain}}))
	if err == nil {
		return integrations.Secret(token.AccessToken), time.Duration(token.ExpiresIn) * time.Second, nil
	}
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return "", 0, e
	}
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && codeKind(e.ErrorCode) != "" {
		return "", 0, integrations.Errorf(codeKind(e.ErrorCode), op, "%s", e.ErrorCode)
	}
	// Other errors of the library quote the answer.
	return "", 0, integrations.Errorf(integrations.Unavailable, op, "the answer is not a token")
}

// exchange is our client as the transport of the library that knows the form of the
// request and of its answer.
type exchange struct {
	client  *Client
	op      string
	explain func(Answer) string
}

// RoundTrip implements [http.RoundTripper].
func (e exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, e.op, "read the form: %w", err)
	}
	a, err := e.client.Do(req.Context(), Request{Op: e.op, Method: req.Method, URL: req.URL.String(), Header: req.Header, Body: body})
	if err != nil {
		return nil, e.explained(a, err)
	}
	header := a.Header.Clone()
	if bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("{")) {
		// Whatever it is called: as text the library would take it for a form.
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{
		StatusCode: a.Status, Header: header, Body: io.NopCloser(bytes.NewReader(a.Body)), Request: req,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// explained is a refusal of credentials by the code in its body, where that is one of the
// standard's: 400 is said of an unknown client too.
func (e exchange) explained(a Answer, err error) error {
	was, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status == 0 {
		return err
	}
	more := *was
	var refusal struct {
		Error string `json:"error"`
	}
	if a.Status == http.StatusBadRequest && Decode(a.Body, &refusal) == nil && codeKind(refusal.Error) != "" {
		more.Kind, more.Err = codeKind(refusal.Error), fmt.Errorf("%w: %s", more.Err, refusal.Error)
		if more.Kind == integrations.Denied && e.client.credentials != "" {
			more.Err = fmt.Errorf("%w: check %s", more.Err, e.client.credentials)
		}
	}
	if e.explain != nil {
		if why := e.explain(a); why != "" {
			more.Err = fmt.Errorf("%w: %s", more.Err, why)
		}
	}
	return &more
}

// codeKind is the kind of a code of OAuth 2.0; empty for any other text.
//
// https://www.rfc-editor.org/rfc/rfc6749#section-5.2, and of 4.1.2.1 those that servers
// use here as well.
func codeKind(code string) integrations.Kind {
	switch code {
	case "invalid_client", "unauthorized_client", "access_denied", "invalid_grant":
		return integrations.Denied
	case "invalid_request", "invalid_scope", "unsupported_grant_type":
		return integrations.Invalid
	case "server_error", "temporarily_unavailable":
		return integrations.Unavailable
	}
	return ""
}

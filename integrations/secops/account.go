package secops

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	scope = "https://www.googleapis.com/auth/cloud-platform"
	// assertionLasts is the longest that Google takes.
	assertionLasts = time.Hour
	// clockSkew is how far this machine's clock may be ahead.
	clockSkew = time.Minute
	jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// account is a service account, which proves itself by an assertion that it signs.
//
// https://developers.google.com/identity/protocols/oauth2/service-account#httprest
type account struct {
	email, url string
	signer     jose.Signer
}

// errKey is a key that cannot be read. It shows nothing of it.
var errKey = errors.New("service_account is not the JSON key of a service account, with client_email, private_key and token_uri")

func parseAccount(key integrations.Secret) (account, error) {
	var k struct {
		Email string `json:"client_email"`
		ID    string `json:"private_key_id"`
		Key   string `json:"private_key"`
		URL   string `json:"token_uri"`
	}
	if json.Unmarshal([]byte(key.Reveal()), &k) != nil {
		return account{}, errKey
	}
	block, _ := pem.Decode([]byte(k.Key))
	at, err := url.Parse(k.URL)
	if block == nil || k.Email == "" || err != nil || at.Host == "" {
		return account{}, errKey
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return account{}, errKey
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: k.ID}}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return account{}, errKey
	}
	return account{k.Email, k.URL, signer}, nil
}

// assertion says to whoever gives tokens who the bearer is.
func (a account) assertion(now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": a.email, "scope": scope, "aud": a.url, "iat": now.Add(-clockSkew).Unix(), "exp": now.Add(assertionLasts - clockSkew).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("write the assertion: %w", err)
	}
	signed, err := a.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign the assertion: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("write the assertion: %w", err)
	}
	return text, nil
}

// tokens are those of the account, fetched through the client.
func (a account) tokens(client *httpx.Client) *httpx.Tokens {
	const op = "get a token of Google"
	return httpx.NewTokens(func(ctx context.Context) (integrations.Secret, time.Duration, error) {
		assertion, err := a.assertion(time.Now())
		if err != nil {
			return "", 0, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		form := url.Values{"grant_type": {jwtBearer}, "assertion": {assertion}}
		var answer struct {
			Token   string `json:"access_token"`
			Expires int64  `json:"expires_in"`
		}
		_, err = client.JSON(ctx, httpx.Request{
			Op: op, Method: http.MethodPost, URL: a.url, Body: []byte(form.Encode()), Members: []string{"access_token"},
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		}, nil, &answer)
		return integrations.Secret(answer.Token), time.Duration(answer.Expires) * time.Second, err
	})
}

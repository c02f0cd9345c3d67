package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

// ErrCannotProve is wrapped by the error of a method that needs more than its settings.
var ErrCannotProve = errors.New("cannot be tried from here")

// Own reports whether the signature is of our own scheme, and not that of a product.
func (h *HMAC) Own() bool { return h.scheme() == schemes()[0].name }

// Prover returns what adds the credential of these settings to a request, as a sender of the
// source would: for whoever has the configuration, to try the source with. The error is that
// the settings alone are no credential.
func (a Auth) Prover(body []byte, now time.Time) (func(*http.Request), error) {
	switch {
	case a.HMAC != nil && a.HMAC.Own():
		signature := httpx.Signature(a.HMAC.Secret, now, body)
		return func(r *http.Request) { r.Header.Set(SignatureHeader, signature) }, nil
	case a.HMAC != nil:
		stamp := now.UTC().Format(time.RFC3339)
		return func(r *http.Request) {
			r.Header.Set(falconTime, stamp)
			r.Header.Set(falconSignature, sumFalcon(a.HMAC.Secret, r.Header, now, body))
		}, nil
	case a.Bearer != "":
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+a.Bearer.Reveal()) }, nil
	case a.Basic != nil:
		return func(r *http.Request) { r.SetBasicAuth(a.Basic.User, a.Basic.Password.Reveal()) }, nil
	case a.Header != nil:
		return func(r *http.Request) { r.Header.Set(a.Header.Name, a.Header.Value.Reveal()) }, nil
	case a.URLToken != "":
		return func(r *http.Request) { r.URL.RawQuery = url.Values{"token": {a.URLToken.Reveal()}}.Encode() }, nil
	case a.MTLS != nil:
		return nil, fmt.Errorf("%w: it takes the sender's certificate and key", ErrCannotProve)
	}
	return nil, fmt.Errorf("%w: the source has no auth", ErrCannotProve)
}

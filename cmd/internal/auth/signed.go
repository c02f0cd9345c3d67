package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// SignatureHeader carries the signature of a signed request:
// t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "t.body">.
const SignatureHeader = "Stanch-Signature"

// The headers of a signed request of Falcon's webhooks. Those who verify them say: the
// first is the base64 of the HMAC-SHA256 of the body with the second, its time as
// RFC 3339, right behind it.
const (
	falconSignature = "X-Cs-Primary-Signature"
	falconTime      = "X-Cs-Delivery-Timestamp"
)

// Tolerance is how far the time of a signature may differ from the local clock.
const Tolerance = 5 * time.Minute

// signature is what a request has of one scheme.
type signature struct {
	at   time.Time
	sums []string
}

// scheme is a way to sign a request with a shared secret.
type scheme struct {
	name string
	// read finds a signature in the headers; false where there is none, or one that
	// cannot be read.
	read func(http.Header) (signature, bool)
	// sum is the signature of a body, as the headers give it.
	sum func(secret integrations.Secret, h http.Header, at time.Time, body []byte) string
}

func schemes() []scheme {
	return []scheme{
		{
			"stanch",
			func(h http.Header) (signature, bool) { return parseSignature(h.Get(SignatureHeader)) },
			func(secret integrations.Secret, _ http.Header, at time.Time, body []byte) string {
				return httpx.Sum(secret, at, body)
			},
		},
		{"crowdstrike", readFalcon, sumFalcon},
	}
}

// Signed reports whether a request has a signature with a current time, valid or
// not: only then should its body be read.
func Signed(r *http.Request, now time.Time) bool {
	for _, s := range schemes() {
		if got, ok := s.read(r.Header); ok && now.Sub(got.at).Abs() <= Tolerance {
			return true
		}
	}
	return false
}

// VerifySignature returns nil when the signature of a request for which [Signed]
// is true is valid at that time, and an error that wraps ErrDenied otherwise. Body is the
// whole body as it was received, and from the address of the sender, as in
// [Verifier.VerifyHeader].
func (v *Verifier) VerifySignature(r *http.Request, body []byte, from netip.Addr, now time.Time) error {
	valid := false
	for _, s := range schemes() {
		got, ok := s.read(r.Header)
		if !ok || now.Sub(got.at).Abs() > Tolerance {
			continue
		}
		right := false
		for _, secret := range []integrations.Secret{v.secrets.HMAC.Secret, v.secrets.Previous} {
			want := s.sum(secret, r.Header, got.at, body)
			for _, sum := range got.sums {
				right = same(sum, want) || right
			}
		}
		valid = valid || right && s.name == v.secrets.HMAC.scheme()
	}
	if !valid || v.auth.HMAC == nil {
		return denied("wrong signature")
	}
	return v.allowed(from)
}

// scheme is the name of the scheme; the first one where none is set.
func (h *HMAC) scheme() string {
	if h.Scheme == "" {
		return schemes()[0].name
	}
	return h.Scheme
}

// parseSignature reads t=…,v1=…; v1 may be repeated while a sender changes its
// secret.
func parseSignature(header string) (got signature, ok bool) {
	const most = 8
	for part := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "t":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || strconv.FormatInt(n, 10) != value {
				return signature{}, false
			}
			got.at = time.Unix(n, 0)
		case "v1":
			if len(got.sums) < most {
				got.sums = append(got.sums, strings.ToLower(value))
			}
		}
	}
	return got, !got.at.IsZero() && len(got.sums) > 0
}

func readFalcon(h http.Header) (signature, bool) {
	at, err := time.Parse(time.RFC3339, h.Get(falconTime))
	sum := h.Get(falconSignature)
	return signature{at, []string{sum}}, err == nil && sum != ""
}

// sumFalcon signs the time as it was sent. Behind the body it needs no mark between them:
// the beginning of no other time is the end of a body.
func sumFalcon(secret integrations.Secret, h http.Header, _ time.Time, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(body)
	mac.Write([]byte(h.Get(falconTime)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Package auth authenticates the senders of alert sources.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Auth is how the senders of a source authenticate. Exactly one method is set;
// with none, every request is refused.
type Auth struct {
	HMAC     *HMAC               `yaml:"hmac" doc:"The sender signs every request."`
	Bearer   integrations.Secret `yaml:"bearer" doc:"Authorization: Bearer with this token."`
	Basic    *Basic              `yaml:"basic" doc:"HTTP Basic with this user and password."`
	URLToken integrations.Secret `yaml:"url_token" doc:"The query parameter token; only for senders that cannot set headers, since URLs end up in logs."`
}

// HMAC is a shared secret with which the sender signs.
type HMAC struct {
	Secret integrations.Secret `yaml:"secret" doc:"The shared secret, 16 bytes or more."`
}

// Basic is a user and a password.
type Basic struct {
	User     string              `yaml:"user" doc:"The user."`
	Password integrations.Secret `yaml:"password" doc:"The password."`
}

// SignatureHeader carries the signature of a signed request:
// t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "t.body">.
const SignatureHeader = "Stanch-Signature"

// Tolerance is how far the time of a signature may differ from the local clock.
const Tolerance = 5 * time.Minute

const minSecret = 16

// ErrDenied is wrapped by every refusal. Its text is for the log, never for the
// sender, and has no secret.
var ErrDenied = errors.New("denied")

func denied(why string) error { return fmt.Errorf("%w: %s", ErrDenied, why) }

type method struct {
	setting, doc string
	set          func(Auth) bool
	// check authenticates a request by its headers; nil where the body is part of
	// the proof.
	check func(*Verifier, *http.Request) error
}

// methods lists the methods, for the configuration, the check and the
// documentation.
func methods() []method {
	return []method{
		{
			"hmac: { secret_file: … }",
			"the header `" + SignatureHeader + ": t=<seconds since 1970>,v1=<hex>`, where hex is the HMAC-SHA256 of `<t>.<body>`; t may be 5 minutes off. Within that time the same request can come again: its alerts are repeats then, which change nothing.",
			func(a Auth) bool { return a.HMAC != nil },
			nil,
		},
		{
			"bearer_file: …",
			"the header `Authorization: Bearer <token>`.",
			func(a Auth) bool { return a.Bearer != "" },
			(*Verifier).bearer,
		},
		{
			"basic: { user: …, password_file: … }",
			"HTTP Basic authentication.",
			func(a Auth) bool { return a.Basic != nil },
			(*Verifier).basic,
		},
		{
			"url_token_file: …",
			"the query parameter `token`. URLs end up in logs of proxies and senders: use it only where headers cannot be set.",
			func(a Auth) bool { return a.URLToken != "" },
			(*Verifier).urlToken,
		},
	}
}

// Verifier checks the requests of one source. It is safe for concurrent use.
//
// Of a signed request the time must be within Tolerance. Within that it can be
// replayed by anyone who has recorded it. That is harmless without a cache of
// signatures: its alerts are recognised by occurrence and content, also after a
// restart, and a repeat changes nothing; see workflows.RetryWithin.
type Verifier struct {
	auth   Auth
	method *method
	// secrets are the values to compare with: random ones for methods that are
	// not configured, so that every request takes the same time.
	secrets Auth
}

// Nobody returns a verifier that refuses every request.
func Nobody() *Verifier { return &Verifier{secrets: Auth{}.unguessable()} }

// unguessable fills in random secrets for methods that are not configured.
func (a Auth) unguessable() Auth {
	secret := func() integrations.Secret { return integrations.Secret(rand.Text()) }
	if a.HMAC == nil {
		a.HMAC = &HMAC{Secret: secret()}
	}
	if a.Basic == nil {
		a.Basic = &Basic{User: rand.Text(), Password: secret()}
	}
	if a.Bearer == "" {
		a.Bearer = secret()
	}
	if a.URLToken == "" {
		a.URLToken = secret()
	}
	return a
}

// Verifier checks the settings and returns a verifier.
func (a Auth) Verifier() (*Verifier, error) {
	v := &Verifier{auth: a, secrets: a.unguessable()}
	var set []string
	for _, m := range methods() {
		if m.set(a) {
			v.method = &m
			name, _, _ := strings.Cut(m.setting, ":")
			set = append(set, strings.TrimSuffix(name, "_file"))
		}
	}
	switch {
	case len(set) > 1:
		return nil, fmt.Errorf("auth has %s: keep one", strings.Join(set, " and "))
	case a.HMAC != nil && len(a.HMAC.Secret) < minSecret:
		return nil, fmt.Errorf("auth.hmac.secret is shorter than %d bytes", minSecret)
	case a.Basic != nil && (a.Basic.User == "" || a.Basic.Password == ""):
		return nil, errors.New("auth.basic needs user and password")
	}
	return v, nil
}

// VerifyHeader returns nil when a request is authenticated by its headers, and an
// error that wraps ErrDenied otherwise, also for a signed one, as the body is
// part of the proof. All methods are tried, so that the time does not reveal
// which is configured.
func (v *Verifier) VerifyHeader(r *http.Request) error {
	err := denied("the source has no auth configured")
	if v.method != nil {
		err = denied("no " + SignatureHeader + " of the form t=…,v1=…, or its time is off")
	}
	for _, m := range methods() {
		if m.check == nil {
			continue
		}
		if checked := m.check(v, r); v.method != nil && v.method.setting == m.setting {
			err = checked
		}
	}
	return err
}

// Signed reports whether a request has a signature with a current time, valid or
// not: only then should its body be read.
func Signed(r *http.Request, now time.Time) bool {
	stamp, _, ok := parseSignature(r.Header.Get(SignatureHeader))
	return ok && now.Sub(stamp).Abs() <= Tolerance
}

// VerifySignature returns nil when the signature of a request for which [Signed]
// is true is valid, and an error that wraps ErrDenied otherwise. Body is the
// whole body as it was received.
func (v *Verifier) VerifySignature(r *http.Request, body []byte) error {
	stamp, sums, _ := parseSignature(r.Header.Get(SignatureHeader))
	want := httpx.Sum(v.secrets.HMAC.Secret, stamp, body)
	valid := false
	for _, sum := range sums {
		valid = same(sum, want) || valid
	}
	if !valid || v.auth.HMAC == nil {
		return denied("wrong signature")
	}
	return nil
}

func (v *Verifier) bearer(r *http.Request) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	right := same(strings.TrimSpace(token), v.secrets.Bearer.Reveal())
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return denied("no bearer token")
	case !right:
		return denied("wrong bearer token")
	}
	return nil
}

func (v *Verifier) basic(r *http.Request) error {
	user, password, ok := r.BasicAuth()
	userOK, passwordOK := same(user, v.secrets.Basic.User), same(password, v.secrets.Basic.Password.Reveal())
	switch {
	case !ok:
		return denied("no basic credentials")
	case !userOK || !passwordOK:
		return denied("wrong user or password")
	}
	return nil
}

func (v *Verifier) urlToken(r *http.Request) error {
	if !same(r.URL.Query().Get("token"), v.secrets.URLToken.Reveal()) {
		return denied("no or wrong url token")
	}
	return nil
}

// same compares in a time that depends neither on how much is equal nor on the
// length of the secret. An empty secret equals nothing.
func same(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && secret != ""
}

// parseSignature reads t=…,v1=…; v1 may be repeated while a sender changes its
// secret.
func parseSignature(header string) (stamp time.Time, sums []string, ok bool) {
	const most = 8
	for part := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "t":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || strconv.FormatInt(n, 10) != value {
				return time.Time{}, nil, false
			}
			stamp = time.Unix(n, 0)
		case "v1":
			if len(sums) < most {
				sums = append(sums, strings.ToLower(value))
			}
		}
	}
	return stamp, sums, !stamp.IsZero() && len(sums) > 0
}

// Reference lists the methods of authentication, as rows of a table: the setting
// and the sender's credential.
func Reference() [][2]string {
	var rows [][2]string
	for _, m := range methods() {
		rows = append(rows, [2]string{m.setting, m.doc})
	}
	return rows
}

package alerts

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Auth says how the senders of a source prove themselves. Exactly one way is
// set; with none, every request is refused.
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

// Tolerance is how far the time of a signature may be from ours.
const Tolerance = 5 * time.Minute

const minSecret = 16

// ErrDenied is behind every refusal. Its text is for our log, never for the
// sender, and holds no secret.
var ErrDenied = errors.New("denied")

// ErrRepeated is returned for a signed request that was accepted before. The
// receiver answers it as the first one and does nothing.
var ErrRepeated = errors.New("this signed request was accepted before")

func denied(why string) error { return fmt.Errorf("%w: %s", ErrDenied, why) }

type method struct {
	setting, doc string
	set          func(Auth) bool
	check        func(*Verifier, *http.Request, []byte, time.Time) error
}

// methods lists the ways; the configuration, the check and the documentation
// all read it.
func methods() []method {
	return []method{
		{
			"hmac: { secret_file: … }",
			"the header `" + SignatureHeader + ": t=<seconds since 1970>,v1=<hex>`, where hex is the HMAC-SHA256 of `<t>.<body>`; t may be 5 minutes off. A request that was accepted is not taken twice: the same signature again is answered, and has no effect.",
			func(a Auth) bool { return a.HMAC != nil },
			(*Verifier).signed,
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
// A signed request is safe against replay in two ways. Its time must be within
// Tolerance, and once [Verifier.Accepted] was called for it, the same signature
// gives ErrRepeated. Only accepted requests are remembered: a sender whose
// request failed on our side, or who sends the very same bytes again while the
// first is under way, is let through, which is harmless because an alert is
// known by its id, and needed because a refusal would lose the alert. A sender
// that lost our answer gets it again. The memory does not survive a restart;
// for what is left of the five minutes the alert's id alone protects.
type Verifier struct {
	auth   Auth
	method *method

	mu   sync.Mutex
	seen map[string]struct{}
	// queue holds the same signatures, oldest first.
	queue []signature
}

type signature struct {
	sum     string
	expires time.Time
}

// maxSeen bounds the memory of accepted signatures. Only holders of the secret
// can fill it.
const maxSeen = 100_000

// Verifier checks the settings and returns a verifier.
func (a Auth) Verifier() (*Verifier, error) {
	v := &Verifier{auth: a, seen: map[string]struct{}{}}
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

// Verify returns nil when the request may be processed, ErrRepeated when it
// was already, and an error that wraps ErrDenied otherwise. Body is the whole
// body as it came.
func (v *Verifier) Verify(r *http.Request, body []byte, now time.Time) error {
	if v.method == nil {
		return denied("the source has no auth configured")
	}
	return v.method.check(v, r, body, now)
}

func (v *Verifier) bearer(r *http.Request, _ []byte, _ time.Time) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return denied("no bearer token")
	}
	if !same(strings.TrimSpace(token), v.auth.Bearer.Reveal()) {
		return denied("wrong bearer token")
	}
	return nil
}

func (v *Verifier) basic(r *http.Request, _ []byte, _ time.Time) error {
	user, password, ok := r.BasicAuth()
	if !ok {
		return denied("no basic credentials")
	}
	userOK, passwordOK := same(user, v.auth.Basic.User), same(password, v.auth.Basic.Password.Reveal())
	if !userOK || !passwordOK {
		return denied("wrong user or password")
	}
	return nil
}

func (v *Verifier) urlToken(r *http.Request, _ []byte, _ time.Time) error {
	if !same(r.URL.Query().Get("token"), v.auth.URLToken.Reveal()) {
		return denied("no or wrong url token")
	}
	return nil
}

// same compares without telling by its time how much is equal, or how long the
// secret is. An empty secret is never the same as anything.
func same(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && secret != ""
}

func (v *Verifier) signed(r *http.Request, body []byte, now time.Time) error {
	stamp, sums, ok := parseSignature(r.Header.Get(SignatureHeader))
	if !ok {
		return denied("no " + SignatureHeader + " of the form t=…,v1=…")
	}
	want := httpx.Sum(v.auth.HMAC.Secret, stamp, body)
	valid := false
	for _, sum := range sums {
		valid = same(sum, want) || valid
	}
	if !valid {
		return denied("wrong signature")
	}
	if off := now.Sub(stamp).Abs(); off > Tolerance {
		return denied(fmt.Sprintf("the signature's time is %s off", off.Round(time.Second)))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, repeated := v.seen[want]; repeated {
		return ErrRepeated
	}
	return nil
}

// Accepted remembers a verified request, once what it holds is durable.
func (v *Verifier) Accepted(r *http.Request, body []byte, now time.Time) {
	if v.auth.HMAC == nil {
		return
	}
	stamp, _, ok := parseSignature(r.Header.Get(SignatureHeader))
	if !ok {
		return
	}
	sum := httpx.Sum(v.auth.HMAC.Secret, stamp, body)
	v.mu.Lock()
	defer v.mu.Unlock()
	for len(v.queue) > 0 && (now.After(v.queue[0].expires) || len(v.queue) >= maxSeen) {
		delete(v.seen, v.queue[0].sum)
		v.queue = v.queue[1:]
	}
	if _, known := v.seen[sum]; !known {
		v.seen[sum] = struct{}{}
		v.queue = append(v.queue, signature{sum, stamp.Add(Tolerance)})
	}
}

// parseSignature reads t=…,v1=…; v1 may stand there more than once while a
// sender changes its secret.
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

// Package auth authenticates the senders of alert sources.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Auth is how the senders of a source authenticate. Exactly one method is set;
// with none, every request is refused.
type Auth struct {
	HMAC      *HMAC               `yaml:"hmac" doc:"The sender signs every request."`
	Bearer    integrations.Secret `yaml:"bearer" doc:"Authorization: Bearer with this token."`
	Basic     *Basic              `yaml:"basic" doc:"HTTP Basic with this user and password."`
	Header    *Header             `yaml:"header" doc:"A key in a header of its own."`
	MTLS      *MTLS               `yaml:"mtls" doc:"A client certificate, at the address of tls."`
	URLToken  integrations.Secret `yaml:"url_token" doc:"The query parameter token; only for senders that cannot set headers, and only with addresses, since URLs end up in logs."`
	Previous  integrations.Secret `yaml:"previous" doc:"The secret, token, password or key that is taken beside the one of the method, while senders change from it to the new one."`
	Addresses []string            `yaml:"addresses" as:"list of addresses and networks" doc:"Where requests may come from, in addition to the method. None: anywhere. Behind a proxy it is the proxy's address that counts, unless trusted_proxies names it."`
}

// HMAC is a shared secret with which the sender signs.
type HMAC struct {
	Secret integrations.Secret `yaml:"secret" doc:"The shared secret, 16 bytes or more."`
	Scheme string              `yaml:"scheme" enum:"stanch,crowdstrike" default:"stanch" doc:"What is signed, and in which headers the signature is."`
}

// Basic is a user and a password.
type Basic struct {
	User     string              `yaml:"user" doc:"The user."`
	Password integrations.Secret `yaml:"password" doc:"The password."`
}

// Header is a key in a header of a name that the sender's product gives or lets choose.
type Header struct {
	Name  string              `yaml:"name" doc:"The header, such as X-Api-Key."`
	Value integrations.Secret `yaml:"value" doc:"All of its value."`
}

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
			"the header `" + SignatureHeader + ": t=<seconds since 1970>,v1=<hex>`, where hex is the HMAC-SHA256 of `<t>.<body>`; t may be 5 minutes off. Within that time the same request can come again: its alerts are repeats then, which change nothing. With `scheme: crowdstrike` it is what a Falcon webhook sends: `" + falconSignature + "` with the HMAC-SHA256 of the body and the time, in base64, and the time itself in `" + falconTime + "`.",
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
			"header: { name: X-Api-Key, value_file: … }",
			"the header of that name with that value, as API destinations of AWS and HTTP actions of Logic Apps send one.",
			func(a Auth) bool { return a.Header != nil },
			(*Verifier).header,
		},
		{
			"mtls: { ca: …, names: [ … ] }",
			"a client certificate, at the address of `tls`: signed by one of the authorities in the file `ca`, with a subject common name or an alternative name that is exactly one of `names`, or the SHA-256 of which is one of `sha256`.",
			func(a Auth) bool { return a.MTLS != nil },
			(*Verifier).certificate,
		},
		{
			"url_token_file: …",
			"the query parameter `token`, from one of `addresses`, which it needs. URLs end up in logs of proxies and senders: use it only where headers cannot be set.",
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
	// addresses are where requests may come from; none means anywhere.
	addresses []netip.Prefix
	clients   clients
}

// Nobody returns a verifier that refuses every request. Together with it the
// verifiers of all sources do the same work for each request: the time does not
// tell whose certificates are taken. It must be called before they are used.
func Nobody(all ...*Verifier) *Verifier {
	nobody := &Verifier{secrets: Auth{}.unguessable()}
	share(append(all, nobody))
	return nobody
}

// unguessable fills in random secrets for methods that are not configured.
func (a Auth) unguessable() Auth {
	secret := func() integrations.Secret { return integrations.Secret(rand.Text()) }
	if a.HMAC == nil {
		a.HMAC = &HMAC{Secret: secret()}
	}
	if a.Basic == nil {
		a.Basic = &Basic{User: rand.Text(), Password: secret()}
	}
	if a.Header == nil {
		a.Header = &Header{Name: rand.Text(), Value: secret()}
	}
	if a.Bearer == "" {
		a.Bearer = secret()
	}
	if a.URLToken == "" {
		a.URLToken = secret()
	}
	if a.Previous == "" {
		a.Previous = secret()
	}
	return a
}

// Verifier checks the settings, reads the files of certificates that they name, and
// returns a verifier.
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
	if len(set) > 1 {
		return nil, fmt.Errorf("auth has %s: keep one", strings.Join(set, " and "))
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	for i, text := range a.Addresses {
		n, err := incident.NetworkOf(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("auth.addresses: entry %d is neither an address nor a network: write it like 10.1.0.5 or 10.1.0.0/24", i+1)
		case n.Bits() == 0:
			return nil, fmt.Errorf("auth.addresses: entry %d is every address: name those of the sender", i+1)
		}
		v.addresses = append(v.addresses, n)
	}
	var err error
	v.clients, err = a.MTLS.read()
	return v, err
}

// check finds faults of the settings of the method.
func (a Auth) check() error {
	switch {
	case a.HMAC != nil && len(a.HMAC.Secret) < minSecret:
		return fmt.Errorf("auth.hmac.secret is shorter than %d bytes", minSecret)
	case a.HMAC != nil && a.Previous != "" && len(a.Previous) < minSecret:
		return fmt.Errorf("auth.previous is shorter than %d bytes", minSecret)
	case a.Basic != nil && (a.Basic.User == "" || a.Basic.Password == ""):
		return errors.New("auth.basic needs user and password")
	case a.Header != nil && (a.Header.Name == "" || a.Header.Value == ""):
		return errors.New("auth.header needs name and value")
	case a.Header != nil && !sendable(a.Header.Name):
		return errors.New("auth.header.name is not the name of a header that a sender can choose, such as X-Api-Key")
	case a.URLToken != "" && len(a.Addresses) == 0:
		return errors.New("auth.url_token needs auth.addresses, the addresses or networks of the sender: a token in a URL ends up in logs, and whoever reads one could send alerts")
	case a.Previous != "" && (!a.Configured() || a.MTLS != nil):
		return errors.New("auth.previous goes with a method that has a secret: hmac, bearer, basic, header or url_token")
	}
	return nil
}

// Configured reports whether any method is set.
func (a Auth) Configured() bool {
	return slices.ContainsFunc(methods(), func(m method) bool { return m.set(a) })
}

// sendable reports whether a header of that name reaches the receiver as the sender
// wrote it: it is a token, and none that HTTP or a proxy uses for itself.
func sendable(name string) bool {
	token := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !token(r) }) {
		return false
	}
	return !slices.Contains([]string{
		"host", "connection", "content-length", "content-encoding", "content-type", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "expect",
		"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "date", "user-agent", "traceparent", "tracestate",
		strings.ToLower(SignatureHeader), strings.ToLower(falconSignature), strings.ToLower(falconTime),
	}, strings.ToLower(name))
}

// VerifyHeader returns nil when a request is authenticated by its headers, and an
// error that wraps ErrDenied otherwise, also for a signed one, as the body is
// part of the proof. From is the address of the sender; one that is not valid is
// none of those that a source lists. All methods are tried, so that the time does
// not reveal which is configured.
func (v *Verifier) VerifyHeader(r *http.Request, from netip.Addr) error {
	err := denied("the source has no auth configured")
	if v.method != nil {
		err = denied("no signature of the scheme, or its time is off")
	}
	for _, m := range methods() {
		if m.check == nil {
			continue
		}
		if checked := m.check(v, r); v.method != nil && v.method.setting == m.setting {
			err = checked
		}
	}
	if err == nil {
		err = v.allowed(from)
	}
	return err
}

// allowed returns nil for an address from which the source takes requests.
func (v *Verifier) allowed(from netip.Addr) error {
	from = from.Unmap().WithZone("")
	inside := func(n netip.Prefix) bool { return n.Contains(from) }
	if len(v.addresses) > 0 && !slices.ContainsFunc(v.addresses, inside) {
		return denied("the credential is right, and the address of the sender is none of auth.addresses")
	}
	return nil
}

func (v *Verifier) bearer(r *http.Request) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	right := v.either(strings.TrimSpace(token), v.secrets.Bearer)
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
	userOK, passwordOK := same(user, v.secrets.Basic.User), v.either(password, v.secrets.Basic.Password)
	switch {
	case !ok:
		return denied("no basic credentials")
	case !userOK || !passwordOK:
		return denied("wrong user or password")
	}
	return nil
}

func (v *Verifier) header(r *http.Request) error {
	if !v.either(r.Header.Get(v.secrets.Header.Name), v.secrets.Header.Value) {
		return denied("no or wrong key in the header")
	}
	return nil
}

func (v *Verifier) urlToken(r *http.Request) error {
	if !v.either(r.URL.Query().Get("token"), v.secrets.URLToken) {
		return denied("no or wrong url token")
	}
	return nil
}

// either compares with a secret, and with the one that it takes the place of. Both are
// always compared.
func (v *Verifier) either(given string, secret integrations.Secret) bool {
	now, before := same(given, secret.Reveal()), same(given, v.secrets.Previous.Reveal())
	return now || before
}

// same compares in a time that depends neither on how much is equal nor on the
// length of the secret. An empty secret equals nothing.
func same(given, secret string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && secret != ""
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

package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const old = "the-secret-of-last-quarter"

// A key in a header is taken from the header of that name alone.
func TestAKeyInAHeader(t *testing.T) {
	v := verifier(t, Auth{Header: &Header{Name: "X-Api-Key", Value: secret}})
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"X-Api-Key", secret, true},
		{"x-api-key", secret, true},
		{"X-Api-Key", "Bearer " + secret, false},
		{"X-Api-Key", secret[1:], false},
		{"X-Api-Key", "", false},
		{"X-Api-Keys", secret, false},
		{"Authorization", "Bearer " + secret, false},
		{"", "", false},
	} {
		err := verify(v, request(t, "/", c.name, c.value), nil, now())
		if c.ok != (err == nil) || err != nil && (!errors.Is(err, ErrDenied) || strings.Contains(err.Error(), secret)) {
			t.Errorf("%s: %s: %v", c.name, c.value, err)
		}
	}
	twice := request(t, "/", "X-Api-Key", "wrong")
	twice.Header.Add("X-Api-Key", secret)
	if err := verify(v, twice, nil, now()); !errors.Is(err, ErrDenied) {
		t.Errorf("the second of two headers is taken: %v", err)
	}
	for _, name := range []string{"", "X Api", "X-Api:", "Host", "content-encoding", "X-Forwarded-For", SignatureHeader, "x-cs-primary-signature"} {
		if _, err := (Auth{Header: &Header{Name: name, Value: secret}}).Verifier(); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("header %q: %v", name, err)
		}
	}
	if _, err := (Auth{Header: &Header{Name: "X-Api-Key"}}).Verifier(); err == nil {
		t.Error("a header without a key is taken")
	}
}

// While a secret is changed, both are taken, and neither in another place.
func TestTwoSecretsWhileOneIsChanged(t *testing.T) {
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for name, c := range map[string]struct {
		auth Auth
		with func(secret string) *http.Request
	}{
		"bearer": {Auth{Bearer: secret}, func(s string) *http.Request { return request(t, "/", "Authorization", "Bearer "+s) }},
		"basic": {Auth{Basic: &Basic{User: "siem", Password: secret}}, func(s string) *http.Request {
			return request(t, "/", "Authorization", basic("siem", s))
		}},
		"header": {Auth{Header: &Header{Name: "X-Key", Value: secret}}, func(s string) *http.Request { return request(t, "/", "X-Key", s) }},
		"url": {Auth{URLToken: secret, Addresses: []string{inside}}, func(s string) *http.Request {
			return request(t, "/?token="+s, "", "")
		}},
		"hmac": {Auth{HMAC: &HMAC{Secret: secret}}, func(s string) *http.Request {
			return request(t, "/", SignatureHeader, httpx.Signature(integrations.Secret(s), now(), []byte("body")))
		}},
	} {
		check := func(a Auth, with string, want bool) {
			t.Helper()
			if err := verify(verifier(t, a), c.with(with), []byte("body"), now()); (err == nil) != want {
				t.Errorf("%s: with %q: %v, want taken %t", name, with, err, want)
			}
		}
		check(c.auth, secret, true)
		check(c.auth, old, false)
		check(c.auth, "", false)
		both := c.auth
		both.Previous = old
		check(both, secret, true)
		check(both, old, true)
		check(both, old+secret, false)
		check(both, "", false)
	}
	user := verifier(t, Auth{Basic: &Basic{User: "siem", Password: secret}, Previous: old})
	if err := verify(user, request(t, "/", "Authorization", basic(old, old)), nil, now()); err == nil {
		t.Error("the previous password is taken as the user")
	}
	for want, a := range map[string]Auth{
		"goes with a method":       {Previous: old},
		"shorter than 16 bytes":    {HMAC: &HMAC{Secret: secret}, Previous: "short"},
		"goes with a method that ": {MTLS: &MTLS{}, Previous: old},
	} {
		if _, err := a.Verifier(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A right credential from another address is refused, by every method.
func TestAddressesOfASource(t *testing.T) {
	signed := httpx.Signature(secret, now(), []byte("body"))
	for name, c := range map[string]struct {
		auth Auth
		req  *http.Request
	}{
		"bearer": {Auth{Bearer: secret}, request(t, "/", "Authorization", "Bearer "+secret)},
		"header": {Auth{Header: &Header{Name: "X-Key", Value: secret}}, request(t, "/", "X-Key", secret)},
		"url":    {Auth{URLToken: secret}, request(t, "/?token="+secret, "", "")},
		"hmac":   {Auth{HMAC: &HMAC{Secret: secret}}, request(t, "/", SignatureHeader, signed)},
	} {
		c.auth.Addresses = []string{"192.0.2.0/28", "198.51.100.7", "2001:db8:7::/48"}
		v := verifier(t, c.auth)
		for from, want := range map[string]bool{
			"192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.2.16": false, "198.51.100.7": true, "198.51.100.8": false,
			"2001:db8:7::1": true, "2001:db8:8::1": false, "127.0.0.1": false, "": false,
		} {
			address, err := netip.ParseAddr(from)
			if (err == nil) != (from != "") {
				t.Fatal(err)
			}
			if err = v.VerifyHeader(c.req, address); err != nil && Signed(c.req, now()) {
				err = v.VerifySignature(c.req, []byte("body"), address, now())
			}
			if want != (err == nil) || err != nil && !errors.Is(err, ErrDenied) {
				t.Errorf("%s from %q: %v", name, from, err)
			}
		}
	}
	for want, a := range map[string]Auth{
		"auth.url_token needs auth.addresses":                     {URLToken: secret},
		"auth.addresses: entry 2 is every address":                {URLToken: secret, Addresses: []string{inside, "0.0.0.0/0"}},
		"auth.addresses: entry 1 is every address":                {Bearer: secret, Addresses: []string{"::/0"}},
		"auth.addresses: entry 1 is neither an address nor a net": {Bearer: secret, Addresses: []string{secret}},
	} {
		if _, err := a.Verifier(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// The signature of a Falcon webhook is that of:
// printf '%s' '{"a":1}2026-03-01T04:00:00Z' | openssl dgst -sha256 -hmac correct-horse-battery-staple -binary | base64
func TestTheSignatureOfFalcon(t *testing.T) {
	const body, right = `{"a":1}`, "DiyhjWw1ao9PmJGY0n1mmNmdY5ip8Oz8HjhkD7tG4Fs="
	falcon := func(at, sum string) *http.Request {
		r := request(t, "/", falconTime, at)
		r.Header.Set(falconSignature, sum)
		return r
	}
	v := verifier(t, Auth{HMAC: &HMAC{Secret: secret, Scheme: "crowdstrike"}})
	stamp := now().Format(time.RFC3339)
	if err := verify(v, falcon(stamp, right), []byte(body), now().Add(Tolerance)); err != nil {
		t.Errorf("refused: %v", err)
	}
	ours := verifier(t, Auth{HMAC: &HMAC{Secret: secret}})
	for name, err := range map[string]error{
		"another body":            verify(v, falcon(stamp, right), []byte(body+" "), now()),
		"another time":            verify(v, falcon("2026-03-01T04:00:01Z", right), []byte(body), now()),
		"too late":                verify(v, falcon(stamp, right), []byte(body), now().Add(Tolerance+time.Second)),
		"no time":                 verify(v, falcon("", right), []byte(body), now()),
		"milliseconds":            verify(v, falcon("1772337600000", right), []byte(body), now()),
		"no sum":                  verify(v, falcon(stamp, ""), []byte(body), now()),
		"in hex":                  verify(v, falcon(stamp, httpx.Sum(secret, now(), []byte(body))), []byte(body), now()),
		"our scheme":              verify(v, request(t, "/", SignatureHeader, httpx.Signature(secret, now(), []byte(body))), []byte(body), now()),
		"to a source of ours":     verify(ours, falcon(stamp, right), []byte(body), now()),
		"to another method":       verify(verifier(t, Auth{Bearer: secret}), falcon(stamp, right), []byte(body), now()),
		"the end of it as a time": verify(v, falcon("2026-03-01T04:00:00", right), []byte(body), now()),
	} {
		if !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One signature of each scheme: the one that the source has not does not carry the other's time.
	both := falcon(stamp, right)
	both.Header.Set(SignatureHeader, httpx.Signature(secret, now().Add(time.Hour), []byte(body)))
	if err := verify(v, both, []byte(body), now().Add(time.Hour)); !errors.Is(err, ErrDenied) {
		t.Errorf("an old signature is taken beside the time of a new one: %v", err)
	}
}

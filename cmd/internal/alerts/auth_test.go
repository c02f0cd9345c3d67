package alerts

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

const secret = "correct-horse-battery-staple"

func request(t *testing.T, url, header, value string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(""))
	if header != "" {
		r.Header.Set(header, value)
	}
	return r
}

func verifier(t *testing.T, a Auth) *Verifier {
	t.Helper()
	v, err := a.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func signatureOf(at time.Time, body string) string {
	return httpx.Signature(secret, at, []byte(body))
}

func TestVerify(t *testing.T) {
	bearer := Auth{Bearer: secret}
	basic := Auth{Basic: &Basic{User: "siem", Password: secret}}
	signed := Auth{HMAC: &HMAC{Secret: secret}}
	url := Auth{URLToken: secret}
	basicHeader := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	for _, c := range []struct {
		name               string
		auth               Auth
		url, header, value string
		ok                 bool
	}{
		{"nothing configured", Auth{}, "/", "Authorization", "Bearer ", false},
		{"bearer", bearer, "/", "Authorization", "Bearer " + secret, true},
		{"bearer in lower case", bearer, "/", "Authorization", "bearer " + secret, true},
		{"bearer absent", bearer, "/", "", "", false},
		{"bearer empty", bearer, "/", "Authorization", "Bearer ", false},
		{"bearer longer", bearer, "/", "Authorization", "Bearer " + secret + "x", false},
		{"bearer in the url", bearer, "/?token=" + secret, "", "", false},
		{"basic", basic, "/", "Authorization", basicHeader("siem:" + secret), true},
		{"basic wrong user", basic, "/", "Authorization", basicHeader("root:" + secret), false},
		{"basic wrong password", basic, "/", "Authorization", basicHeader("siem:"), false},
		{"basic absent", basic, "/", "", "", false},
		{"url token", url, "/?token=" + secret, "", "", true},
		{"url token wrong", url, "/?token=x", "", "", false},
		{"url token absent", url, "/", "", "", false},
		{"signed", signed, "/", SignatureHeader, signatureOf(now(), "body"), true},
		{"signed with an old and a new secret", signed, "/", SignatureHeader, "v1=00," + signatureOf(now(), "body"), true},
		{"signed a little early", signed, "/", SignatureHeader, signatureOf(now().Add(Tolerance), "body"), true},
		{"signed too early", signed, "/", SignatureHeader, signatureOf(now().Add(Tolerance+time.Second), "body"), false},
		{"signed too late", signed, "/", SignatureHeader, signatureOf(now().Add(-Tolerance-time.Second), "body"), false},
		{"signed another body", signed, "/", SignatureHeader, signatureOf(now(), "bodY"), false},
		{"signed another time", signed, "/", SignatureHeader, strings.Replace(signatureOf(now(), "body"), "t=1", "t=2", 1), false},
		{"signed without time", signed, "/", SignatureHeader, "v1=" + httpx.Sum(secret, now(), []byte("body")), false},
		{"signed without sum", signed, "/", SignatureHeader, fmt.Sprintf("t=%d,v1=", now().Unix()), false},
		{"signed absent", signed, "/", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := verifier(t, c.auth).Verify(request(t, c.url, c.header, c.value), []byte("body"), now())
			switch {
			case c.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !c.ok && !errors.Is(err, ErrDenied):
				t.Errorf("error %v, want a refusal", err)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// The same signed bytes have one effect: before the first is accepted they may
// be tried again, afterwards they are known, and later they are refused.
func TestReplay(t *testing.T) {
	v := verifier(t, Auth{HMAC: &HMAC{Secret: secret}})
	body := []byte("body")
	r := request(t, "/", SignatureHeader, signatureOf(now(), "body"))
	verify := func(r *http.Request, at time.Time) error { return v.Verify(r, body, at) }

	if err := verify(r, now()); err != nil {
		t.Fatalf("first: %v", err)
	}
	if err := verify(r, now()); err != nil {
		t.Fatalf("again, because the first was not accepted: %v", err)
	}
	v.Accepted(r, body, now())
	v.Accepted(r, body, now())
	if err := verify(r, now().Add(time.Second)); !errors.Is(err, ErrRepeated) {
		t.Errorf("again, after the first was accepted: %v", err)
	}
	dressed := request(t, "/", SignatureHeader, "v1=00,"+signatureOf(now(), "body"))
	if err := verify(dressed, now()); !errors.Is(err, ErrRepeated) {
		t.Errorf("the same signature in another header: %v", err)
	}
	if err := verify(request(t, "/", SignatureHeader, signatureOf(now().Add(time.Second), "body")), now()); err != nil {
		t.Errorf("the same alert, signed again: %v", err)
	}
	if err := verify(r, now().Add(Tolerance+time.Second)); !errors.Is(err, ErrDenied) {
		t.Errorf("much later: %v", err)
	}
}

func TestReplayMemoryIsBounded(t *testing.T) {
	v := verifier(t, Auth{HMAC: &HMAC{Secret: secret}})
	accept := func(at time.Time) {
		v.Accepted(request(t, "/", SignatureHeader, signatureOf(at, "body")), []byte("body"), at)
	}
	for i := range 400 {
		accept(now().Add(time.Duration(i) * time.Second))
	}
	// What is older than the tolerance cannot come again.
	if want := int(Tolerance/time.Second) + 1; len(v.seen) != want || len(v.queue) != want {
		t.Errorf("remembers %d and %d signatures, want %d", len(v.seen), len(v.queue), want)
	}
	for i := range maxSeen + 10 {
		body := fmt.Sprint(i)
		v.Accepted(request(t, "/", SignatureHeader, signatureOf(now(), body)), []byte(body), now())
	}
	if len(v.seen) != maxSeen || len(v.queue) != maxSeen {
		t.Errorf("remembers %d and %d signatures, want %d", len(v.seen), len(v.queue), maxSeen)
	}
}

func TestAuthSettings(t *testing.T) {
	for want, a := range map[string]Auth{
		"auth has bearer and basic: keep one":       {Bearer: "x", Basic: &Basic{"u", "p"}},
		"auth.hmac.secret is shorter than 16 bytes": {HMAC: &HMAC{Secret: "short"}},
		"auth.basic needs user and password":        {Basic: &Basic{User: "u"}},
		"auth has hmac and url_token: keep one":     {HMAC: &HMAC{}, URLToken: "x"},
	} {
		if _, err := a.Verifier(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func FuzzSignature(f *testing.F) {
	f.Add("t=1772337600,v1=00")
	f.Add(",,t=,v1")
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{SignatureHeader: {header}}, Body: io.NopCloser(strings.NewReader(""))}
		if err := verifier(t, Auth{HMAC: &HMAC{Secret: secret}}).Verify(r, nil, now()); !errors.Is(err, ErrDenied) {
			t.Errorf("%q: %v", header, err)
		}
	})
}

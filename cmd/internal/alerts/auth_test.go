package alerts

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// verify checks a request as the receiver does.
func verify(v *Verifier, r *http.Request, body []byte, at time.Time) error {
	err := v.VerifyHeader(r)
	if err == nil || !Signed(r, at) {
		return err
	}
	return v.VerifySignature(r, body)
}

func signatureOf(at time.Time, body string) string {
	return httpx.Signature(secret, at, []byte(body))
}

func TestVerify(t *testing.T) {
	bearer := Auth{Bearer: secret}
	basic := Auth{Basic: &Basic{User: "siem", Password: secret}}
	signed := Auth{HMAC: &HMAC{Secret: secret}}
	inURL := Auth{URLToken: secret}
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
		{"url token", inURL, "/?token=" + secret, "", "", true},
		{"url token wrong", inURL, "/?token=x", "", "", false},
		{"url token absent", inURL, "/", "", "", false},
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
			err := verify(verifier(t, c.auth), request(t, c.url, c.header, c.value), []byte("body"), now())
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

// A source that is not configured lets nobody in, whatever is sent.
func TestNobody(t *testing.T) {
	for _, header := range []string{"", "Bearer ", "Bearer " + secret, "Basic Og==", "Basic " + base64.StdEncoding.EncodeToString([]byte(":"))} {
		r := request(t, "/?token=", "Authorization", header)
		r.Header.Set(SignatureHeader, httpx.Signature("", now(), []byte("body")))
		for _, v := range []*Verifier{Nobody(), verifier(t, Auth{})} {
			if err := verify(v, r, []byte("body"), now()); !errors.Is(err, ErrDenied) {
				t.Errorf("%q: %v", header, err)
			}
		}
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
		r := &http.Request{URL: &url.URL{}, Header: http.Header{SignatureHeader: {header}}, Body: http.NoBody}
		if err := verify(verifier(t, Auth{HMAC: &HMAC{Secret: secret}}), r, nil, now()); !errors.Is(err, ErrDenied) {
			t.Errorf("%q: %v", header, err)
		}
	})
}

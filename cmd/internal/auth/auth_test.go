package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

func now() time.Time { return time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC) }

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

// sender is where the requests of the tests come from, and inside a network with it.
func sender() netip.Addr { return netip.MustParseAddr("192.0.2.7") }

const inside = "192.0.2.0/24"

// verify checks a request as the receiver does.
func verify(v *Verifier, r *http.Request, body []byte, at time.Time) error {
	err := v.VerifyHeader(r, sender())
	if err == nil || !Signed(r, at) {
		return err
	}
	return v.VerifySignature(r, body, sender(), at)
}

func signatureOf(at time.Time, body string) string {
	return httpx.Signature(secret, at, []byte(body))
}

func TestVerify(t *testing.T) {
	bearer := Auth{Bearer: secret}
	basic := Auth{Basic: &Basic{User: "siem", Password: secret}}
	signed := Auth{HMAC: &HMAC{Secret: secret}}
	inURL := Auth{URLToken: secret, Addresses: []string{inside}}
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
				t.Errorf("the error contains the secret: %v", err)
			}
		})
	}
}

// A source accepts its own method only: a credential of another method, one that
// is almost right, an empty one, or the second of two is refused.
func TestOneWayOfOneSource(t *testing.T) {
	const user = "siem"
	pair := func(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }
	sum := "v1=" + httpx.Sum(secret, now(), []byte("body"))
	stamp := fmt.Sprintf("t=%d", now().Unix())
	ways := map[string]Auth{
		"bearer": {Bearer: secret}, "basic": {Basic: &Basic{User: user, Password: secret}}, "hmac": {HMAC: &HMAC{Secret: secret}}, "url": {URLToken: secret, Addresses: []string{inside}}, "none": {},
	}
	for _, c := range []struct {
		way, url, header string
		values           []string
	}{
		{"bearer", "", "Authorization", []string{"Bearer " + secret}},
		{"bearer", "", "Authorization", []string{"BEARER  " + secret + " "}},
		{"", "", "Authorization", []string{"Bearer " + strings.ToUpper(secret)}},
		{"", "", "Authorization", []string{"Bearer " + secret[1:]}},
		{"", "", "Authorization", []string{"Bearer " + secret + " " + secret}},
		{"", "", "Authorization", []string{"Bearer wrong", "Bearer " + secret}},
		{"", "", "Authorization", []string{"", "Bearer " + secret}},
		{"", "", "Authorization", []string{"Basic " + secret}},
		{"", "", "Authorization", []string{"Bearer"}},
		{"", "", "Authorization", []string{secret}},
		{"", "", "Authorization", []string{" " + secret}},
		{"", "", "X-Authorization", []string{"Bearer " + secret}},
		{"basic", "", "Authorization", []string{pair(user + ":" + secret)}},
		{"", "", "Authorization", []string{pair("SIEM:" + secret)}},
		{"", "", "Authorization", []string{pair(":" + secret)}},
		{"", "", "Authorization", []string{pair(user + ":")}},
		{"", "", "Authorization", []string{pair(user + secret)}},
		{"", "", "Authorization", []string{pair(user + ":" + secret + ":")}},
		{"", "", "Authorization", []string{pair(secret + ":" + user)}},
		{"", "", "Authorization", []string{pair("x:y"), pair(user + ":" + secret)}},
		{"", "", "Authorization", []string{"Basic " + user + ":" + secret}},
		{"url", "token=" + secret, "", nil},
		{"", "token=", "", nil},
		{"", "token=x&token=" + secret, "", nil},
		{"", "Token=" + secret, "", nil},
		{"", "", "token", []string{secret}},
		{"hmac", "", SignatureHeader, []string{stamp + "," + sum}},
		{"hmac", "", SignatureHeader, []string{sum + " , " + stamp}},
		{"hmac", "", SignatureHeader, []string{stamp + "," + strings.ToUpper(sum[3:]) + "," + sum}},
		{"hmac", "", SignatureHeader, []string{stamp + ",v1=" + strings.ToUpper(sum[3:])}},
		{"hmac", "", SignatureHeader, []string{stamp + strings.Repeat(",v1=00", 7) + "," + sum}},
		{"hmac", "", SignatureHeader, []string{stamp + "," + sum + strings.Repeat(",v1=00", 7)}},
		{"", "", SignatureHeader, []string{stamp + strings.Repeat(",v1=00", 8) + "," + sum}},
		{"", "", SignatureHeader, []string{stamp + ",v0=" + sum[3:]}},
		{"", "", SignatureHeader, []string{stamp + "," + sum[:len(sum)-1]}},
		{"", "", SignatureHeader, []string{stamp + ";" + sum}},
		{"", "", SignatureHeader, []string{stamp}},
		{"", "", SignatureHeader, []string{sum}},
		{"", "", SignatureHeader, []string{"t=," + sum}},
		{"", "", SignatureHeader, []string{fmt.Sprintf("t=+%d,%s", now().Unix(), sum)}},
		{"", "", SignatureHeader, []string{fmt.Sprintf("t=0%d,%s", now().Unix(), sum)}},
		{"", "", SignatureHeader, []string{fmt.Sprintf("t=%d000,%s", now().Unix(), sum)}},
		{"", "", SignatureHeader, []string{"t=-9223372036854775808," + sum}},
		{"", "", SignatureHeader, []string{"t=9223372036854775807," + sum}},
		{"", "", SignatureHeader, []string{stamp + ",v1=00", stamp + "," + sum}},
	} {
		for way, auth := range ways {
			r := request(t, "/?"+c.url, "", "")
			for _, value := range c.values {
				r.Header.Add(c.header, value)
			}
			err := verify(verifier(t, auth), r, []byte("body"), now())
			if want := way == c.way; want != (err == nil) || err != nil && (!errors.Is(err, ErrDenied) || strings.Contains(err.Error(), secret)) {
				t.Errorf("%s by ?%s %s %q: %v", way, c.url, c.header, c.values, err)
			}
		}
	}
}

// The time of a signature is within five minutes of ours, on both sides.
func TestTheTimeOfASignature(t *testing.T) {
	if Tolerance > 5*time.Minute {
		t.Errorf("a signature holds for %s", Tolerance)
	}
	v := verifier(t, Auth{HMAC: &HMAC{Secret: secret}})
	for off, want := range map[time.Duration]bool{
		0: true, Tolerance: true, -Tolerance: true, Tolerance + time.Second: false, -Tolerance - time.Second: false,
		time.Hour: false, -time.Hour: false, 200 * 365 * 24 * time.Hour: false, -200 * 365 * 24 * time.Hour: false,
	} {
		r := request(t, "/", SignatureHeader, signatureOf(now().Add(off), "body"))
		if err := verify(v, r, []byte("body"), now()); want != (err == nil) {
			t.Errorf("%s off: %v", off, err)
		}
	}
	// No body is read of what cannot be a signature.
	stamp := fmt.Sprintf("t=%d", now().Unix())
	for header, want := range map[string]bool{stamp + ",v1=00": true, stamp: false, stamp + ",v0=00": false, "v1=00": false, "t=0,v1=00": false, "": false} {
		if got := Signed(request(t, "/", SignatureHeader, header), now()); got != want {
			t.Errorf("%q is a signature: %t", header, got)
		}
	}
}

// A source that is not configured refuses every request.
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
		"auth has bearer and url_token: keep one":   {Bearer: secret, URLToken: secret},
	} {
		if _, err := a.Verifier(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for _, a := range []Auth{
		{HMAC: &HMAC{}}, {HMAC: &HMAC{Secret: "fifteen bytes.."}}, {Basic: &Basic{}}, {Basic: &Basic{User: "u"}}, {Basic: &Basic{Password: secret}}, {Bearer: secret, Basic: &Basic{"u", "p"}, URLToken: secret},
	} {
		if _, err := a.Verifier(); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("the settings are taken: %v", err)
		}
	}
	verifier(t, Auth{HMAC: &HMAC{Secret: "sixteen bytes..."}})
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

package httpx_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// world is a product with its tokens: those that it gives are numbered, and only the newest
// holds.
type world struct {
	mu      sync.Mutex
	given   int
	forms   []string
	refuses bool // every token
	done    int  // calls that were carried out
	tokens  *faulty.Server
	product *faulty.Server
}

func newWorld(t *testing.T) *world {
	w := &world{}
	w.tokens = faulty.New(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.UserAgent(), "stanch") {
			t.Errorf("%s by %q: %v", r.Method, r.UserAgent(), err)
		}
		w.given++
		w.forms = append(w.forms, r.PostForm.Encode())
		// A clock that is a year off must not matter.
		rw.Header().Set("Date", time.Now().AddDate(-1, 0, 0).UTC().Format(http.TimeFormat))
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprintf(rw, `{"access_token":"token-%d","token_type":"bearer","expires_in":1799}`, w.given)
	}))
	w.product = faulty.New(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refuses || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", w.given) {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.done++
	}))
	return w
}

func (w *world) call(t *testing.T, c *httpx.Client, tokens *httpx.Tokens, write bool) error {
	_, err := c.Do(t.Context(), httpx.Request{Op: "change it", Method: http.MethodPost, URL: w.product.URL() + "/v1", Write: write, Tokens: tokens})
	return err
}

func (w *world) credentials() httpx.Credentials {
	return httpx.Credentials{URL: w.tokens.URL() + "/oauth2/token", Client: "us", Secret: "hunter2", Scopes: []string{"a", "b"}, Form: map[string][]string{"member_cid": {"m"}}}
}

func TestTokenAuthorizes(t *testing.T) {
	w := newWorld(t)
	c := open(t, httpx.Options{})
	tokens := c.OAuth(w.credentials())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := w.call(t, c, tokens, false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.given != 1 || w.done != 20 || w.forms[0] != "client_id=us&client_secret=hunter2&grant_type=client_credentials&member_cid=m&scope=a+b" {
		t.Errorf("%d tokens were given, %d calls carried out, and the form was %q", w.given, w.done, w.forms)
	}
}

// A read whose token was revoked is made again with a new one, once; a write is not, and
// nothing was done.
func TestRevokedToken(t *testing.T) {
	w := newWorld(t)
	revoke := func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.given++
	}
	c := open(t, httpx.Options{})
	tokens := c.OAuth(w.credentials())
	if err := w.call(t, c, tokens, true); err != nil {
		t.Fatal(err)
	}
	revoke()
	if err := w.call(t, c, tokens, false); err != nil || w.done != 2 || len(w.forms) != 2 {
		t.Errorf("a read with a revoked token: %v, %d tokens, %d calls carried out", err, len(w.forms), w.done)
	}

	tokens = c.OAuth(w.credentials())
	if err := w.call(t, c, tokens, true); err != nil {
		t.Fatal(err)
	}
	revoke()
	calls := w.product.Calls()
	wrong(t, w.call(t, c, tokens, true), integrations.Denied)
	if w.product.Calls() != calls+1 {
		t.Errorf("a write was made %d times", w.product.Calls()-calls)
	}
	if err := w.call(t, c, tokens, true); err != nil {
		t.Errorf("the next write: %v", err)
	}

	// A product that refuses every token is not asked for ever new ones.
	w.mu.Lock()
	w.refuses = true
	w.mu.Unlock()
	tokens, fetched := c.OAuth(w.credentials()), len(w.forms)
	for range 10 {
		wrong(t, w.call(t, c, tokens, false), integrations.Denied)
	}
	if got := len(w.forms) - fetched; got != 2 {
		t.Errorf("%d tokens were fetched, want 2", got)
	}
}

// Whatever happens where tokens are given, nothing was asked of the product: no write is
// ambiguous, no device not found, and the secret is in no error.
func TestTokensAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		kind   integrations.Kind
		text   string
	}{
		"unknown client":            {400, `{"error":"invalid_client","error_description":"hunter2"}`, integrations.Denied, "HTTP status 400: invalid_client"},
		"client without the right":  {400, `{"error":"unauthorized_client"}`, integrations.Denied, "unauthorized_client"},
		"wrong scope":               {400, `{"error":"invalid_scope"}`, integrations.Invalid, "invalid_scope"},
		"code of nobody":            {400, `{"error":"hunter2"}`, integrations.Invalid, "HTTP status 400"},
		"busy":                      {400, `{"error":"temporarily_unavailable"}`, integrations.Unavailable, "temporarily_unavailable"},
		"wrong secret":              {401, `{"error":"invalid_client"}`, integrations.Denied, "HTTP status 401"},
		"forbidden":                 {403, `{"errors":[{"message":"hunter2"}]}`, integrations.Denied, "HTTP status 403"},
		"no such address":           {404, ``, integrations.Unavailable, "HTTP status 404"},
		"conflict":                  {409, ``, integrations.Unavailable, "HTTP status 409"},
		"too many":                  {429, ``, integrations.Throttled, "HTTP status 429"},
		"broken":                    {500, `hunter2`, integrations.Unavailable, "HTTP status 500"},
		"a page":                    {200, `<html>hunter2</html>`, integrations.Unavailable, "the answer is not a token"},
		"nothing":                   {200, `{}`, integrations.Unavailable, "the answer is not a token"},
		"an empty token":            {200, `{"access_token":"","token_type":"bearer"}`, integrations.Unavailable, "the answer is not a token"},
		"a refusal that says 200":   {200, `{"error":"invalid_client","error_description":"hunter2"}`, integrations.Denied, "invalid_client"},
		"a redirect to elsewhere":   {307, ``, integrations.Invalid, "a redirect that is not followed"},
		"text that is not a token":  {200, `access_token`, integrations.Unavailable, "the answer is not a token"},
		"a number in place of text": {200, `{"access_token":7}`, integrations.Unavailable, "the answer is not a token"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-RateLimit-RetryAfter", fmt.Sprint(time.Now().Add(20*time.Second).Unix()))
				w.Header().Set("Location", faulty.Stranger+"?hunter2")
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			defer s.Close()
			w := newWorld(t)
			c := open(t, httpx.Options{WaitHeader: "X-RateLimit-RetryAfter"})
			cred := w.credentials()
			cred.URL = s.URL
			tokens := c.OAuth(cred)
			for _, write := range []bool{false, true} {
				e := wrong(t, w.call(t, c, tokens, write), tt.kind)
				if !strings.Contains(e.Error(), tt.text) {
					t.Errorf("error %v, want %q in it", e, tt.text)
				}
				if tt.kind == integrations.Throttled && (e.After < 15*time.Second || e.After > 20*time.Second) {
					t.Errorf("throttled for %s", e.After)
				}
			}
			if w.product.Calls() != 0 {
				t.Error("the product was asked without a token")
			}
		})
	}
}

func TestTokensAreAway(t *testing.T) {
	w := newWorld(t)
	for fault, kind := range map[contract.Fault]integrations.Kind{
		contract.Down: integrations.Unavailable, contract.Hang: integrations.Unavailable, contract.LoseAnswer: integrations.Unavailable,
		contract.Deny: integrations.Denied, contract.Throttle: integrations.Throttled, contract.Huge: integrations.Unavailable,
		contract.Trickle: integrations.Unavailable, contract.Torn: integrations.Unavailable, contract.HTML: integrations.Unavailable,
	} {
		w.tokens.Break(fault)
		c := open(t, httpx.Options{Timeout: 200 * time.Millisecond})
		wrong(t, w.call(t, c, c.OAuth(w.credentials()), true), kind)
	}
}

// A token of another scheme than OAuth 2.0 is kept in the same way.
func TestOwnFetch(t *testing.T) {
	w := newWorld(t)
	c := open(t, httpx.Options{})
	tokens := httpx.NewTokens(func(context.Context) (integrations.Secret, time.Duration, error) {
		w.given = 7
		return "token-7", 15 * time.Minute, nil
	})
	for range 3 {
		if err := w.call(t, c, tokens, true); err != nil {
			t.Error(err)
		}
	}
}

// pair writes a certificate and its key to files.
func pair(t *testing.T, key crypto.Signer) (certificate, keyFile string, der []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "us"}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, keyFile = filepath.Join(dir, "us.pem"), filepath.Join(dir, "us.key")
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, keyFile, der
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A certificate in place of a secret signs an assertion for each token.
func TestClientAssertion(t *testing.T) {
	key := rsaKey(t)
	certificate, keyFile, der := pair(t, key)
	signed, err := httpx.LoadCertificate(certificate, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	c := open(t, httpx.Options{})
	cred := w.credentials()
	cred.Secret, cred.Certificate = "", signed
	seen := map[string]bool{}
	for range 2 {
		if err := w.call(t, c, c.OAuth(cred), true); err != nil {
			t.Fatal(err)
		}
		form := form(t, w.forms[len(w.forms)-1])
		if form.Has("client_secret") || form.Get("client_id") != "us" || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			t.Errorf("the form is %v", form)
		}
		parts := strings.Split(form.Get("client_assertion"), ".")
		if len(parts) != 3 {
			t.Fatalf("the assertion has %d parts", len(parts))
		}
		decoded := make([][]byte, 3)
		for i := range parts {
			if decoded[i], err = base64.RawURLEncoding.DecodeString(parts[i]); err != nil {
				t.Fatal(err)
			}
		}
		sum, thumbprint := sha256.Sum256([]byte(parts[0]+"."+parts[1])), sha256.Sum256(der)
		if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, sum[:], decoded[2], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}); err != nil {
			t.Errorf("the signature: %v", err)
		}
		var header map[string]string
		if err := json.Unmarshal(decoded[0], &header); err != nil || len(header) != 3 || header["alg"] != "PS256" || header["typ"] != "JWT" || header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumbprint[:]) {
			t.Errorf("the header is %s: %v", decoded[0], err)
		}
		var claims struct {
			Aud, Iss, Sub, Jti string
			Iat, Nbf, Exp      int64
		}
		if err := json.Unmarshal(decoded[1], &claims); err != nil {
			t.Fatal(err)
		}
		now := time.Now().Unix()
		if claims.Aud != cred.URL || claims.Iss != "us" || claims.Sub != "us" || claims.Jti == "" || seen[claims.Jti] || claims.Nbf > now || claims.Exp <= now || claims.Exp-claims.Nbf > 600 || claims.Iat > now {
			t.Errorf("the claims are %+v", claims)
		}
		seen[claims.Jti] = true
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, otherKey, _ := pair(t, elliptical)
	for _, files := range [][]string{{other, otherKey}, {certificate, otherKey}, {keyFile, certificate}, {"absent.pem", keyFile}} {
		if _, err := httpx.LoadCertificate(files[0], files[1]); err == nil {
			t.Errorf("%v are taken for a certificate and its RSA key", slices.Clone(files))
		}
	}
}

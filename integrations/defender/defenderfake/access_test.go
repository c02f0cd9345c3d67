package defenderfake_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
)

func TestTokenRefusals(t *testing.T) {
	n := open(t, defenderfake.Options{})
	good := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {n.ClientID}, "client_secret": {n.ClientSecret}, "scope": {defender},
	}
	for _, tt := range []struct {
		name, tenant, key, value string
		status                   int
		word, code               string
	}{
		{"another tenant", "other", "", "", 400, "invalid_request", "AADSTS90002"},
		{"another app", n.Tenant, "client_id", "x", 400, "unauthorized_client", "AADSTS700016"},
		{"a wrong secret", n.Tenant, "client_secret", "x", 401, "invalid_client", "AADSTS7000215"},
		{"no secret", n.Tenant, "client_secret", "", 401, "invalid_client", "AADSTS7000216"},
		{"no scope", n.Tenant, "scope", "", 400, "invalid_scope", "AADSTS1002012"},
		{"a single permission", n.Tenant, "scope", "https://graph.microsoft.com/User.Read", 400, "invalid_scope", "AADSTS1002012"},
		{"two resources", n.Tenant, "scope", defender + " " + graph, 400, "invalid_scope", "AADSTS1002012"},
		{"an unknown resource", n.Tenant, "scope", "https://example.com/.default", 400, "invalid_resource", "AADSTS500011"},
		{"another grant", n.Tenant, "grant_type", "password", 400, "unsupported_grant_type", "AADSTS70003"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			form := url.Values{}
			for k, v := range good {
				form[k] = v
			}
			if tt.key != "" {
				form.Set(tt.key, tt.value)
			}
			a := n.rude().form(tt.tenant, form)
			if a.status != tt.status || a.text1("error") != tt.word || !strings.HasPrefix(a.text1("error_description"), tt.code+":") {
				t.Errorf("answered %d %s, want %d %s %s", a.status, a.text, tt.status, tt.word, tt.code)
			}
		})
	}
}

// A token says which roles the app has, and is for one resource.
func TestToken(t *testing.T) {
	n := open(t, defenderfake.Options{Roles: []string{"Machine.Read.All"}})
	parts := strings.Split(n.token[defender], ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Audience string   `json:"aud"`
		Roles    []string `json:"roles"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Audience != "https://api.securitycenter.microsoft.com" || !slices.Equal(claims.Roles, []string{"Machine.Read.All"}) {
		t.Errorf("the token is for %s with the roles %v", claims.Audience, claims.Roles)
	}
	n.call(http.MethodGet, "/api/machines", nil, http.StatusOK, "")
	a := n.call(http.MethodPost, "/api/machines/"+ws1+"/isolate", map[string]any{"Comment": "c", "IsolationType": "Full"}, http.StatusForbidden, "Forbidden")
	if !strings.Contains(a.text, "API required roles: Machine.Isolate, application roles: Machine.Read.All") {
		t.Errorf("the refusal does not name the roles: %s", a.text)
	}
	// What was granted since is not in the token.
	n.SetRoles("Machine.Isolate")
	n.call(http.MethodPost, "/api/machines/"+ws1+"/isolate", map[string]any{"Comment": "c", "IsolationType": "Full"}, http.StatusForbidden, "Forbidden")
	n.login()
	n.isolate(ws1)
	n.token[defender], n.token[graph] = n.token[graph], n.token[defender]
	n.call(http.MethodGet, "/api/machines", nil, http.StatusUnauthorized, "Unauthorized")
	n.call(http.MethodPost, huntingPath, map[string]any{"Query": "DeviceInfo"}, http.StatusUnauthorized, "InvalidAuthenticationToken")
}

func TestTokenEnds(t *testing.T) {
	n := open(t, defenderfake.Options{TokenLifetime: 10 * time.Minute})
	n.advance(10*time.Minute - time.Second)
	n.call(http.MethodGet, "/api/machines", nil, http.StatusOK, "")
	n.advance(time.Second)
	a := n.call(http.MethodGet, "/api/machines", nil, http.StatusUnauthorized, "Unauthorized")
	if a.body["error"].(map[string]any)["target"] == "" {
		t.Error("a refusal has no target")
	}
	n.login()
	n.call(http.MethodGet, "/api/machines", nil, http.StatusOK, "")
	n.RevokeTokens()
	n.call(http.MethodGet, "/api/machines", nil, http.StatusUnauthorized, "Unauthorized")
}

// certificate returns a key and its certificate.
func certificate(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: start.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func TestAssertion(t *testing.T) {
	key, cert := certificate(t)
	n := open(t, defenderfake.Options{Certificates: []*x509.Certificate{cert}})
	sum := sha256.Sum256(cert.Raw)
	print := base64.RawURLEncoding.EncodeToString(sum[:])
	form := func(change func(header, claims map[string]any)) url.Values {
		header := map[string]any{"typ": "JWT", "alg": "PS256", "x5t#S256": print}
		claims := map[string]any{
			"aud": n.url + "/" + n.Tenant + "/oauth2/v2.0/token", "iss": n.ClientID, "sub": n.ClientID, "jti": "1",
			"iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(10 * time.Minute).Unix(),
		}
		change(header, claims)
		var signed []string
		for _, part := range []any{header, claims} {
			b, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			signed = append(signed, base64.RawURLEncoding.EncodeToString(b))
		}
		text := strings.Join(signed, ".")
		digest := sha256.Sum256([]byte(text))
		sign := rsa.SignPKCS1v15
		signature, err := sign(nil, key, crypto.SHA256, digest[:])
		if header["alg"] == "PS256" {
			signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		return url.Values{
			"grant_type": {"client_credentials"}, "client_id": {n.ClientID}, "scope": {defender},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {text + "." + base64.RawURLEncoding.EncodeToString(signature)},
		}
	}
	nothing := func(_, _ map[string]any) {}
	if a := n.form(n.Tenant, form(nothing)); a.status != http.StatusOK {
		t.Errorf("an assertion with PS256 was answered with %d %s", a.status, a.text)
	}
	if a := n.form(n.Tenant, form(func(h, _ map[string]any) { h["alg"] = "RS256" })); a.status != http.StatusOK {
		t.Errorf("an assertion with RS256 was answered with %d %s", a.status, a.text)
	}
	for name, tt := range map[string]struct {
		code   string
		change func(header, claims map[string]any)
	}{
		"another certificate": {"AADSTS700027", func(h, _ map[string]any) { h["x5t#S256"] = "AAAA" }},
		"a wrong algorithm":   {"AADSTS700027", func(h, _ map[string]any) { h["alg"] = "none" }},
		"another audience":    {"AADSTS700023", func(_, c map[string]any) { c["aud"] = "https://example.com" }},
		"another app":         {"AADSTS700021", func(_, c map[string]any) { c["iss"] = "x" }},
		"no id":               {"AADSTS50027", func(_, c map[string]any) { delete(c, "jti") }},
		"too old":             {"AADSTS700024", func(_, c map[string]any) { c["exp"] = start.Add(-6 * time.Minute).Unix() }},
		"not yet":             {"AADSTS700024", func(_, c map[string]any) { c["nbf"] = start.Add(6 * time.Minute).Unix() }},
	} {
		a := n.form(n.Tenant, form(tt.change))
		if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.text1("error_description"), tt.code+":") {
			t.Errorf("%s: answered %d %s, want %s", name, a.status, a.text, tt.code)
		}
	}
	broken := form(nothing)
	broken.Set("client_assertion", broken.Get("client_assertion")+"AAAA")
	if a := n.form(n.Tenant, broken); !strings.HasPrefix(a.text1("error_description"), "AADSTS700027:") {
		t.Errorf("a changed signature was answered with %d %s", a.status, a.text)
	}
}

func TestLimits(t *testing.T) {
	n := open(t, defenderfake.Options{})
	for range 100 {
		n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusOK, "")
	}
	n.advance(20 * time.Second)
	a := n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusTooManyRequests, "TooManyRequests")
	if got := a.header.Get("Retry-After"); got != "40" {
		t.Errorf("Retry-After is %q, want 40", got)
	}
	// Limits are of an operation.
	n.call(http.MethodGet, "/api/machineactions", nil, http.StatusOK, "")
	n.advance(40 * time.Second)
	n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusOK, "")
	for range 14 {
		for range 99 {
			n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusOK, "")
		}
		n.advance(time.Minute)
		if n.clock().Sub(start) < 15*time.Minute {
			n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusOK, "")
		}
	}
	// 100 calls, and 14 times 100, are all of an hour.
	a = n.call(http.MethodGet, "/api/machines/"+ws1, nil, http.StatusTooManyRequests, "TooManyRequests")
	if got := a.header.Get("Retry-After"); got != "2700" {
		t.Errorf("Retry-After is %q, want the rest of the hour: 2700", got)
	}
	n.Throttle(1, 7*time.Second)
	a = n.call(http.MethodGet, "/api/libraryfiles", nil, http.StatusTooManyRequests, "TooManyRequests")
	if got := a.header.Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After is %q, want 7", got)
	}
	n.call(http.MethodGet, "/api/libraryfiles", nil, http.StatusOK, "")
}

package defenderfake

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The resources that tokens are for.
const (
	defenderResource = "https://api.securitycenter.microsoft.com"
	graphResource    = "https://graph.microsoft.com"
)

// scopes are those that are granted, with their resources. Defender's pages name
// the first three.
func scopes() map[string]string {
	return map[string]string{
		defenderResource + "/.default":                                      defenderResource,
		"https://api.security.microsoft.com/.default":                       defenderResource,
		"https://securitycenter.onmicrosoft.com/windowsatpservice/.default": defenderResource,
		graphResource + "/.default":                                         graphResource,
	}
}

// Login serves Entra's token endpoint.
func (d *Double) Login() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.before(r)
		tenant, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/oauth2/v2.0/token")
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodPost:
			d.denyLogin(w, http.StatusMethodNotAllowed, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a %s request.", r.Method)
			return
		case tenant != d.Tenant:
			d.denyLogin(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant '%s' not found.", tenant)
			return
		}
		if d.throttled(w) {
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil || len(r.PostForm) == 0 {
			d.denyLogin(w, http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
			return
		}
		d.grant(w, r)
	})
}

// throttled answers calls that a test has throttled.
func (d *Double) throttled(w http.ResponseWriter) bool {
	r := d.forced()
	if r != nil {
		retryAfter(w, r)
		d.denyLogin(w, r.status, "temporarily_unavailable", 90055, "There are too many incoming requests.")
	}
	return r != nil
}

func (d *Double) grant(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	resource, known := scopes()[form.Get("scope")]
	switch {
	case form.Get("grant_type") != "client_credentials":
		d.denyLogin(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '%s'.", form.Get("grant_type"))
		return
	case form.Get("client_id") != d.ClientID:
		d.denyLogin(w, http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '%s' was not found in the directory '%s'.", form.Get("client_id"), d.Tenant)
		return
	case !known && strings.HasSuffix(form.Get("scope"), "/.default") && !strings.Contains(form.Get("scope"), " "):
		d.denyLogin(w, http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named %s was not found in the tenant.", form.Get("scope"))
		return
	case !known:
		d.denyLogin(w, http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.", form.Get("scope"))
		return
	}
	switch {
	case form.Get("client_assertion") != "":
		if code, reason := d.checkAssertion(r); code != 0 {
			d.denyLogin(w, http.StatusUnauthorized, "invalid_client", code, "%s", reason)
			return
		}
	case form.Get("client_secret") == "":
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
		return
	case d.o.SecretExpired:
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app '%s' are expired.", d.ClientID)
		return
	case subtle.ConstantTimeCompare([]byte(form.Get("client_secret")), []byte(d.ClientSecret)) != 1:
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", d.ClientID)
		return
	}
	lifetime := or(d.o.TokenLifetime, time.Hour-time.Second)
	w.Header().Set("Cache-Control", "no-store, no-cache")
	writeJSON(w, http.StatusOK, map[string]any{
		"token_type": "Bearer", "expires_in": int64(lifetime / time.Second), "ext_expires_in": int64(lifetime / time.Second),
		"access_token": d.mint(resource, lifetime),
	})
}

// denyLogin writes an error as Entra does.
func (d *Double) denyLogin(w http.ResponseWriter, status int, word string, code int, format string, args ...any) {
	trace, correlation := d.correlation(), d.correlation()
	at := d.world.Now().Format("2006-01-02 15:04:05Z")
	writeJSON(w, status, map[string]any{
		"error": word, "error_codes": []int{code}, "timestamp": at, "trace_id": trace, "correlation_id": correlation,
		"error_description": fmt.Sprintf("AADSTS%d: ", code) + fmt.Sprintf(format, args...) +
			fmt.Sprintf(" Trace ID: %s Correlation ID: %s Timestamp: %s", trace, correlation, at),
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", code),
	})
}

// claims are those of access tokens and of assertions.
type claims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	ID        string   `json:"jti,omitempty"`
	App       string   `json:"appid,omitempty"`
	Tenant    string   `json:"tid,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
}

// mint makes an access token. Only the resource verifies it, so that the double
// signs with a key of its own.
func (d *Double) mint(resource string, lifetime time.Duration) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.world.Now()
	payload, err := json.Marshal(claims{
		Audience: resource, Issuer: "https://sts.windows.net/" + d.Tenant + "/", Subject: d.ClientID, App: d.ClientID,
		Tenant: d.Tenant, Roles: d.roles[resource], IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(lifetime).Unix(),
	})
	if err != nil {
		return ""
	}
	signed := segment([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + segment(payload)
	return signed + "." + segment(seal(d.key, signed))
}

func seal(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// open reads the three parts of a token.
func open(token string, header, payload any) (signed string, signature []byte, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", nil, false
	}
	for i, into := range []any{header, payload} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(b, into) != nil {
			return "", nil, false
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	return parts[0] + "." + parts[1], signature, err == nil
}

// checkAssertion verifies the assertion that stands for a secret, and returns the
// code and reason of its refusal.
func (d *Double) checkAssertion(r *http.Request) (code int, reason string) {
	if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return 700021, "Client assertion application identifier doesn't match 'client_id' parameter, or its type is not jwt-bearer."
	}
	var header struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		SHA1      string `json:"x5t"`
		SHA256    string `json:"x5t#S256"`
	}
	var c claims
	signed, signature, ok := open(r.PostForm.Get("client_assertion"), &header, &c)
	if !ok || header.Type != "JWT" {
		return 50027, "JWT token is invalid or malformed."
	}
	i := slices.IndexFunc(d.o.Certificates, func(cert *x509.Certificate) bool {
		long, short := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw)
		if header.SHA256 != "" {
			return header.SHA256 == segment(long[:])
		}
		return header.SHA1 == segment(short[:])
	})
	if i < 0 {
		return 700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]"
	}
	if !verify(d.o.Certificates[i], header.Algorithm, signed, signature) {
		return 700027, "Client assertion failed signature validation. [Reason - The provided signature value did not match the expected signature value.]"
	}
	now := d.world.Now()
	if d.o.LoginNow != nil {
		now = d.o.LoginNow()
	}
	const skew = 5 * time.Minute
	audiences := []string{
		"https://login.microsoftonline.com/" + d.Tenant + "/oauth2/v2.0/token",
		"http://" + r.Host + r.URL.Path, "https://" + r.Host + r.URL.Path,
	}
	switch {
	case !slices.Contains(audiences, c.Audience):
		return 700023, "Client assertion audience claim does not match Realm issuer."
	case c.Issuer != d.ClientID || c.Subject != d.ClientID:
		return 700021, "Client assertion application identifier doesn't match 'client_id' parameter."
	case c.ID == "" || c.Expires == 0 || c.NotBefore == 0:
		return 50027, "JWT token is invalid or malformed: jti, nbf and exp are required."
	case now.After(time.Unix(c.Expires, 0).Add(skew)) || now.Before(time.Unix(c.NotBefore, 0).Add(-skew)):
		return 700024, "Client assertion is not within its valid time range."
	}
	return 0, ""
}

func verify(cert *x509.Certificate, algorithm, signed string, signature []byte) bool {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(signed))
	switch algorithm {
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil) == nil
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}

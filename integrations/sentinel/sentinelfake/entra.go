package sentinelfake

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// publicAudience is the Resource Manager of the public cloud.
const publicAudience = "https://management.azure.com"

// login is Entra's token endpoint, for applications with a secret.
func (d *Double) login(w http.ResponseWriter, r *http.Request) {
	tenant, _ := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/oauth2/v2.0/token")
	if r.Method != http.MethodPost {
		d.denyLogin(w, http.StatusMethodNotAllowed, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a "+r.Method+" request.")
		return
	}
	if !strings.EqualFold(tenant, d.Tenant) {
		d.denyLogin(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || len(r.PostForm) == 0 {
		d.denyLogin(w, http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
		return
	}
	form := r.PostForm
	audience := cmp.Or(d.o.Audience, publicAudience)
	switch {
	case form.Get("grant_type") != "client_credentials":
		d.denyLogin(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+form.Get("grant_type")+"'.")
	case form.Get("client_id") != d.ClientID:
		d.denyLogin(w, http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+form.Get("client_id")+"' was not found in the directory '"+d.Tenant+"'.")
	case !strings.HasSuffix(form.Get("scope"), "/.default") || strings.Contains(form.Get("scope"), " "):
		d.denyLogin(w, http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope "+form.Get("scope")+" is not valid.")
	case strings.TrimSuffix(strings.TrimSuffix(form.Get("scope"), ".default"), "/") != audience:
		// One slash more is part of the resource's own name, and is taken, too.
		d.denyLogin(w, http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+form.Get("scope")+" was not found in the tenant.")
	case form.Get("client_secret") == "":
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	case d.o.SecretExpired:
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app '"+d.ClientID+"' are expired.")
	case subtle.ConstantTimeCompare([]byte(form.Get("client_secret")), []byte(d.ClientSecret)) != 1:
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '"+d.ClientID+"'.")
	default:
		lifetime := cmp.Or(d.o.TokenLifetime, time.Hour-time.Second)
		w.Header().Set("Cache-Control", "no-store, no-cache")
		writeJSON(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": int64(lifetime / time.Second), "ext_expires_in": int64(lifetime / time.Second),
			"access_token": d.mint(audience, lifetime),
		})
	}
}

func (d *Double) denyLogin(w http.ResponseWriter, status int, word string, code int, reason string) {
	const trace = "7c1f5b7e-3f0c-4a0c-9a39-0d1e52c10300"
	at := d.o.Now().UTC().Format("2006-01-02 15:04:05Z")
	writeJSON(w, status, map[string]any{
		"error": word, "error_codes": []int{code}, "timestamp": at, "trace_id": trace, "correlation_id": trace,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", code, reason, trace, trace, at),
		"error_uri":         fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", code),
	})
}

// claims are those of access tokens.
type claims struct {
	Audience string `json:"aud"`
	App      string `json:"appid"`
	Tenant   string `json:"tid"`
	Expires  int64  `json:"exp"`
}

func (d *Double) mint(audience string, lifetime time.Duration) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens++
	payload, err := json.Marshal(claims{audience, d.ClientID, d.Tenant, d.o.Now().Add(lifetime).Unix()})
	if err != nil {
		return ""
	}
	signed := segment([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + segment(payload)
	return signed + "." + segment(d.seal(signed))
}

// seal signs with the double's own key, since only its Resource Manager reads the tokens.
// The caller holds the lock.
func (d *Double) seal(text string) []byte {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// authenticate returns why a request has no valid token, or nil.
func (d *Double) authenticate(r *http.Request) *refusal {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return d.unauthorized("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", "")
	}
	d.mu.Lock()
	signed, signature, _ := cut(token)
	valid := hmac.Equal([]byte(signature), []byte(segment(d.seal(signed))))
	challenge := d.challenge
	d.mu.Unlock()
	if !valid && challenge != "" {
		return d.unauthorized("InvalidAuthenticationToken", "The access token lacks claims.", challenge)
	}
	var c claims
	_, payload, _ := strings.Cut(signed, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || !valid || json.Unmarshal(text, &c) != nil {
		return d.unauthorized("InvalidAuthenticationToken", "The access token is invalid.", "")
	}
	if !d.o.Now().Before(time.Unix(c.Expires, 0)) {
		at := time.Unix(c.Expires, 0).UTC().Format("1/2/2006 3:04:05 PM")
		return d.unauthorized("ExpiredAuthenticationToken", "The access token expiry UTC time '"+at+"' is earlier than current UTC time '"+d.o.Now().UTC().Format("1/2/2006 3:04:05 PM")+"'.", "")
	}
	return nil
}

// cut splits a token into what is signed and its signature.
func cut(token string) (signed, signature string, ok bool) {
	i := strings.LastIndex(token, ".")
	if i < 0 {
		return "", "", false
	}
	return token[:i], token[i+1:], true
}

// unauthorized is an answer 401, with the challenge by which a client asks for a token.
func (d *Double) unauthorized(code, message, lacking string) *refusal {
	r := refuse(http.StatusUnauthorized, code, message)
	at := `Bearer authorization_uri="https://login.windows.net/` + d.Tenant + `"`
	r.header = http.Header{"Www-Authenticate": {at + `, error="invalid_token", error_description="` + message + `"`}}
	if lacking != "" {
		r.header.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="`+base64.StdEncoding.EncodeToString([]byte(lacking))+`"`)
	}
	return r
}

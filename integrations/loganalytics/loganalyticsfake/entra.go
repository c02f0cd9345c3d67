package loganalyticsfake

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

// login is Entra's token endpoint, for applications with a secret.
func (d *Double) login(w http.ResponseWriter, r *http.Request) {
	tenant, _ := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/oauth2/v2.0/token")
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		d.denyLogin(w, http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
		return
	}
	form := r.PostForm
	scope := form.Get("scope")
	switch {
	case !strings.EqualFold(tenant, d.Tenant):
		d.denyLogin(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found.")
	case form.Get("grant_type") != "client_credentials":
		d.denyLogin(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+form.Get("grant_type")+"'.")
	case form.Get("client_id") != d.ClientID:
		d.denyLogin(w, http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+form.Get("client_id")+"' was not found in the directory '"+d.Tenant+"'.")
	case scope != d.o.Audience+"/.default" && scope != d.o.Audience+"//.default":
		// One slash more is part of the resource's own name, and is taken, too.
		d.denyLogin(w, http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+scope+" was not found in the tenant.")
	case form.Get("client_secret") == "":
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	case d.o.SecretExpired:
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000222, "The provided client secret keys for app '"+d.ClientID+"' are expired.")
	case subtle.ConstantTimeCompare([]byte(form.Get("client_secret")), []byte(d.ClientSecret)) != 1:
		d.denyLogin(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
	default:
		lifetime := cmp.Or(d.o.TokenLifetime, time.Hour-time.Second)
		w.Header().Set("Cache-Control", "no-store, no-cache")
		writeJSON(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": int64(lifetime / time.Second), "ext_expires_in": int64(lifetime / time.Second),
			"access_token": d.mint(lifetime),
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
	Expires  int64  `json:"exp"`
}

func (d *Double) mint(lifetime time.Duration) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tokens++
	payload, err := json.Marshal(claims{d.o.Audience, d.ClientID, d.o.Now().Add(lifetime).Unix()})
	if err != nil {
		return ""
	}
	signed := segment([]byte(`{"typ":"JWT","alg":"HS256"}`)) + "." + segment(payload)
	return signed + "." + d.seal(signed)
}

// seal signs with the double's own key, since only it reads the tokens. The caller holds
// the lock.
func (d *Double) seal(text string) string {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(text))
	return segment(mac.Sum(nil))
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// authenticate returns why a request has no valid token, or nil. One that is not valid is
// refused with 403, as the page says; of one that has expired no page says anything.
func (d *Double) authenticate(r *http.Request) *refusal {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		refused := refuse(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
		refused.header = http.Header{"Www-Authenticate": {`Bearer authorization_uri="https://login.windows.net/` + d.Tenant + `"`}}
		return refused
	}
	d.mu.Lock()
	i := max(0, strings.LastIndex(token, "."))
	valid := i > 0 && hmac.Equal([]byte(token[i+1:]), []byte(d.seal(token[:i])))
	d.mu.Unlock()
	var c claims
	_, payload, _ := strings.Cut(token[:i], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || !valid || json.Unmarshal(text, &c) != nil || !d.o.Now().Before(time.Unix(c.Expires, 0)) {
		return refuse(http.StatusForbidden, "InvalidAuthenticationToken", "The access token is invalid.")
	}
	return nil
}

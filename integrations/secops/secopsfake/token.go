package secopsfake

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// scopes are those that may list detections.
func scopes() []string {
	return []string{
		"https://www.googleapis.com/auth/chronicle", "https://www.googleapis.com/auth/chronicle.readonly",
		"https://www.googleapis.com/auth/cloud-platform",
	}
}

// assertion is what a service account signs.
type assertion struct {
	Issuer   string `json:"iss"`
	Scope    string `json:"scope"`
	Audience string `json:"aud"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// token is Google's token endpoint, for service accounts.
func (d *Double) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		denyToken(w, http.StatusBadRequest, "invalid_request", "Bad Request")
		return
	}
	if grant := r.PostForm.Get("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		denyToken(w, http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type: "+grant)
		return
	}
	if word, reason := d.judge(r.PostForm.Get("assertion"), "http://"+r.Host+r.URL.Path, "https://"+r.Host+r.URL.Path); word != "" {
		denyToken(w, http.StatusBadRequest, word, reason)
		return
	}
	lifetime := cmp.Or(d.o.TokenLifetime, time.Hour-time.Second)
	d.mu.Lock()
	token := "ya29.c." + rand.Text()
	d.given++
	d.tokens[token] = d.o.Now().Add(lifetime)
	d.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "expires_in": int64(lifetime / time.Second), "token_type": "Bearer"})
}

// judge returns the word and the reason for which an assertion is refused, or nothing. It is
// for one of the addresses of the endpoint.
func (d *Double) judge(jwt string, endpoints ...string) (word, reason string) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return "invalid_request", "Bad Request"
	}
	var header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}
	var a assertion
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decode(parts[0], &header) || !decode(parts[1], &a) {
		return "invalid_grant", "Invalid JWT: Failed to parse."
	}
	now := d.o.LoginNow()
	const skew = time.Minute
	issued, expires := time.Unix(a.Issued, 0), time.Unix(a.Expires, 0)
	switch {
	case a.Issuer != d.Email:
		return "invalid_grant", "Invalid grant: account not found"
	case header.Algorithm != "RS256" || header.Key != "" && header.Key != keyID || !d.verify(parts[0]+"."+parts[1], signature):
		return "invalid_grant", "Invalid JWT Signature."
	case !slices.Contains(endpoints, a.Audience):
		return "invalid_grant", "Invalid JWT: audience is not the token endpoint."
	case expires.Sub(issued) > time.Hour || !expires.After(issued) || now.Before(issued.Add(-skew)) || now.After(expires):
		return "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
	case !slices.ContainsFunc(strings.Fields(a.Scope), func(s string) bool { return slices.Contains(scopes(), s) }):
		return "invalid_scope", "Invalid OAuth scope or ID token audience provided."
	}
	return "", ""
}

func decode(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

func denyToken(w http.ResponseWriter, status int, word, reason string) {
	writeJSON(w, status, map[string]any{"error": word, "error_description": reason})
}

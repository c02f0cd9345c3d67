package secopsfake_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stanch-soar/stanch/integrations/secops/secopsfake"
)

// grant asks for a token by an assertion with changed claims, and returns the answer's error.
func grant(t *testing.T, d *secopsfake.Double, origin string, change map[string]any) (token, word string) {
	t.Helper()
	var key struct {
		PrivateKey string `json:"private_key"`
		TokenURI   string `json:"token_uri"`
	}
	if err := json.Unmarshal([]byte(d.ServiceAccount(origin)), &key); err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{
		"iss": d.Email, "scope": "https://www.googleapis.com/auth/cloud-platform", "aud": key.TokenURI,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range change {
		claims[name] = value
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: privateKey(t, key.PrivateKey)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	assertion, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	a := do(t, http.MethodPost, key.TokenURI, "", form.Encode())
	token, _ = a.body["access_token"].(string)
	word, _ = a.body["error"].(string)
	return token, word
}

type answer struct {
	status int
	body   map[string]any
}

func (a answer) reason() string {
	e, _ := a.body["error"].(map[string]any)
	word, _ := e["status"].(string)
	return word
}

func do(t *testing.T, method, at, token, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode}
	_ = json.Unmarshal(text, &a.body)
	return a
}

func TestAssertions(t *testing.T) {
	d := secopsfake.New(t, secopsfake.Options{})
	server := httptest.NewServer(d.Handler())
	defer server.Close()
	if token, word := grant(t, d, server.URL, nil); token == "" {
		t.Fatalf("an assertion is refused as %s", word)
	}
	for name, c := range map[string]struct {
		change map[string]any
		want   string
	}{
		"another account":  {map[string]any{"iss": "x@y.iam.gserviceaccount.com"}, "invalid_grant"},
		"another audience": {map[string]any{"aud": "https://oauth2.googleapis.com/token"}, "invalid_grant"},
		"too long":         {map[string]any{"exp": time.Now().Add(2 * time.Hour).Unix()}, "invalid_grant"},
		"ended":            {map[string]any{"iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(-time.Hour).Unix()}, "invalid_grant"},
		"not begun":        {map[string]any{"iat": time.Now().Add(time.Hour / 2).Unix()}, "invalid_grant"},
		"another scope":    {map[string]any{"scope": "openid"}, "invalid_scope"},
	} {
		if token, word := grant(t, d, server.URL, c.change); token != "" || word != c.want {
			t.Errorf("%s: %q, want %s", name, word, c.want)
		}
	}
}

func TestRefusedQuestions(t *testing.T) {
	d := secopsfake.New(t, secopsfake.Options{MaxPage: 1})
	server := httptest.NewServer(d.Handler())
	defer server.Close()
	token, _ := grant(t, d, server.URL, nil)
	created := time.Now().Add(-time.Minute)
	for _, id := range []string{"de_1", "de_2"} {
		d.Put(`{"id":"`+id+`","detection":[{"ruleId":"ru_1","ruleVersion":"ru_1@v_1_1","alertState":"ALERTING"}]}`, created, time.Time{})
	}
	at := server.URL + "/v1alpha/projects/" + d.Project + "/locations/" + d.Location + "/instances/" + d.Instance + "/legacy:legacySearchDetections"
	first := do(t, http.MethodGet, at+"?ruleId=-&listBasis=CREATED_TIME", token, "")
	next, _ := first.body["nextPageToken"].(string)
	if next == "" {
		t.Fatalf("the first page is %+v", first)
	}
	if again := do(t, http.MethodGet, at+"?ruleId=-&listBasis=CREATED_TIME&pageToken="+next, token, ""); again.status != 200 || again.body["nextPageToken"] != nil {
		t.Errorf("the second page is %+v", again)
	}
	for query, want := range map[string]string{
		"":           "INVALID_ARGUMENT",
		"?rule_id=-": "INVALID_ARGUMENT",
		"?ruleId=-&startTime=2026-03-01T00:00:00Z&endTime=2026-03-01T00:00:00Z": "INVALID_ARGUMENT",
		"?ruleId=-&startTime=yesterday":                                         "INVALID_ARGUMENT",
		"?ruleId=-&listBasis=CREATED":                                           "INVALID_ARGUMENT",
		"?ruleId=-&alertState=CLOSED":                                           "INVALID_ARGUMENT",
		"?ruleId=ru_1&listBasis=CREATED_TIME&pageToken=" + next:                 "INVALID_ARGUMENT",
	} {
		if a := do(t, http.MethodGet, at+query, token, ""); a.status != 400 || a.reason() != want {
			t.Errorf("%q is answered %+v, want %s", query, a, want)
		}
	}
	if a := do(t, http.MethodGet, strings.Replace(at, "/us/", "/eu/", 1)+"?ruleId=-", token, ""); a.status != 403 || a.reason() != "PERMISSION_DENIED" {
		t.Errorf("another region is answered %+v", a)
	}
	if a := do(t, http.MethodGet, at+"?ruleId=-", "x", ""); a.status != 401 || a.reason() != "UNAUTHENTICATED" {
		t.Errorf("another token is answered %+v", a)
	}
	// By when they were detected, which these do not say, none is found since yesterday.
	if a := do(t, http.MethodGet, at+"?ruleId=-&startTime="+created.Add(-time.Hour).UTC().Format(time.RFC3339), token, ""); a.status != 200 || a.body["detections"] != nil {
		t.Errorf("by when they were detected there are %+v", a)
	}
}

func privateKey(t *testing.T, text string) any {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("the key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

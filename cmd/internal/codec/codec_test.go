package codec_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/stanch-soar/stanch/cmd/internal/codec"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
)

const (
	keys   = integrations.Secret("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	others = integrations.Secret("k2:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=")
	token  = "a-token-of-alice-for-this-test"
	origin = "http://127.0.0.1:8233"
)

func engineWith(t *testing.T, keys integrations.Secret) engine.Config {
	t.Helper()
	var c engine.Config
	if keys != "" {
		var err error
		if c.Keys, err = engine.ParseKeys(keys); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// serve serves a codec server with keys, and returns its address and its log.
func serve(t *testing.T, keys integrations.Secret) (url string, log *bytes.Buffer) {
	t.Helper()
	codecs, err := engineWith(t, keys).Codecs()
	if err != nil {
		t.Fatal(err)
	}
	log = &bytes.Buffer{}
	s := httptest.NewServer(codec.New(codec.Options{
		Codecs: codecs, Origin: origin, Log: slog.New(slog.NewTextHandler(log, nil)),
		Tokens: map[string][sha256.Size]byte{"alice": sha256.Sum256([]byte(token))},
	}))
	t.Cleanup(s.Close)
	return s.URL, log
}

// remote is the SDK's own client of codec servers.
func remote(url, token string) converter.PayloadCodec {
	return converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: url, ModifyRequest: func(req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}})
}

// stored is what Temporal stores of a text.
func stored(t *testing.T, keys integrations.Secret, text string) *commonpb.Payload {
	t.Helper()
	c, err := engineWith(t, keys).DataConverter()
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.ToPayload(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsStoredIsShown(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("flows and flows ", 10_000)
	for name, keys := range map[string]integrations.Secret{"compressed": "", "encrypted": keys} {
		url, log := serve(t, keys)
		in := []*commonpb.Payload{stored(t, keys, long), stored(t, keys, "short"), stored(t, "", "from before the first key")}
		out, err := remote(url, token).Decode(in)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, want := range []string{long, "short", "from before the first key"} {
			var got string
			if err := converter.GetDefaultDataConverter().FromPayload(out[i], &got); err != nil || got != want {
				t.Errorf("%s: payload %d is %.30q, %v", name, i, got, err)
			}
		}
		if strings.Contains(log.String(), "flows and") || strings.Contains(log.String(), token) {
			t.Errorf("%s: the log has what is secret: %s", name, log)
		}
	}
}

// ask sends a request, and returns its status, its headers and its body.
func ask(t *testing.T, method, url, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func TestOnlyWhoHasATokenIsAnswered(t *testing.T) {
	t.Parallel()
	url, log := serve(t, keys)
	if _, err := remote(url, "another token").Decode([]*commonpb.Payload{stored(t, keys, "secret")}); err == nil || !strings.Contains(err.Error(), "Unauthorized") {
		t.Errorf("a wrong token: %v", err)
	}
	basic := func(password string) string {
		req, _ := http.NewRequest(http.MethodGet, url, http.NoBody)
		req.SetBasicAuth("anybody", password)
		return req.Header.Get("Authorization")
	}
	for authorization, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, basic(""): 401, basic("no"): 401, token: 401, "Digest " + token: 401,
		"Bearer " + token: 200, "bearer " + token: 200, basic(token): 200,
	} {
		for _, path := range []string{"/decode", "/stanch/decode"} {
			if status, _, text := ask(t, http.MethodPost, url+path, `{}`, "Authorization", authorization); status != want {
				t.Errorf("%q at %s: %d, %s", authorization, path, status, text)
			}
		}
	}
	if status, h, _ := ask(t, http.MethodGet, url+"/", ""); status != 401 || !strings.HasPrefix(h.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("a browser is not asked to sign in: %d, %v", status, h)
	}
	if strings.Contains(log.String(), token) {
		t.Errorf("the log has the token: %s", log)
	}
	throttled := false
	for range 50 {
		status, _, _ := ask(t, http.MethodPost, url+"/decode", `{}`, "Authorization", "Bearer guess")
		throttled = throttled || status == 429
	}
	if status, _, _ := ask(t, http.MethodPost, url+"/decode", `{}`, "Authorization", "Bearer "+token); !throttled || status != 200 {
		t.Errorf("after many wrong tokens: throttled %v, the right one %d", throttled, status)
	}
}

func TestOnlyTheOneOriginMayRead(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, keys)
	status, h, _ := ask(t, http.MethodOptions, url+"/decode", "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,x-namespace")
	if status != 204 || h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "X-Namespace") {
		t.Errorf("a preflight: %d, %v", status, h)
	}
	if status, h, _ := ask(t, http.MethodPost, url+"/decode", `{}`, "Origin", origin, "Authorization", "Bearer "+token); status != 200 || h.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("a page of the origin: %d, %v", status, h)
	}
	for _, foreign := range []string{"http://evil.example", "null", origin + ".evil.example", "http://localhost:8233"} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			if status, h, _ := ask(t, method, url+"/decode", `{}`, "Origin", foreign, "Authorization", "Bearer "+token); status != 403 || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s of a page of %s: %d, %v", method, foreign, status, h)
			}
		}
	}
	none := httptest.NewServer(codec.New(codec.Options{Log: slog.New(slog.DiscardHandler)}))
	defer none.Close()
	if status, h, _ := ask(t, http.MethodOptions, none.URL+"/decode", "", "Origin", origin); status != 403 || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %d, %v", status, h)
	}
	if status, _, _ := ask(t, http.MethodPost, none.URL+"/decode", "{}", "Authorization", "Bearer "); status != 401 {
		t.Errorf("without a token in the configuration: %d", status)
	}
}

func TestItDecodesOnlyAndWithinBounds(t *testing.T) {
	t.Parallel()
	url, log := serve(t, keys)
	if _, err := remote(url, token).Encode([]*commonpb.Payload{stored(t, "", "plain")}); err == nil {
		t.Error("it encodes")
	}
	foreign := stored(t, others, "of another key")
	if _, err := remote(url, token).Decode([]*commonpb.Payload{stored(t, keys, "ours"), foreign}); err == nil || !strings.Contains(err.Error(), `payload 2: decrypt a payload: there is no key with the id "k2"`) {
		t.Errorf("a payload of another key: %v", err)
	}
	damaged := stored(t, keys, "ours")
	damaged.Data[len(damaged.Data)-1] ^= 1
	if _, err := remote(url, token).Decode([]*commonpb.Payload{damaged}); err == nil || strings.Contains(err.Error(), "ours") {
		t.Errorf("a damaged payload: %v", err)
	}
	// Each becomes a thousand times as large.
	bomb := stored(t, keys, strings.Repeat("x", 30<<20))
	if _, err := remote(url, token).Decode([]*commonpb.Payload{bomb, bomb, bomb}); err == nil || !strings.Contains(err.Error(), "become more than") {
		t.Errorf("payloads that grow: %v", err)
	}
	for body, want := range map[string]int{
		"{": 400, `{"payloads":[null]}`: 400, `{"payloads":3}`: 400, strings.Repeat(" ", 9<<20): 413, `{"payloads":[]}`: 200,
	} {
		if status, _, text := ask(t, http.MethodPost, url+"/decode", body, "Authorization", "Bearer "+token); status != want {
			t.Errorf("%.30q: %d, %s", body, status, text)
		}
	}
	if status, _, _ := ask(t, http.MethodGet, url+"/decode", "", "Authorization", "Bearer "+token); status != 405 && status != 404 {
		t.Errorf("GET is answered %d", status)
	}
	if strings.Contains(log.String(), "xxxx") {
		t.Error("the log has what is in a payload")
	}
}

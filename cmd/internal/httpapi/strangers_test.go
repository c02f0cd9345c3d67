package httpapi_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const hmacSecret = "0123456789abcdef"

// everyWay configures a source for each way to authenticate, with the largest bodies.
func everyWay(t *testing.T) func(*httpapi.Options) {
	return func(o *httpapi.Options) {
		_, ca := anAuthority(t)
		for name, auth := range map[string]auth.Auth{
			"signed": {HMAC: &auth.HMAC{Secret: hmacSecret}}, "basic": {Basic: &auth.Basic{User: "siem", Password: siemToken}},
			"url": {URLToken: siemToken, Addresses: []string{"127.0.0.1"}}, "open": {},
			"falcon": {HMAC: &auth.HMAC{Secret: hmacSecret, Scheme: "crowdstrike"}}, "certified": {MTLS: &auth.MTLS{CA: ca, Names: []string{"siem"}}},
			"key": {Header: &auth.Header{Name: "X-Api-Key", Value: siemToken}}, "elsewhere": {Bearer: siemToken, Addresses: []string{"192.0.2.0/24"}},
		} {
			s := source(t, sender{Name: name, Kind: "stanch", Auth: auth})
			s.MaxBody = api.MaxBody
			o.Sources[name] = s
		}
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func signedAt(at time.Time, secret, body string) func(*http.Request) {
	return header(auth.SignatureHeader, httpx.Signature(integrations.Secret(secret), at, []byte(body)))
}

func basicAuth(pair string) func(*http.Request) {
	return header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
}

// A thousand wrong requests of each class: none is accepted, each is counted,
// and the right one is served all the time.
func TestWrongRequestsAreCountedAndNeverAccepted(t *testing.T) {
	const each = 1000
	s := newSide(t, everyWay(t))
	h := host(t)
	body := alert("forged", "note", h)
	old, now := time.Now().Add(-time.Hour), time.Now()
	classes := []struct {
		name, path, token string
		edit              func(*http.Request)
	}{
		{"no credential", "/v1/alerts/siem", "", func(*http.Request) {}},
		{"a wrong bearer token", "/v1/alerts/siem", "guess", func(*http.Request) {}},
		{"a person's token", "/v1/alerts/siem", aliceToken, func(*http.Request) {}},
		{"wrong basic credentials", "/v1/alerts/basic", "", basicAuth("siem:guess")},
		{"a wrong url token", "/v1/alerts/url?token=guess", "", func(*http.Request) {}},
		{"a wrong signature", "/v1/alerts/signed", "", signedAt(now, "another secret of 16", body)},
		{"a signature of another body", "/v1/alerts/signed", "", signedAt(now, hmacSecret, body+" ")},
		{"a signature of before", "/v1/alerts/signed", "", signedAt(old, hmacSecret, body)},
		{"a wrong key in a header", "/v1/alerts/key", "", header("X-Api-Key", "guess")},
		{"a right token from another address", "/v1/alerts/elsewhere", siemToken, func(*http.Request) {}},
		{"an address that the sender made up", "/v1/alerts/elsewhere", siemToken, header("X-Forwarded-For", "192.0.2.7")},
		{"an unknown source", "/v1/alerts/nobody", siemToken, func(*http.Request) {}},
		{"a source without auth", "/v1/alerts/open", siemToken, func(*http.Request) {}},
		{"a wrong person's token", "/v1/pause", "guess", func(*http.Request) {}},
	}
	throttled := 0
	for _, c := range classes {
		for i := range each {
			switch a := s.call("POST", c.path, c.token, body, c.edit); a.status {
			case http.StatusUnauthorized:
			case http.StatusTooManyRequests:
				if throttled++; a.header.Get("Retry-After") == "" {
					t.Fatalf("%s: throttled without a time", c.name)
				}
			default:
				t.Fatalf("%s, request %d: answered %d %s", c.name, i, a.status, a.body)
			}
		}
	}
	s.call("GET", "/v1/cases/note/"+h, aliceToken, nil).refused(404, "not_found")
	right := alert("right", "note", h)
	s.call("POST", "/v1/alerts/siem", siemToken, right).is(202, nil)
	s.call("POST", "/v1/alerts/basic", "", right, basicAuth("siem:"+siemToken)).is(202, nil)
	s.call("POST", "/v1/alerts/key", "", right, header("X-Api-Key", siemToken)).is(202, nil)
	s.call("POST", "/v1/alerts/url?token="+siemToken, "", right).is(202, nil)
	s.call("POST", "/v1/alerts/signed", "", right, signedAt(now, hmacSecret, right)).is(202, nil)
	if throttled < each*len(classes)/2 {
		t.Errorf("%d of %d wrong requests were throttled", throttled, each*len(classes))
	}
	counted := 0
	for line := range strings.Lines(string(s.call("GET", "/metrics", "", nil).is(200, nil).body)) {
		if strings.HasPrefix(line, "stanch_refused_total{") {
			n, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			counted += int(n)
		}
	}
	if counted != each*len(classes) {
		t.Errorf("%d wrong requests are counted, %d were sent", counted, each*len(classes))
	}
	t.Logf("%d wrong requests of each of %d classes: 0 accepted, %d throttled", each, len(classes), throttled)
}

// A client without a credential cannot distinguish a source that exists from one
// that does not, regardless of the request.
func TestAStrangerCannotTellWhichSourcesThereAre(t *testing.T) {
	body := alert("a", "note", "x")
	large := strings.Repeat("x", api.MaxBody+1)
	for name, edit := range map[string]func(*http.Request){
		"nothing": func(*http.Request) {}, "a bearer token": header("Authorization", "Bearer guess"), "basic": basicAuth("siem:guess"), "a key": header("X-Api-Key", "guess"), "a token from elsewhere": header("Authorization", "Bearer "+hmacSecret),
		"a forged signature": signedAt(time.Now(), "another secret of 16", body), "a torn signature": header(auth.SignatureHeader, "t=1,v1="),
		"another scheme's": func(req *http.Request) {
			req.Header.Set("X-Cs-Delivery-Timestamp", time.Now().Format(time.RFC3339))
			req.Header.Set("X-Cs-Primary-Signature", "guess")
		},
	} {
		for what, body := range map[string]string{"a body": body, "a large body": large, "none": ""} {
			s := newSide(t, everyWay(t))
			var first answer
			for i, source := range []string{"nobody", "siem", "signed", "basic", "url", "open", "key", "elsewhere", "falcon", "certified"} {
				for _, method := range []string{"POST", "GET", "PUT"} {
					a := s.call(method, "/v1/alerts/"+source, "", body, edit)
					a.header.Del("Date")
					if method != "POST" {
						if a.status != http.StatusMethodNotAllowed {
							t.Errorf("%s %s is answered %d", method, source, a.status)
						}
						continue
					}
					if i == 0 {
						first = a
					}
					if a.status != first.status || string(a.body) != string(first.body) || fmt.Sprint(a.header) != fmt.Sprint(first.header) || a.status < 400 {
						t.Errorf("%s with %s: %s is answered %d %s %v, which tells it apart", name, what, source, a.status, a.body, a.header)
					}
				}
			}
		}
	}
}

// resident is the memory of this process, after unused memory was returned.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// Hundreds of clients that send large bodies slowly take little memory, and block
// no client that has a credential.
func TestSlowBodiesTakeNoMemory(t *testing.T) {
	const connections = 300
	o := options(t)
	everyWay(t)(&o)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httpapi.New(o).Server()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-served })
	s := &side{t, "http://" + listener.Addr().String()}
	h := host(t)
	send := func(id string) {
		body := alert(id, "note", h)
		s.call("POST", "/v1/alerts/signed", "", body, signedAt(time.Now(), hmacSecret, body)).is(202, nil)
		s.call("POST", "/v1/alerts/siem", siemToken, body).is(202, nil)
	}
	send("at rest")
	rest := resident(t)
	part := make([]byte, api.MaxBody-1)
	for name, head := range map[string]string{
		"without a credential":    "",
		"with a forged signature": fmt.Sprintf("%s: t=%d,v1=%s\r\n", auth.SignatureHeader, time.Now().Unix(), strings.Repeat("0", 64)),
	} {
		for i := range connections {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			source := []string{"siem", "signed", "basic", "url", "open", "nobody"}[i%6]
			_, _ = fmt.Fprintf(conn, "POST /v1/alerts/%s HTTP/1.1\r\nHost: stanch\r\n%sContent-Length: %d\r\n\r\n", source, head, api.MaxBody)
			go func() {
				_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
				_, _ = conn.Write(part)
			}()
			if head == "" {
				// Refused at once, without waiting for its body.
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("%s, connection %d: %v", name, i, err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusTooManyRequests {
					t.Fatalf("%s: answered %s", name, resp.Status)
				}
			}
		}
		eventually(t, "whoever has a credential is served", func() bool {
			body := alert("meanwhile", "note", h)
			return s.call("POST", "/v1/alerts/signed", "", body, signedAt(time.Now(), hmacSecret, body)).status == 202
		})
		send(name)
		now := resident(t)
		t.Logf("%s: %d connections, %d MiB at rest, %d MiB now, %.2f times", name, connections, rest>>20, now>>20, float64(now)/float64(rest))
		if float64(now) > 1.2*float64(rest) {
			t.Errorf("%s: %d MiB at rest are %d MiB now", name, rest>>20, now>>20)
		}
	}
}

// A path in another spelling is not found: no client is redirected to an
// address that has the query of the request, with the token in it.
func TestAnotherSpellingOfAPathIsNowhere(t *testing.T) {
	needsEngine(t)
	s := newSide(t, everyWay(t))
	for _, path := range []string{"//v1/alerts/url", "/v1//alerts/url", "/v1/./alerts/url", "/v1/x/../alerts/url", "/v1/alerts/url/", "/v1/alerts/url//", "/v1/alerts/url/."} {
		for _, method := range []string{"POST", "GET"} {
			a := s.call(method, path+"?token="+siemToken, "", nil)
			if a.status != http.StatusNotFound || strings.Contains(fmt.Sprint(a.header)+string(a.body), siemToken) {
				t.Errorf("%s %s: answered %d %s %v", method, path, a.status, a.body, a.header)
			}
		}
	}
	s.call("GET", "/v1/cases", aliceToken, nil).is(200, nil)
}

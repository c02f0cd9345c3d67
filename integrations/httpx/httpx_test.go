package httpx_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// The environment's proxy is read once per process, and never asked for
// loopback, so that it concerns only those who configure it.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "by the proxy")
	}))
	defer proxy.Close()
	if err := os.Setenv("HTTP_PROXY", proxy.URL); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}

func open(t testing.TB, o httpx.Options) *httpx.Client {
	t.Helper()
	c, err := httpx.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// wrong fails unless err is of the kind and keeps its secrets.
func wrong(t testing.TB, err error, kind integrations.Kind) *integrations.Error {
	t.Helper()
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", err, err), "hunter2") {
		t.Errorf("the error shows a secret: %v", err)
	}
	return e
}

// secretly puts a secret into every part of an address that can hold one.
func secretly(address string) string {
	return strings.Replace(address, "://", "://user:hunter2@", 1) + "/hooks/hunter2?token=hunter2"
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		status      int
		read, write integrations.Kind
	}{
		{http.StatusMultipleChoices, integrations.Invalid, integrations.Invalid},
		{http.StatusNotModified, integrations.Invalid, integrations.Invalid},
		{http.StatusBadRequest, integrations.Invalid, integrations.Invalid},
		{http.StatusUnauthorized, integrations.Denied, integrations.Denied},
		{http.StatusPaymentRequired, integrations.Denied, integrations.Denied},
		{http.StatusForbidden, integrations.Denied, integrations.Denied},
		{http.StatusNotFound, integrations.NotFound, integrations.NotFound},
		{http.StatusRequestTimeout, integrations.Unavailable, integrations.Ambiguous},
		{http.StatusConflict, integrations.Conflict, integrations.Conflict},
		{http.StatusGone, integrations.NotFound, integrations.NotFound},
		{http.StatusRequestEntityTooLarge, integrations.Invalid, integrations.Invalid},
		{http.StatusUnprocessableEntity, integrations.Invalid, integrations.Invalid},
		{http.StatusTooEarly, integrations.Unavailable, integrations.Unavailable},
		{http.StatusTooManyRequests, integrations.Throttled, integrations.Throttled},
		{http.StatusInternalServerError, integrations.Unavailable, integrations.Ambiguous},
		{http.StatusServiceUnavailable, integrations.Unavailable, integrations.Ambiguous},
		{599, integrations.Unavailable, integrations.Ambiguous},
	} {
		t.Run(http.StatusText(tt.status), func(t *testing.T) {
			calls := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.WriteHeader(tt.status)
				if tt.status != http.StatusNotModified {
					fmt.Fprint(w, `{"code":2001,"message":"hunter2"}`)
				}
			}))
			defer s.Close()
			c := open(t, httpx.Options{})
			for write, kind := range map[bool]integrations.Kind{false: tt.read, true: tt.write} {
				a, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodPost, URL: secretly(s.URL), Body: []byte("{}"), Write: write})
				wrong(t, err, kind)
				if a.Status != tt.status || tt.status != http.StatusNotModified && !strings.Contains(string(a.Body), "2001") {
					t.Errorf("answer %d %q, want the refusal", a.Status, a.Body)
				}
			}
			if calls != 2 {
				t.Errorf("two calls made %d requests", calls)
			}
		})
	}
}

func TestWait(t *testing.T) {
	date := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"seconds":               {map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"date":                  {map[string]string{"Retry-After": date.Add(90 * time.Second).Format(http.TimeFormat)}, 90 * time.Second},
		"date that has passed":  {map[string]string{"Retry-After": date.Add(-time.Hour).Format(http.TimeFormat)}, 0},
		"the vendor's seconds":  {map[string]string{"Ratelimit-Reset": "20"}, 20 * time.Second},
		"the vendor's moment":   {map[string]string{"Ratelimit-Reset": fmt.Sprint(date.Add(time.Minute).Unix())}, time.Minute},
		"in milliseconds":       {map[string]string{"Ratelimit-Reset": fmt.Sprint(date.Add(time.Minute).UnixMilli())}, time.Minute},
		"the standard is first": {map[string]string{"Retry-After": "7", "Ratelimit-Reset": "20"}, 7 * time.Second},
		"nonsense, then sense":  {map[string]string{"Retry-After": "soon", "Ratelimit-Reset": "20"}, 20 * time.Second},
		"for ever":              {map[string]string{"Retry-After": "999999999"}, time.Hour},
		"negative":              {map[string]string{"Retry-After": "-5"}, 0},
		"nothing":               {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", date.Format(http.TimeFormat))
				for k, v := range tt.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			defer s.Close()
			_, err := open(t, httpx.Options{WaitHeader: "ratelimit-reset"}).Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL})
			if e := wrong(t, err, integrations.Throttled); e.After != tt.want {
				t.Errorf("throttled for %s, want %s", e.After, tt.want)
			}
		})
	}
}

func TestOneAttempt(t *testing.T) {
	var done atomic.Int64
	s := faulty.New(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done.Add(1) }))
	c := open(t, httpx.Options{Timeout: 200 * time.Millisecond})
	// The header makes net/http take the request for one that it may repeat.
	write := httpx.Request{
		Op: "change it", Method: http.MethodPost, URL: secretly(s.URL()), Body: []byte("{}"), Write: true,
		Header: http.Header{"Idempotency-Key": {"k"}},
	}
	read := httpx.Request{Op: "ask", Method: http.MethodPost, URL: secretly(s.URL()), Body: []byte("{}")}
	for _, tt := range []struct {
		fault       contract.Fault
		read, write integrations.Kind
		calls       int
		done        int64
	}{
		{contract.LoseAnswer, integrations.Unavailable, integrations.Ambiguous, 2, 2},
		{contract.Hang, integrations.Unavailable, integrations.Ambiguous, 2, 0},
		{contract.Works, "", "", 2, 2}, // else it would not be asked any more
		{contract.Down, integrations.Unavailable, integrations.Unavailable, 0, 0},
		{contract.Works, "", "", 2, 2},
		{contract.LoseAnswer, integrations.Unavailable, integrations.Ambiguous, 2, 2}, // now with an idle connection
	} {
		s.Break(tt.fault)
		calls, was := s.Calls(), done.Load()
		for _, call := range []struct {
			httpx.Request
			kind integrations.Kind
		}{{write, tt.write}, {read, tt.read}} {
			_, err := c.Do(t.Context(), call.Request)
			if call.kind == "" {
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			wrong(t, err, call.kind)
		}
		if carried := done.Load() - was; s.Calls()-calls != tt.calls || carried != tt.done {
			t.Errorf("%q: two calls made %d requests, of which %d were carried out; want %d and %d",
				tt.fault, s.Calls()-calls, carried, tt.calls, tt.done)
		}
	}
}

func TestCancelled(t *testing.T) {
	s := faulty.New(t, http.NotFoundHandler())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(t, httpx.Options{}).Do(ctx, httpx.Request{Op: "change it", Method: http.MethodPost, URL: s.URL(), Write: true})
	wrong(t, err, integrations.Unavailable)
	if !errors.Is(err, context.Canceled) || s.Calls() != 0 {
		t.Errorf("error %v after %d requests, want a cancelled one that was not sent", err, s.Calls())
	}
}

func TestBodyIsBounded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", len(r.URL.Path)-1))
	}))
	defer s.Close()
	c := open(t, httpx.Options{MaxBody: 8})
	a, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL + "/12345678"})
	if err != nil || len(a.Body) != 8 {
		t.Fatalf("%d bytes, %v", len(a.Body), err)
	}
	_, err = c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL + "/123456789"})
	wrong(t, err, integrations.Unavailable)
	_, err = c.Do(t.Context(), httpx.Request{Op: "change it", Method: http.MethodPost, URL: s.URL + "/123456789", Write: true})
	wrong(t, err, integrations.Ambiguous)
}

func TestTornBody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"torn":`)
	}))
	defer s.Close()
	c := open(t, httpx.Options{})
	for write, kind := range map[bool]integrations.Kind{false: integrations.Unavailable, true: integrations.Ambiguous} {
		_, err := c.JSON(t.Context(), httpx.Request{Op: "ask", Method: http.MethodPost, URL: s.URL, Write: write}, nil, &struct{}{})
		wrong(t, err, kind)
	}
}

func TestRedirects(t *testing.T) {
	var leaked []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked = append(leaked, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	mux := http.NewServeMux()
	mux.Handle("/away", http.RedirectHandler(other.URL+"/?token=hunter2", http.StatusTemporaryRedirect))
	mux.Handle("/moved", http.RedirectHandler("/here", http.StatusTemporaryRedirect))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	here := 0
	mux.HandleFunc("/here", func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "hunter2" {
			here++
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	c := open(t, httpx.Options{})
	call := func(path string, write bool) error {
		_, err := c.Do(t.Context(), httpx.Request{
			Op: "ask", Method: http.MethodPost, URL: s.URL + path, Body: []byte("{}"), Write: write,
			Header: http.Header{"Authorization": {"hunter2"}},
		})
		return err
	}
	if err := call("/moved", false); err != nil || here != 1 {
		t.Errorf("a read was not led on within its host: %v", err)
	}
	for _, path := range []string{"/away", "/round"} {
		wrong(t, call(path, false), integrations.Invalid)
	}
	for _, path := range []string{"/away", "/moved"} {
		wrong(t, call(path, true), integrations.Invalid)
	}
	if here != 1 || len(leaked) > 0 {
		t.Errorf("a write was repeated %d times, credentials went elsewhere %d times", here-1, len(leaked))
	}
}

func TestGuard(t *testing.T) {
	s := faulty.New(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{
		s.URL(), "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port,
		"http://10.0.0.1", "http://192.168.1.1", "http://172.16.0.1", "http://169.254.169.254", "http://100.64.0.1",
		"http://[fe80::1]", "http://[fd00::1]", "http://[::]:" + port,
	}
	for name, o := range map[string]httpx.Options{
		"nothing": {Guard: true, Timeout: 2 * time.Second},
		"another": {Guard: true, Timeout: 2 * time.Second, Allow: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")}},
	} {
		c := open(t, o)
		for _, address := range addresses {
			t.Run(name+" allowed, "+address, func(t *testing.T) {
				_, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodPost, URL: address, Write: true})
				wrong(t, err, integrations.Invalid)
				wrong(t, c.Connect(t.Context(), "look", address), integrations.Invalid)
			})
		}
	}
	// The proxy would bypass the guard: it is on loopback, which is allowed here.
	allowed := open(t, httpx.Options{Guard: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	away := httpx.Request{Op: "ask", Method: http.MethodGet, URL: "http://10.0.0.1"}
	_, err = allowed.Do(t.Context(), away)
	wrong(t, err, integrations.Invalid)
	if a, err := open(t, httpx.Options{}).Do(t.Context(), away); err != nil || string(a.Body) != "by the proxy" {
		t.Errorf("without a guard the environment's proxy is not used: %q, %v", a.Body, err)
	}
	if _, err := allowed.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL()}); err != nil || s.Calls() != 1 {
		t.Errorf("%d calls arrived, want the one that is allowed: %v", s.Calls(), err)
	}
}

func TestTLS(t *testing.T) {
	sent := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent++ }))
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	stranger, trusted := open(t, httpx.Options{}), open(t, httpx.Options{CA: ca})
	_, err := stranger.Do(t.Context(), httpx.Request{Op: "change it", Method: http.MethodPost, URL: secretly(s.URL), Write: true})
	// The certificate was refused before anything was sent.
	wrong(t, err, integrations.Unavailable)
	wrong(t, stranger.Connect(t.Context(), "look", s.URL), integrations.Unavailable)
	if err := trusted.Connect(t.Context(), "look", s.URL); err != nil || sent != 0 {
		t.Errorf("to look sent %d requests: %v", sent, err)
	}
	if _, err := trusted.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL}); err != nil || sent != 1 {
		t.Errorf("the authority is not trusted, %d requests: %v", sent, err)
	}
	// The name must be the certificate's own.
	wrong(t, trusted.Connect(t.Context(), "look", strings.Replace(s.URL, "127.0.0.1", "localhost", 1)), integrations.Unavailable)
	_, err = trusted.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: strings.Replace(s.URL, "https", "http", 1)})
	wrong(t, err, integrations.Invalid)
	for name, text := range map[string]string{"empty.pem": "", "key.pem": "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := httpx.New(httpx.Options{CA: path}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s is taken for authorities, or shown: %v", name, err)
		}
	}
	if _, err := httpx.New(httpx.Options{CA: "absent.pem"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestNotHTTP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "echo of your token hunter2\r\n\r\n")
			conn.Close()
		}
	}()
	_, err = open(t, httpx.Options{}).Do(t.Context(), httpx.Request{Op: "change it", Method: http.MethodPost, URL: "http://" + listener.Addr().String(), Write: true})
	wrong(t, err, integrations.Ambiguous)
}

func TestAddresses(t *testing.T) {
	c := open(t, httpx.Options{})
	for _, address := range []string{"", "/v1", "hooks.example", "ftp://hooks.example", "https://user:hunter2/x@hooks.example", "https://hooks.example:hunter2", "https:///hunter2", "%"} {
		_, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: address})
		wrong(t, err, integrations.Invalid)
		wrong(t, c.Connect(t.Context(), "look", address), integrations.Invalid)
	}
}

func TestJSON(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept"); got != "application/json" && got != "application/vnd.example+json" {
			t.Errorf("accepts %q", got)
		}
		if agent := r.Header.Get("User-Agent"); !strings.HasPrefix(agent, "stanch") {
			t.Errorf("the user agent is %q", agent)
		}
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("the content is of type %q", r.Header.Get("Content-Type"))
		}
		fmt.Fprint(w, `{"n":7,"new":"field"}`)
	}))
	defer s.Close()
	c := open(t, httpx.Options{})
	var out struct{ N int }
	r := httpx.Request{Op: "ask", Method: http.MethodPost, URL: s.URL}
	if _, err := c.JSON(t.Context(), r, map[string]int{"a": 1}, &out); err != nil || out.N != 7 {
		t.Errorf("decoded %+v, %v", out, err)
	}
	r.Method, r.Header = http.MethodGet, http.Header{"Accept": {"application/vnd.example+json"}}
	if _, err := c.JSON(t.Context(), r, nil, nil); err != nil {
		t.Error(err)
	}
	_, err := c.JSON(t.Context(), r, func() {}, nil)
	wrong(t, err, integrations.Invalid)
}

func TestDecode(t *testing.T) {
	for body, want := range map[string]string{
		`{"n":1}`:                    "",
		" {\"n\":1}\n":               "",
		``:                           "the answer is not the JSON that was expected",
		`<html>hunter2</html>`:       "the answer is not JSON, at byte 1",
		`{"n":`:                      "the answer is not the JSON that was expected",
		`{"n":"hunter2"}`:            `"n" of the answer is not of type int, at byte 14`,
		`{"n":1}{"n":2}`:             "unexpected data after the JSON of the answer, at byte 8",
		`{"n":1} hunter2`:            "unexpected data after the JSON of the answer, at byte 8",
		`{"n":99999999999999999999}`: `"n" of the answer is not of type int, at byte 25`,
	} {
		var out struct {
			N int `json:"n"`
		}
		err := httpx.Decode([]byte(body), &out)
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"n":1}`))
	f.Add([]byte(`{"n":"hunter2"}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var out struct {
			N *int `json:"n"`
		}
		if err := httpx.Decode(body, &out); err != nil && len(err.Error()) > 100 {
			t.Errorf("a long error: %d bytes", len(err.Error()))
		}
	})
}

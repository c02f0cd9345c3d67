package httpx_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

func form(t *testing.T, text string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// mutual is a product that wants a certificate of its clients, and the file of its authority.
func mutual(t *testing.T) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, ca
}

func TestClientCertificate(t *testing.T) {
	s, ca := mutual(t)
	certificate, key, _ := pair(t, rsaKey(t))
	ask := httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL}
	for _, write := range []bool{false, true} {
		ask.Write = write
		a, err := open(t, httpx.Access{CA: ca, Certificate: certificate, Key: key}.Options()).Do(t.Context(), ask)
		if err != nil || string(a.Body) != "us" {
			t.Errorf("write %t: the product sees %q: %v", write, a.Body, err)
		}
	}
	ask.Write = false
	_, err := open(t, httpx.Options{CA: ca}).Do(t.Context(), ask)
	wrong(t, err, integrations.Unavailable)
	for name, o := range map[string]httpx.Access{
		"a certificate without its key": {Certificate: certificate}, "a key without its certificate": {Key: key},
		"files that are not there": {Certificate: "absent.pem", Key: "absent.key"}, "files that are exchanged": {Certificate: key, Key: certificate},
	} {
		if _, err := httpx.New(o.Options()); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// gate is a proxy that connects those who know its password.
type gate struct {
	status    int
	connected atomic.Int64
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("us:hunter2")); r.Header.Get("Proxy-Authorization") != want {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if g.status != http.StatusOK {
		w.WriteHeader(g.status)
		return
	}
	if r.Method != http.MethodConnect {
		g.connected.Add(1)
		_, _ = io.WriteString(w, "by the gate")
		return
	}
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer to.Close()
	w.WriteHeader(http.StatusOK)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	g.connected.Add(1)
	go func() { _, _ = io.Copy(to, buffered) }()
	_, _ = io.Copy(conn, to)
}

func TestProxy(t *testing.T) {
	product, ca := mutual(t)
	certificate, key, _ := pair(t, rsaKey(t))
	g := &gate{status: http.StatusOK}
	proxy := httptest.NewServer(g)
	defer proxy.Close()
	address := func(user string) integrations.Secret {
		return integrations.Secret(strings.Replace(proxy.URL, "http://", "http://"+user+"@", 1))
	}
	through := func(proxy integrations.Secret) *httpx.Client {
		return open(t, httpx.Access{CA: ca, Certificate: certificate, Key: key, Proxy: proxy, Timeout: 5 * time.Second}.Options())
	}
	ask := httpx.Request{Op: "ask", Method: http.MethodPost, URL: product.URL, Write: true}
	if a, err := through(address("us:hunter2")).Do(t.Context(), ask); err != nil || string(a.Body) != "us" || g.connected.Load() != 1 {
		t.Errorf("through the proxy: %q, %v, %d connections", a.Body, err, g.connected.Load())
	}
	if a, err := through(address("us:hunter2")).Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: "http://edr.example/"}); err != nil || string(a.Body) != "by the gate" {
		t.Errorf("without TLS: %q, %v", a.Body, err)
	}
	if err := through(address("us:hunter2")).Connect(t.Context(), "look", "https://edr.example"); err != nil {
		t.Errorf("to look for what is behind a proxy: %v", err)
	}
	// What a proxy refuses was not sent to the product.
	e := wrong(t, func() error { _, err := through(address("us:hunter2-not")).Do(t.Context(), ask); return err }(), integrations.Denied)
	if !strings.Contains(e.Error(), "HTTP status 407") {
		t.Errorf("error %v", e)
	}
	for status, kind := range map[int]integrations.Kind{403: integrations.Denied, 502: integrations.Unavailable, 503: integrations.Unavailable} {
		g.status = status
		_, err := through(address("us:hunter2")).Do(t.Context(), ask)
		wrong(t, err, kind)
	}
	proxy.Close()
	_, err := through(address("us:hunter2")).Do(t.Context(), ask)
	wrong(t, err, integrations.Unavailable)
	for name, o := range map[string]httpx.Options{
		"no address": {Proxy: "hunter2"}, "another scheme": {Proxy: "ftp://us:hunter2@proxy.example"}, "no text of an address": {Proxy: "http://us:hunter2/x@proxy"},
		"a guard": {Proxy: "http://us:hunter2@proxy.example:3128", Guard: true},
	} {
		if _, err := httpx.New(o); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

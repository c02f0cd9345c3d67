package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
)

// signs makes a client's certificate of that name, signed by an authority.
type signs func(name string) tls.Certificate

// anAuthority makes an authority, and a file with its certificate.
func anAuthority(t *testing.T) (signs, string) {
	t.Helper()
	make := func(c, by *x509.Certificate, with *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if by == nil {
			by, with = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, with)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made, key
	}
	ca, key := make(&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(name string) tls.Certificate {
		own, ownKey := make(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, key)
		return tls.Certificate{Certificate: [][]byte{own.Raw}, PrivateKey: ownKey, Leaf: own}
	}, file
}

// Over real connections, a source with mtls is open to the certificate that it
// names, and to no other; a source of another method is not disturbed by one.
func TestASenderWithACertificate(t *testing.T) {
	needsEngine(t)
	sign, ca := anAuthority(t)
	strange, _ := anAuthority(t)
	o := options(t)
	o.Sources["certified"] = source(t, sender{Name: "certified", Kind: "stanch", Auth: auth.Auth{MTLS: &auth.MTLS{CA: ca, Names: []string{"siem"}}}})
	server := httptest.NewUnstartedServer(httpapi.New(o).Handler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	body := alert("certified", "note", host(t))
	post := func(path, token string, shown ...tls.Certificate) int {
		t.Helper()
		transport, ok := server.Client().Transport.(*http.Transport)
		if !ok {
			t.Fatal("the client has another transport")
		}
		transport = transport.Clone()
		t.Cleanup(transport.CloseIdleConnections)
		transport.TLSClientConfig.Certificates = shown
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for name, c := range map[string]struct{ got, want int }{
		"the named one":             {post("/v1/alerts/certified", "", sign("siem")), http.StatusAccepted},
		"another name":              {post("/v1/alerts/certified", "", sign("eve")), http.StatusUnauthorized},
		"another authority":         {post("/v1/alerts/certified", "", strange("siem")), http.StatusUnauthorized},
		"none":                      {post("/v1/alerts/certified", ""), http.StatusUnauthorized},
		"a token in its place":      {post("/v1/alerts/certified", siemToken), http.StatusUnauthorized},
		"a token beside a strange":  {post("/v1/alerts/siem", siemToken, strange("siem")), http.StatusAccepted},
		"for a token":               {post("/v1/alerts/siem", "", sign("siem")), http.StatusUnauthorized},
		"for an unconfigured":       {post("/v1/alerts/nobody", "", sign("siem")), http.StatusUnauthorized},
		"without TLS at all":        {newSideOf(t, o).call("POST", "/v1/alerts/certified", "", body).status, http.StatusUnauthorized},
		"its name in a header only": {newSideOf(t, o).call("POST", "/v1/alerts/certified", "", body, header("X-Forwarded-Client-Cert", "Subject=\"CN=siem\"")).status, http.StatusUnauthorized},
	} {
		if c.got != c.want {
			t.Errorf("%s: answered %d, want %d", name, c.got, c.want)
		}
	}
}

func newSideOf(t *testing.T, o httpapi.Options) *side {
	return newSide(t, func(other *httpapi.Options) { *other = o })
}

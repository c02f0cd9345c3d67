package service

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations/all"
)

// issued writes a certificate, which signed itself, and its key into a folder, as renewal
// does: one file after the other. It is one for clients too.
func issued(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"stanch.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate that is renewed on disk is served without a restart; what cannot be
// read, or does not go together, leaves the one before.
func TestARenewedCertificateIsServed(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	own := &certificate{files: [2]string{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}, log: slog.New(slog.NewTextHandler(&log, nil))}
	if _, err := own.get(nil); err == nil {
		t.Fatal("there is a certificate before there is a file")
	}
	served := func() string {
		t.Helper()
		got, err := own.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.Subject.CommonName
	}
	expect := func(want string) {
		t.Helper()
		if got := served(); got != want {
			t.Errorf("served is %q, want %q", got, want)
		}
	}
	issued(t, dir, "first")
	expect("first")
	expect("first")
	issued(t, dir, "second")
	expect("second")
	issued(t, dir, "third")
	other := t.TempDir()
	issued(t, other, "another")
	// The key is not of this certificate yet.
	if err := os.Rename(filepath.Join(other, "key.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	expect("second")
	if err := os.Rename(filepath.Join(other, "cert.pem"), filepath.Join(dir, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	expect("another")
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	expect("another")
	issued(t, dir, "last")
	expect("last")
	if !bytes.Contains(log.Bytes(), []byte("the renewed certificate cannot be read")) {
		t.Errorf("the log does not say that one could not be read: %s", log.Bytes())
	}
}

// The receiver answers with TLS at a second address, asks for certificates there, and
// serves a renewed one of its own.
func TestTheReceiverWithTLS(t *testing.T) {
	needsEngine(t)
	dir, sender := t.TempDir(), t.TempDir()
	issued(t, dir, "first")
	issued(t, sender, "siem")
	c, err := config.Parse(filepath.Join(dir, "stanch.yaml"), fmt.Appendf(nil, `listen: 127.0.0.1:0
tls: { listen: 127.0.0.1:0, cert: cert.pem, key: key.pem }
sources:
  certified: { kind: stanch, auth: { mtls: { ca: %q, names: [siem] } } }
  token: { kind: stanch, auth: { bearer: only-for-this-test, addresses: [127.0.0.1] } }
`, filepath.Join(sender, "cert.pem")), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	s, stop := running(t, c)
	defer stop()
	shown, err := tls.LoadX509KeyPair(filepath.Join(sender, "cert.pem"), filepath.Join(sender, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	post := func(url, token string, certificates ...tls.Certificate) (status int, server string) {
		t.Helper()
		// Whom it speaks with is looked at below.
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}, ForceAttemptHTTP2: true} //nolint:gosec // see above
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewBufferString(alert))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.ProtoMajor != 1 {
			t.Errorf("it speaks %s", res.Proto)
		}
		if res.TLS != nil {
			server = res.TLS.PeerCertificates[0].Subject.CommonName
		}
		return res.StatusCode, server
	}
	secure := "https://" + s.SecureAddress() + "/v1/alerts/"
	for name, want := range map[string]int{"certified": http.StatusAccepted, "token": http.StatusUnauthorized} {
		if status, server := post(secure+name, "", shown); status != want || server != "first" {
			t.Errorf("%s: answered %d by %s", name, status, server)
		}
	}
	if status, _ := post(secure+"certified", "only-for-this-test"); status != http.StatusUnauthorized {
		t.Errorf("without a certificate: answered %d", status)
	}
	if status, _ := post(s.URL()+"/v1/alerts/certified", "", shown); status != http.StatusUnauthorized {
		t.Errorf("without TLS: answered %d", status)
	}
	issued(t, dir, "renewed")
	if status, server := post(secure+"token", "only-for-this-test"); status != http.StatusAccepted || server != "renewed" {
		t.Errorf("after it was renewed: answered %d by %s", status, server)
	}
}

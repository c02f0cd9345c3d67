package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/all"
)

// pair writes a certificate, which is its own authority, and its key.
func pair(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"stanch.example"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
	write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o644)
	return dir
}

func TestTLSIsRead(t *testing.T) {
	dir := pair(t)
	file := filepath.Join(dir, "stanch.yaml")
	good := "tls: { listen: '0.0.0.0:8443', cert: cert.pem, key: key.pem }\ntrusted_proxies: [10.0.0.5, 2001:db8::/64]\n" +
		"sources: { a: { kind: stanch, auth: { mtls: { ca: cert.pem, names: [siem] }, addresses: [10.0.0.0/8] } } }\n"
	c, err := Parse(file, []byte(good), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if c.TLS.Cert != filepath.Join(dir, "cert.pem") || fmt.Sprint(c.Proxies) != "[10.0.0.5/32 2001:db8::/64]" {
		t.Errorf("cert %s, proxies %v", c.TLS.Cert, c.Proxies)
	}
	// Others may read the key of the test.
	if got := strings.Join(c.Exposed(), " "); got != filepath.Join(dir, "key.pem") {
		t.Errorf("exposed are %s", got)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no port":                {"tls: { listen: here, cert: cert.pem, key: key.pem }\n", `"here" is not host:port, such as 0.0.0.0:8443`},
		"no file":                {"tls: { listen: ':1', cert: hunter2hunter2, key: key.pem }\n", "tls: read cert and key: no such file or directory"},
		"no key":                 {"tls: { listen: ':1', cert: cert.pem }\n", "tls needs key"},
		"the wrong way round":    {"tls: { listen: ':1', cert: key.pem, key: cert.pem }\n", "tls: read cert and key: tls: failed to find certificate PEM data"},
		"mtls without tls":       {"sources: { a: { kind: stanch, auth: { mtls: { ca: cert.pem, names: [a] } } } }\n", "source a: auth.mtls needs tls"},
		"mtls without names":     {good[:strings.Index(good, "trusted")] + "sources: { a: { kind: stanch, auth: { mtls: { ca: cert.pem } } } }\n", "source a: auth.mtls needs names or sha256"},
		"a proxy by name":        {"trusted_proxies: [10.0.0.5, proxy]\n", `invalid address or network "proxy"`},
		"every proxy":            {"trusted_proxies: [0.0.0.0/0]\n", `is every address: anybody could say`},
		"a url token anywhere":   {"sources: { a: { kind: splunk, auth: { url_token: 0123456789abcdef0123 } } }\n", "source a: auth.url_token needs auth.addresses, the addresses or networks of the sender"},
		"an unknown scheme":      {"sources: { a: { kind: stanch, auth: { hmac: { secret: 0123456789abcdef0123, scheme: github } } } }\n", `scheme cannot be "github"`},
		"previous of no method":  {"sources: { a: { kind: stanch, auth: { previous: 0123456789abcdef0123 } } }\n", "source a: auth.previous goes with a method"},
		"a large body":           {"sources: { a: { kind: stanch, max_body: 5MiB } }\n", `source a: max_body is "5MiB"; it is between one byte and 4 MiB`},
		"no body":                {"sources: { a: { kind: stanch, max_body: 0B } }\n", "max_body"},
		"an empty key to cut":    {"sources: { a: { kind: stanch, cut: [x, ''] } }\n", "source a: cut has an empty key"},
		"header without a value": {"sources: { a: { kind: stanch, auth: { header: { name: X-Key } } } }\n", "source a: auth.header needs name and value"},
	} {
		_, err := Parse(file, []byte(c.text), all.Catalog())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: it says\n%v\nnot %q", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "0123456789abcdef0123") || strings.Contains(strings.SplitN(err.Error(), "\n", 2)[0], "hunter2")) {
			t.Errorf("%s: the message shows a secret: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(file, []byte(good), all.Catalog()); err == nil {
		t.Error("the configuration is taken without its certificate")
	}
}

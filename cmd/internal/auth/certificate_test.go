package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// issued is a certificate of the tests with its key.
type issued struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// issue makes a certificate; by nobody means by itself.
func issue(t *testing.T, by *issued, edit func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	edit(c)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{made, key}
}

func authority(t *testing.T, name string) *issued {
	return issue(t, nil, func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: name}, true, x509.KeyUsageCertSign
	})
}

// client is a certificate of that common name.
func client(t *testing.T, by *issued, name string) *issued {
	return issue(t, by, func(c *x509.Certificate) { c.Subject.CommonName = name })
}

// file writes certificates as a file of authorities.
func file(t *testing.T, of ...*issued) string {
	t.Helper()
	var text []byte
	for _, c := range of {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shown is a request of a client that has these certificates.
func shown(t *testing.T, chain ...*issued) *http.Request {
	r := request(t, "/", "", "")
	r.TLS = &tls.ConnectionState{}
	for _, c := range chain {
		r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, c.Certificate)
	}
	return r
}

func TestClientCertificates(t *testing.T) {
	ca, twin, other := authority(t, "Hospital CA"), authority(t, "Hospital CA"), authority(t, "Other CA")
	between := issue(t, ca, func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: "Hospital Sub CA"}, true, x509.KeyUsageCertSign
	})
	pinned, alone := client(t, ca, "a name of its own"), client(t, nil, "siem-1")
	sum := sha256.Sum256(pinned.Raw)
	named := verifier(t, Auth{MTLS: &MTLS{
		CA: file(t, other, ca), Names: []string{"siem-1", "siem.example.org", "spiffe://example.org/siem"}, SHA256: []string{hex.EncodeToString(sum[:])},
	}})
	// The other source knows another authority, which must not speak for this one.
	neighbour := verifier(t, Auth{MTLS: &MTLS{CA: file(t, twin), Names: []string{"siem-1"}}})
	itself := verifier(t, Auth{MTLS: &MTLS{CA: file(t, alone), Names: []string{"siem-1"}}})
	bearer := verifier(t, Auth{Bearer: secret})
	nobody := Nobody(named, neighbour, itself, bearer)
	altName := issue(t, ca, func(c *x509.Certificate) { c.DNSNames = []string{"siem.example.org"} })
	uri := issue(t, ca, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/siem"}} })
	for name, c := range map[string]struct {
		by    *Verifier
		chain []*issued
		ok    bool
	}{
		"common name":             {named, []*issued{client(t, ca, "siem-1")}, true},
		"DNS name":                {named, []*issued{altName}, true},
		"URI":                     {named, []*issued{uri}, true},
		"by its digest":           {named, []*issued{pinned}, true},
		"through another":         {named, []*issued{client(t, between, "siem-1"), between}, true},
		"the second authority":    {named, []*issued{client(t, other, "siem-1")}, true},
		"signed by itself":        {itself, []*issued{alone}, true},
		"none":                    {named, nil, false},
		"another name":            {named, []*issued{client(t, ca, "siem-2")}, false},
		"part of a name":          {named, []*issued{client(t, ca, "siem-1.example.org")}, false},
		"no name":                 {named, []*issued{client(t, ca, "")}, false},
		"of the neighbour's":      {named, []*issued{client(t, twin, "siem-1")}, false},
		"ours at the neighbour":   {neighbour, []*issued{client(t, ca, "siem-1")}, false},
		"the neighbour's":         {neighbour, []*issued{client(t, twin, "siem-1")}, true},
		"by nobody's authority":   {named, []*issued{client(t, authority(t, "Hospital CA"), "siem-1")}, false},
		"alone":                   {named, []*issued{client(t, nil, "siem-1")}, false},
		"without the one between": {named, []*issued{client(t, between, "siem-1")}, false},
		"past": {named, []*issued{issue(t, ca, func(c *x509.Certificate) {
			c.Subject.CommonName, c.NotAfter = "siem-1", time.Now().Add(-time.Minute)
		})}, false},
		"of a server": {named, []*issued{issue(t, ca, func(c *x509.Certificate) {
			c.Subject.CommonName, c.ExtKeyUsage = "siem-1", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		})}, false},
		"to a bearer source":    {bearer, []*issued{client(t, ca, "siem-1")}, false},
		"to a source not there": {nobody, []*issued{client(t, ca, "siem-1")}, false},
		"the second of a chain": {named, []*issued{client(t, nil, "eve"), client(t, ca, "siem-1")}, false},
	} {
		err := verify(c.by, shown(t, c.chain...), nil, now())
		if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(named, request(t, "/", "", ""), nil, now()); !errors.Is(err, ErrDenied) {
		t.Errorf("without TLS: %v", err)
	}
	// Each verifies against the same authorities, also those that take no certificate.
	for _, v := range []*Verifier{named, neighbour, itself, bearer} {
		if !v.clients.all.Equal(nobody.clients.all) {
			t.Error("the time tells which source takes certificates")
		}
	}
}

func TestSettingsOfCertificates(t *testing.T) {
	ca := file(t, authority(t, "CA"))
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]MTLS{
		"auth.mtls.ca: read the file: no such file or directory": {CA: "/nowhere/" + secret, Names: []string{"a"}},
		"auth.mtls.ca: the file has no certificate as PEM":       {CA: empty, Names: []string{"a"}},
		"auth.mtls needs names or sha256":                        {CA: ca},
		"auth.mtls needs names or sha256: ":                      {CA: ca, Names: []string{"a", ""}},
		"auth.mtls.sha256: not 64 hex digits":                    {CA: ca, SHA256: []string{secret}},
	} {
		_, err := Auth{MTLS: &m}.Verifier()
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	verifier(t, Auth{MTLS: &MTLS{CA: ca, SHA256: []string{strings.Join(slices.Repeat([]string{"AB"}, 32), ":")}}})
}

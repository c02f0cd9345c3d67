package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
)

// MTLS is who may send with a client certificate.
type MTLS struct {
	CA     string   `yaml:"ca,required" doc:"File with the certificates, as PEM, of the authorities that sign those of senders. One that signed itself is its own."`
	Names  []string `yaml:"names" doc:"Names of senders: a certificate has one of them exactly, as its subject common name or as an alternative name (DNS, e-mail, address or URI)."`
	SHA256 []string `yaml:"sha256" doc:"SHA-256 of certificates, in hex, that are taken whatever their name is."`
}

// clients are the client certificates that a source takes. A certificate is checked with
// the authorities of all sources, and then must come from one of this source's own.
type clients struct {
	authorities []*x509.Certificate
	names       []string
	pins        [][sha256.Size]byte
	// all holds the authorities of all sources.
	all *x509.CertPool
}

// read reads the file and checks the settings; of none it returns none.
func (m *MTLS) read() (clients, error) {
	if m == nil {
		// Without a pool the system's authorities would be taken.
		return clients{all: x509.NewCertPool()}, nil
	}
	data, err := os.ReadFile(m.CA)
	if err != nil {
		// The path is left out: a secret may be in the wrong place.
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err
		}
		return clients{}, fmt.Errorf("auth.mtls.ca: read the file: %w", err)
	}
	c := clients{names: m.Names}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		authority, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return clients{}, fmt.Errorf("auth.mtls.ca: read certificate %d: %w", len(c.authorities)+1, err)
		}
		c.authorities = append(c.authorities, authority)
	}
	if len(c.authorities) == 0 {
		return clients{}, errors.New("auth.mtls.ca: the file has no certificate as PEM")
	}
	for _, text := range m.SHA256 {
		sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(sum) != sha256.Size {
			return clients{}, errors.New("auth.mtls.sha256: not 64 hex digits, as openssl x509 -noout -fingerprint -sha256 prints them")
		}
		c.pins = append(c.pins, [sha256.Size]byte(sum))
	}
	if len(c.names)+len(c.pins) == 0 || slices.Contains(c.names, "") {
		return clients{}, errors.New("auth.mtls needs names or sha256: the authority alone lets in everybody whom it ever signs")
	}
	c.all = poolOf([]*Verifier{{clients: c}})
	return c, nil
}

// share gives all verifiers the authorities of all.
func share(all []*Verifier) {
	pool := poolOf(all)
	for _, v := range all {
		v.clients.all = pool
	}
}

func poolOf(all []*Verifier) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, v := range all {
		for _, authority := range v.clients.authorities {
			pool.AddCert(authority)
		}
	}
	return pool
}

// certificate checks the certificate that the client proved to have. The server asks
// for one and takes any: only here it is decided whose it is.
func (v *Verifier) certificate(r *http.Request) error {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return denied("no client certificate")
	}
	own, others := r.TLS.PeerCertificates[0], x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		others.AddCert(c)
	}
	chains, err := own.Verify(x509.VerifyOptions{Roots: v.clients.all, Intermediates: others, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return denied("the client certificate is not valid: " + err.Error())
	}
	ours := func(chain []*x509.Certificate) bool {
		return slices.ContainsFunc(v.clients.authorities, chain[len(chain)-1].Equal)
	}
	switch {
	case !slices.ContainsFunc(chains, ours):
		return denied("the client certificate is not signed by an authority of the source")
	case !v.clients.named(own) && !slices.Contains(v.clients.pins, sha256.Sum256(own.Raw)):
		return denied("the client certificate has none of the names of the source")
	}
	return nil
}

// named reports whether a certificate has one of the names of the source.
func (c clients) named(own *x509.Certificate) bool {
	has := slices.Concat([]string{own.Subject.CommonName}, own.DNSNames, own.EmailAddresses)
	for _, address := range own.IPAddresses {
		has = append(has, address.String())
	}
	for _, uri := range own.URIs {
		has = append(has, uri.String())
	}
	return slices.ContainsFunc(has, func(name string) bool { return slices.Contains(c.names, name) })
}

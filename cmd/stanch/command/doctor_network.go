package command

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
)

// certificateLeft is how long a certificate should still be valid: renewal that works has
// changed it before.
const certificateLeft = 14 * 24 * time.Hour

// checkCertificate checks that the certificate of tls is valid now, and for a while.
func checkCertificate(c *config.Config, now time.Time) []finding {
	if c.TLS == nil {
		return nil
	}
	const subject, mend = "tls", "renew the certificate of tls; stanch serve reads it again by itself"
	pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return []finding{bad(subject, mend, "%v", err)}
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return []finding{bad(subject, mend, "%v", err)}
	}
	until := leaf.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case now.After(leaf.NotAfter):
		return []finding{bad(subject, mend, "the certificate was valid until %s", until)}
	case now.Before(leaf.NotBefore):
		return []finding{bad(subject, mend, "the certificate is valid only from %s", leaf.NotBefore.UTC().Format(time.RFC3339))}
	case now.After(leaf.NotAfter.Add(-certificateLeft)):
		return []finding{warn(subject, mend, "the certificate is valid until %s", until)}
	}
	return []finding{fine(subject, "the certificate is valid until %s", until)}
}

//go:build !no_embedded

package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"

	"go.temporal.io/server/common/rpc/encryption"
)

// identity is a key pair that lives as long as the process. The server presents
// it and requires it, so that only this process can connect to itself.
type identity struct {
	server, client *tls.Config
}

func newIdentity() (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "stanch embedded engine"},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().Add(100 * 365 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	pair := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}}
	return &identity{
		server: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: pair, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
		client: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: pair, RootCAs: pool, ServerName: "127.0.0.1"},
	}, nil
}

var _ encryption.TLSConfigProvider = (*identity)(nil)

// GetInternodeServerConfig has the services require the key.
func (i *identity) GetInternodeServerConfig() (*tls.Config, error) { return i.server, nil }

// GetInternodeClientConfig lets the services connect to each other.
func (i *identity) GetInternodeClientConfig() (*tls.Config, error) { return i.client, nil }

// GetFrontendServerConfig has the frontend require the key.
func (i *identity) GetFrontendServerConfig() (*tls.Config, error) { return i.server, nil }

// GetFrontendClientConfig lets the services connect to the frontend.
func (i *identity) GetFrontendClientConfig() (*tls.Config, error) { return i.client, nil }

// GetRemoteClusterClientConfig is never used: there is no other cluster.
func (i *identity) GetRemoteClusterClientConfig(string) (*tls.Config, error) { return i.client, nil }

// GetExpiringCerts finds none: the certificate outlives every process.
func (i *identity) GetExpiringCerts(time.Duration) (expiring, expired encryption.CertExpirationMap, err error) {
	return nil, nil, nil
}

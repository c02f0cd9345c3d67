package httpx

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionLasts is how far the time of an assertion reaches back and ahead, so that
// clocks may differ. Microsoft wants at most ten minutes from one end to the other.
const assertionLasts = 5 * time.Minute

// Certificate proves who a client of OAuth 2.0 is, instead of a secret: it signs an
// assertion for each token (RFC 7523), in the form that Microsoft's identity platform
// wants, PS256 and the certificate's SHA-256 thumbprint.
//
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
type Certificate struct{ signer jose.Signer }

// LoadCertificate reads a certificate and its RSA key from PEM files.
func LoadCertificate(certificate, key string) (*Certificate, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the client certificate: %w", err)
	}
	private, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read the client certificate: the key is a %T, and must be of RSA", pair.PrivateKey)
	}
	thumbprint := sha256.Sum256(pair.Certificate[0])
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: private},
		new(jose.SignerOptions).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(thumbprint[:])))
	if err != nil {
		return nil, fmt.Errorf("read the client certificate: %w", err)
	}
	return &Certificate{signer}, nil
}

// assertion says to whoever gives tokens at the address that the bearer is the client.
func (c *Certificate) assertion(audience, client string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"aud": audience, "iss": client, "sub": client, "jti": rand.Text(), "iat": now.Unix(),
		"nbf": now.Add(-assertionLasts).Unix(), "exp": now.Add(assertionLasts).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("write the client assertion: %w", err)
	}
	signed, err := c.signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign the client assertion: %w", err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("write the client assertion: %w", err)
	}
	return text, nil
}

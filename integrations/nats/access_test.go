package nats_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/nats"
)

// A user with a password, and a token, are let in over TLS, and of wrong ones the error says
// nothing.
func TestWhoIsLetIn(t *testing.T) {
	const secret, wrong integrations.Secret = "c4n4ryS3cretV4lue00xyz", "c4n4ryS3cretV4lue"
	certificates := httptest.NewTLSServer(nil)
	defer certificates.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificates.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		guard  func(*server.Options)
		sender client.Option
		give   func(*nats.Config, integrations.Secret)
	}{
		"a user": {
			func(o *server.Options) { o.Username, o.Password = "stanch", secret.Reveal() },
			client.UserInfo("stanch", secret.Reveal()),
			func(c *nats.Config, s integrations.Secret) { c.User, c.Password = "stanch", s },
		},
		"a token": {
			func(o *server.Options) { o.Authorization = secret.Reveal() },
			client.Token(secret.Reveal()),
			func(c *nats.Config, s integrations.Secret) { c.Token = s },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, func(o *server.Options) {
				o.TLSConfig = &tls.Config{Certificates: certificates.TLS.Certificates, MinVersion: tls.VersionTLS12}
				c.guard(o)
			})
			b.make(c.sender, client.RootCAs(ca))
			lag := func(give func(*nats.Config)) error {
				config := b.config()
				config.TLS, config.CA = true, ca
				give(config)
				p := open(t, config)
				defer p.Close()
				_, err := p.Lag(t.Context())
				return err
			}
			if err := lag(func(config *nats.Config) { c.give(config, secret) }); err != nil {
				t.Errorf("the right one is told %v", err)
			}
			if err := lag(func(config *nats.Config) { c.give(config, wrong) }); err == nil || strings.Contains(err.Error(), "c4n4ry") {
				t.Errorf("a wrong one is told %v", err)
			}
			if err := lag(func(*nats.Config) {}); err == nil {
				t.Error("who gives none is let in")
			}
		})
	}
}

package defender

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
)

func TestProbe(t *testing.T) {
	d := judged(t)
	x := d.open(t, defenderfake.Options{})
	for _, f := range x.Probe(t.Context()) {
		if !f.OK || !f.Warning && f.Fix != "" {
			t.Errorf("with all permissions: %+v", f)
		}
	}
	for name, c := range map[string]struct {
		o    defenderfake.Options
		want string
		ok   bool
	}{
		"no isolation":  {defenderfake.Options{Roles: []string{readMachines, readUsers, liveResponse}}, "lacks Machine.Isolate", false},
		"no users":      {defenderfake.Options{Roles: []string{readMachines, isolate, liveResponse}}, "lacks User.Read.All", true},
		"no hunting":    {defenderfake.Options{GraphRoles: []string{}}, "lacks ThreatHunting.Read.All", false},
		"no machines":   {defenderfake.Options{Roles: []string{isolate}}, "lacks Machine.Read.All", false},
		"no permission": {defenderfake.Options{Roles: []string{}}, "lacks Machine.Isolate", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.open(t, c.o)
			var said []string
			for _, f := range x.Probe(t.Context()) {
				said = append(said, fmt.Sprintf("%t %s", f.OK, f.What))
			}
			if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, fmt.Sprint(c.ok)) && strings.Contains(s, c.want) }) {
				t.Errorf("the findings %q lack %q, ok: %t", said, c.want, c.ok)
			}
			if n := x.world.Effects(""); n != 0 {
				t.Errorf("the probe had %d effects", n)
			}
		})
	}
	x.now = func() time.Time { return time.Now().Add(3 * time.Minute) }
	clock := func(ok bool) {
		t.Helper()
		if !slices.ContainsFunc(x.Probe(t.Context()), func(f integrations.Finding) bool {
			return strings.Contains(f.What, "the clock differs") && f.OK == ok
		}) {
			t.Errorf("a clock that is wrong is not found as ok: %t", ok)
		}
	}
	clock(true)
	x.now = func() time.Time { return time.Now().Add(-6 * time.Minute) }
	clock(false)
}

// signed is a certificate of its own, and the files of it and of its key.
func signed(t *testing.T, until time.Time) (parsed *x509.Certificate, certificate, key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return parsed, filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
}

// A certificate proves who the application is, instead of a secret.
func TestACertificateIsACredential(t *testing.T) {
	d := judged(t)
	for name, c := range map[string]struct {
		until time.Time
		says  string
		warns bool
	}{
		"good": {time.Now().Add(90 * 24 * time.Hour), "the certificate is good until", false}, "ends soon": {time.Now().Add(10 * 24 * time.Hour), "the certificate is good until", true},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, file, keyFile := signed(t, c.until)
			x := d.open(t, defenderfake.Options{Certificates: []*x509.Certificate{certificate}}, func(c *Config) {
				c.ClientSecret, c.ClientCertificate, c.ClientKey = "", file, keyFile
			})
			if !slices.ContainsFunc(x.Probe(t.Context()), func(f integrations.Finding) bool {
				return strings.Contains(f.What, c.says) && f.OK && f.Warning == c.warns
			}) {
				t.Errorf("the findings are %+v", x.Probe(t.Context()))
			}
			for _, f := range x.Probe(t.Context()) {
				if !f.OK {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

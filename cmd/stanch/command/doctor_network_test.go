package command

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
)

func TestDoctorLooksAtTheCertificate(t *testing.T) {
	now := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{TLS: &config.HTTPS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}}
	for file, block := range map[string]pem.Block{c.TLS.Cert: {Type: "CERTIFICATE", Bytes: der}, c.TLS.Key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for after, want := range map[time.Duration]finding{
		0:                   fine("tls", ""),
		-time.Second:        bad("tls", "", ""),
		76 * 24 * time.Hour: fine("tls", ""),
		77 * 24 * time.Hour: warn("tls", "", ""),
		91 * 24 * time.Hour: bad("tls", "", ""),
	} {
		if got := checkCertificate(c, now.Add(after)); len(got) != 1 || got[0].OK != want.OK || got[0].Warning != want.Warning || got[0].About != "tls" {
			t.Errorf("after %s it finds %+v", after, got)
		}
	}
	if got := checkCertificate(&config.Config{}, now); len(got) != 0 {
		t.Errorf("without tls it finds %+v", got)
	}
}

package engine

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a certificate of a new authority, and its key, in a folder.
func write(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return file("cert.pem", "CERTIFICATE", der), file("key.pem", "PRIVATE KEY", secret)
}

func TestTLSLoad(t *testing.T) {
	cert, key := write(t)
	c, err := TLS{Cert: cert, Key: key, CA: cert, ServerName: "temporal.example"}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Certificates) != 1 || c.RootCAs == nil || c.ServerName != "temporal.example" {
		t.Errorf("loaded %d certificates, authorities %v, name %q", len(c.Certificates), c.RootCAs, c.ServerName)
	}
	if c, err := (TLS{}).Load(); err != nil || c.RootCAs != nil || len(c.Certificates) != 0 {
		t.Errorf("without files: %v, %v; want the system's authorities", c, err)
	}
	for want, files := range map[string]TLS{
		"cert and key need each other": {Cert: cert},
		key + " holds no certificate":  {CA: key},
		"no such file or directory":    {CA: cert + "x"},
		"failed to find any PEM data":  {Cert: os.DevNull, Key: key},
		"private key does not match":   {Cert: cert, Key: other(t)},
	} {
		_, err := files.Load()
		if err == nil || !strings.HasPrefix(err.Error(), "read the tls files of temporal: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func other(t *testing.T) string {
	t.Helper()
	_, key := write(t)
	return key
}

func TestDialNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = Dial(ctx, Config{Address: address, Namespace: "secops"})
	if want := `connect to temporal at "` + address + `", namespace "secops": `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s…", err, want)
	}
}

// A Temporal that does not answer is waited for, and then named with the network's
// own words.
func TestAnEngineThatIsAwayIsWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{closed: "connection refused", "temporal.invalid:7233": "temporal.invalid"} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			begun, most := time.Now(), redialEvery/2
			_, err := DialPatiently(t.Context(), Config{Address: address, Namespace: "stanch", Logger: slog.New(slog.NewTextHandler(&log, nil))}, most)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "children") || strings.Contains(err.Error(), "desc =") {
				t.Errorf("%v, want the network's %q", err, want)
			}
			if took := time.Since(begun); took < most {
				t.Errorf("it was given up after %s", took)
			}
			if !strings.Contains(log.String(), "temporal does not answer; trying again") {
				t.Errorf("it does not say that it tries again:\n%s", log.String())
			}
		})
	}
}

package command

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// filesOfDocuments makes what the files hold that documents name: secrets, some of a form of
// their own, and a certificate with its key. What it returns puts their names in place of those.
func filesOfDocuments(t *testing.T) func(text string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := put("secret", []byte(strings.Repeat("5a", 32)))
	shaped := map[string]string{
		"connection_string": put("eventhubs", []byte("Endpoint=sb://site.servicebus.windows.net/;SharedAccessKeyName=stanch;SharedAccessKey=c3ludGhldGlj;EntityPath=alerts")),
		"service_account":   put("account.json", anAccount(t)),
	}
	cert, key := aCertificate(t)
	names := map[string]string{"cert": put("cert.pem", cert), "key": put("key.pem", key)}
	names["ca"] = names["cert"]
	file, pems := regexp.MustCompile(`(\w+)_file: [^\s,}]+`), regexp.MustCompile(`\b(ca|cert|key): [^\s,}]+\.pem`)
	return func(text string) string {
		text = file.ReplaceAllStringFunc(text, func(setting string) string {
			name := file.FindStringSubmatch(setting)[1]
			if path, ok := shaped[name]; ok {
				return name + "_file: " + path
			}
			return name + "_file: " + secret
		})
		return pems.ReplaceAllStringFunc(text, func(setting string) string {
			name := pems.FindStringSubmatch(setting)[1]
			return name + ": " + names[name]
		})
	}
}

// anAccount is the key file of a service account of Google's.
func anAccount(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"client_email": "stanch@site.example", "token_uri": "https://site.example/token", "private_key": string(inPEM(t, key)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// aCertificate is one that signed itself, with its key.
func aCertificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"stanch.example"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), inPEM(t, private)
}

func inPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

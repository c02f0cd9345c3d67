package config

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// shaped are secrets that have a form of their own, by their setting.
func shaped(t *testing.T) map[string]string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"client_email": "stanch@site.example", "token_uri": "https://site.example/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"connection_string": "Endpoint=sb://site.servicebus.windows.net/;SharedAccessKeyName=stanch;SharedAccessKey=c3ludGhldGlj;EntityPath=alerts",
		"service_account":   "'" + string(account) + "'",
	}
}

// What the pages of sources have people write into stanch.yaml is read as it stands there.
func TestThePagesOfSourcesCanBeRead(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/integrations/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	secret := regexp.MustCompile(`(\w+)_file: [^ ,}\n]+`)
	secrets, tried := shaped(t), 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(found[1], "sources:") && !strings.Contains(found[1], "\nsources:") {
				continue
			}
			tried++
			// What stands in a file is not there.
			written := secret.ReplaceAllStringFunc(found[1], func(setting string) string {
				name := secret.FindStringSubmatch(setting)[1]
				return name + ": " + cmp.Or(secrets[name], "0123456789abcdef0123456789abcdef")
			})
			if _, err := Parse("/etc/stanch/stanch.yaml", []byte(written), all.Catalog()); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
	if tried == 0 {
		t.Error("no page shows a source")
	}
}

package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
)

// settings are all text settings that are not for secrets.
func settings() []place {
	return placesOf(func(f reflect.StructField) bool {
		_, private := f.Tag.Lookup("private")
		return f.Type.Kind() == reflect.String && f.Type != reflect.TypeFor[integrations.Secret]() && !private
	})
}

// A value that looks like a secret is refused in a setting that is not for one:
// people would be shown it.
func TestASecretInAnotherSettingIsRefused(t *testing.T) {
	secrets := map[string]string{
		"a bot token":           "xoxb-c4n4ry-S3cret-V4lue",
		"an app token":          "xapp-1-c4n4ry-S3cret-V4lue",
		"a rotating token":      "xoxe.xoxp-1-c4n4ryS3cretV4lue",
		"an incoming webhook":   "https://hooks.slack.com/services/c4n4ry/S3cret/V4lue",
		"a person's token":      "stanch_" + strings.Repeat("c4n4ryS3cretV4lue", 3)[:43],
		"a connection string":   "postgres://stanch:c4n4ryS3cret@127.0.0.1:5432/V4lue",
		"its settings":          "host=127.0.0.1 user=stanch password=c4n4ryS3cretV4lue",
		"a server's login":      "stanch:c4n4ryS3cret@127.0.0.1:9000",
		"an address with query": "https://127.0.0.1:9200/?token=c4n4ryS3cretV4lue",
		"an address with key":   "https://127.0.0.1:9200/?x=1&api_key=c4n4ryS3cretV4lue",
		"a private key":         `"-----BEGIN PRIVATE KEY-----\nc4n4ryS3cretV4lue\n"`,
	}
	tried := 0
	for _, p := range settings() {
		key := p.path[len(p.path)-1]
		if key == "kind" && p.path[0] == "sources" {
			p.beside = ""
		}
		for name, secret := range secrets {
			entry := fmt.Sprintf("%s: %s", key, secret)
			if !strings.HasPrefix(secret, `"`) {
				entry = fmt.Sprintf("%s: '%s'", key, secret)
			}
			for style, text := range map[string]string{"block": p.block(entry), "flow": p.flow(entry)} {
				tried++
				_, err := Parse("f.yaml", []byte(text), all.Catalog())
				if err == nil {
					t.Errorf("%s as %s, in %s, is taken", name, strings.Join(p.path, "."), style)
				}
				if look(t, err); t.Failed() {
					t.Fatalf("%s, %s of %s, of the file\n%s", name, style, strings.Join(p.path, "."), text)
				}
			}
		}
	}
	if len(settings()) < 100 {
		t.Errorf("there are %d settings", len(settings()))
	}
	t.Logf("%d settings, %d secrets in them", len(settings()), tried)
}

// What only may be one is taken, for it may be a name, and is not quoted.
func TestWhatMayBeASecretIsNotQuoted(t *testing.T) {
	for _, p := range settings() {
		key := p.path[len(p.path)-1]
		for _, secret := range append(canaries(), "https://stanch:c4n4ry/S3cret@127.0.0.1/V4lue") {
			text := p.block(key + ": '" + secret + "'")
			_, err := Parse("f.yaml", []byte(text), all.Catalog())
			if look(t, err); t.Failed() {
				t.Fatalf("%s, of the file\n%s", strings.Join(p.path, "."), text)
			}
		}
	}
}

// A value that looks a little like a secret and is not one is accepted.
func TestAPlainSettingIsTaken(t *testing.T) {
	const text = `listen: '[::1]:8080'
public_url: https://stanch.example:8443/soar
people:
  - { id: 'alice:berlin', email: alice+token@corp.example, groups: [sec-tokens, 'secret-keepers'] }
integrations:
  flows: { kind: clickhouse, address: 'flows-01.tokens.example:9000', user: password_reader }
  store: { kind: postgres, host: /var/run/postgresql, database: passwords, user: stanch_ro }
  edr: { kind: memory, path: ./secrets/token.jsonl }
sources:
  siem-eu-central-1-production-0001: { kind: stanch, auth: { bearer: sourcetokensourcetoken } }
`
	if _, err := Parse("f.yaml", []byte(text), all.Catalog()); err != nil {
		t.Error(err)
	}
}

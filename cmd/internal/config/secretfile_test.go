package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stanch-soar/stanch/integrations/all"
)

func utf16Of(text string, little bool) string {
	var b strings.Builder
	for _, u := range append([]uint16{0xfeff}, utf16.Encode([]rune(text))...) {
		if little {
			u = u<<8 | u>>8
		}
		b.WriteByte(byte(u >> 8))
		b.WriteByte(byte(u))
	}
	return b.String()
}

// A file that holds more than the secret is refused at once, with what to do, in
// place of a credential that is refused for ever.
func TestASecretFileHoldsTheSecretAlone(t *testing.T) {
	const secret = "c4n4ryS3cretV4lue00xyz"
	fine := map[string]string{"bare": secret, "an end of line": secret + "\n", "CRLF": secret + "\r\n", "blank lines behind": secret + "\n\n"}
	for name, text := range fine {
		if got, err := SecretText([]byte(text)); err != nil || got != secret {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"a byte order mark":        {"\ufeff" + secret, "byte order mark"},
		"UTF-16":                   {utf16Of(secret, true), "UTF-16"},
		"UTF-16 big":               {utf16Of(secret, false), "UTF-16"},
		"UTF-16 without a mark":    {utf16Of(secret, true)[2:], "UTF-16"},
		"a blank before":           {" " + secret, "around the secret"},
		"a blank behind":           {secret + " \n", "around the secret"},
		"a tab behind":             {secret + "\t", "around the secret"},
		"a line before":            {"\n" + secret, "around the secret"},
		"a line of blanks":         {secret + "\n  \n", "around the secret"},
		"a no-break space":         {secret + "\u00a0", "around the secret"},
		"a zero-width space":       {"\u200b" + secret, "invisible character"},
		"a mark inside":            {"c4n4ry\ufeffS3cret", "invisible character"},
		"an escape":                {"c4n4ry\x1b[0mS3cret", "invisible character"},
		"Latin-1":                  {secret + "\xe9", "not UTF-8"},
		"nothing":                  {"", "empty"},
		"a line end alone":         {"\r\n", "empty"},
		"more than a secret needs": {strings.Repeat(secret, 4000), "larger than"},
	} {
		_, err := SecretText([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		look(t, err)
	}
}

// A secret over several lines can only be meant where a key takes several.
func TestOnlyKeysMayStandOnSeveralLines(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "two"), "first\nsecond\n", 0o600)
	write(t, filepath.Join(dir, "keys"), "a:"+strings.Repeat("A", 43)+"=\nb:"+strings.Repeat("B", 42)+"A=\n", 0o600)
	text := "sources: { a: { kind: stanch, auth: { bearer_file: two } } }\ntemporal: { encryption_keys_file: keys }\n"
	_, err := Parse(filepath.Join(dir, "stanch.yaml"), []byte(text), all.Catalog())
	if err == nil || !strings.Contains(err.Error(), "1:52: bearer_file: the file has several lines") || strings.Contains(err.Error(), "keys_file:") {
		t.Errorf("error %v", err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// Files with secrets that others can read are reported, of every kind.
func TestExposedFilesAreFound(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("closed"), "0123456789abcdef\n", 0o600)
	write(t, at("group"), "0123456789abcdef\n", 0o640)
	write(t, at("world"), "0123456789abcdef\n", 0o604)
	write(t, at("key.pem"), "a key\n", 0o644)
	text := func(bearer string) string {
		return fmt.Sprintf("sources:\n  a: { kind: stanch, auth: { bearer_file: closed } }\n  b: { kind: stanch, auth: { hmac: { secret_file: group } } }\n"+
			"  c: { kind: stanch, auth: { %s } }\nintegrations: { w: { kind: webhook, url: 'https://a.example', secret_file: world } }\ntemporal: { tls: { cert: c.pem, key: key.pem } }\n", bearer)
	}
	for name, c := range map[string]struct {
		bearer string
		want   []string
	}{
		"a secret in the file": {"bearer: abc", []string{at("group"), at("key.pem"), at("stanch.yaml"), at("world")}},
		"the url alone":        {"bearer_file: closed", []string{at("group"), at("key.pem"), at("stanch.yaml"), at("world")}},
	} {
		write(t, at("stanch.yaml"), text(c.bearer), 0o644)
		loaded, err := Load(at("stanch.yaml"), all.Catalog())
		if err != nil {
			t.Fatal(err)
		}
		if got := loaded.Exposed(); !slices.Equal(got, c.want) {
			t.Errorf("%s: exposed are %q, want %q", name, got, c.want)
		}
	}
	write(t, at("stanch.yaml"), "sources: { a: { kind: stanch, auth: { bearer: '${env:SIEM}' } } }\n", 0o644)
	t.Setenv("SIEM", "0123456789abcdef")
	loaded, err := Load(at("stanch.yaml"), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Exposed(); len(got) != 0 {
		t.Errorf("exposed are %q, though the secret is in the environment", got)
	}
}

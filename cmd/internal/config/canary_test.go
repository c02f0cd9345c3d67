package config

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks"
)

// canaries are secrets of every shape that YAML or a person may stumble over. What
// is looked for are their parts, so that half a secret counts too.
func canaries() []string {
	return []string{
		"c4n4ryS3cretV4lue00xyz",
		"c4n4ry/S3cret+V4lue/00xyz==",
		"c4n4ry S3cret V4lue, 00xyz",
		"c4n4ry: S3cret V4lue",
		"postgres://c4n4ry:S3cret@127.0.0.1:V4lue/db",
		"480617739502216480617739",
	}
}

func parts() []string { return []string{"c4n4ry", "s3cret", "v4lue", "4806177395"} }

// leaks returns the part of a canary that a text holds, in any of the forms in
// which programs write text.
func leaks(text string) string {
	low := strings.ToLower(text)
	for _, part := range parts() {
		for _, form := range []string{
			part, hex.EncodeToString([]byte(part)), url.QueryEscape(part),
			strings.ToLower(base64.RawStdEncoding.EncodeToString([]byte(part)))[:7],
		} {
			if strings.Contains(low, form) {
				return form
			}
		}
	}
	return ""
}

// place is where a secret belongs: the keys that lead to it, and what stands
// beside it.
type place struct {
	path    []string
	beside  string
	from    string // the transport of a source's from, in which it is
	private bool   // not a secret to the decoder, but never shown
}

// places are all secrets of a configuration.
func places() []place {
	found := placesOf(func(f reflect.StructField) bool { return f.Type == reflect.TypeFor[integrations.Secret]() })
	return append(found, place{path: []string{"people", "-", "token_sha256"}, beside: "id: alice", private: true})
}

// placesOf are all places of a configuration whose setting is wanted.
func placesOf(wanted func(reflect.StructField) bool) []place {
	var found []place
	var walk func(t reflect.Type, at []string, beside string)
	walk = func(t reflect.Type, at []string, beside string) {
		switch {
		case t.Kind() == reflect.Pointer:
			walk(t.Elem(), at, beside)
		case t.Kind() == reflect.Map:
			walk(t.Elem(), append(at, "one"), beside)
		case t.Kind() == reflect.Slice:
			walk(t.Elem(), append(at, "-"), beside)
		case t.Kind() == reflect.Struct:
			for _, f := range reflect.VisibleFields(t) {
				key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				if key == "" || key == "-" || !f.IsExported() {
					continue
				}
				if wanted(f) {
					found = append(found, place{path: append(append([]string{}, at...), key), beside: beside})
				}
				walk(f.Type, append(at, key), beside)
			}
		}
	}
	walk(reflect.TypeFor[Config](), nil, "")
	for _, t := range all.Catalog().Transports {
		before := len(found)
		walk(reflect.TypeOf(t.NewConfig()), []string{"sources", "one", "from"}, "")
		for i := range found[before:] {
			found[before+i].from = "kind: " + t.Kind
		}
	}
	for i, p := range found {
		switch p.path[0] {
		case "sources":
			found[i].beside = "kind: stanch"
		case "people":
			found[i].beside = "groups: []"
		}
	}
	for _, s := range all.Catalog().Integrations {
		walk(reflect.TypeOf(s.NewConfig()), []string{"integrations", "one"}, "kind: "+s.Kind)
	}
	return found
}

// block writes the file with one key a line; entry is what is written in place of
// the secret's own line, each of its lines with the indentation of the key.
func (p place) block(entry string) string {
	var b strings.Builder
	indent, dash := "", ""
	for _, key := range p.path[:len(p.path)-1] {
		if key == "-" {
			dash = "- "
			continue
		}
		fmt.Fprintf(&b, "%s%s%s:\n", indent, dash, key)
		indent += "  "
		if key == "one" && p.beside != "" {
			fmt.Fprintf(&b, "%s%s\n", indent, p.beside)
		}
		if key == "from" && p.from != "" {
			fmt.Fprintf(&b, "%s%s\n", indent, p.from)
		}
	}
	if dash != "" {
		fmt.Fprintf(&b, "%s- %s\n", indent, p.beside)
		indent += "  "
	}
	for line := range strings.Lines(entry) {
		b.WriteString(indent + line)
	}
	return b.String() + "\n"
}

// flow writes the file in the documents' own style, all on one line.
func (p place) flow(entry string) string {
	entry = strings.ReplaceAll(strings.TrimRight(entry, "\n"), "\n", " ")
	for i := len(p.path) - 2; i > 0; i-- {
		switch key := p.path[i]; {
		case key == "-":
			entry = "[{ " + p.beside + ", " + entry + " }]"
		case key == "one" && p.beside != "":
			entry = key + ": { " + p.beside + ", " + entry + " }"
		case key == "from" && p.from != "":
			entry = key + ": { " + p.from + ", " + entry + " }"
		default:
			entry = key + ": { " + entry + " }"
		}
	}
	if strings.HasPrefix(entry, "[") {
		return p.path[0] + ": " + entry + "\n"
	}
	return p.path[0] + ": { " + entry + " }\n"
}

// mistakes are what people write in place of key: secret.
func mistakes(key, secret string) map[string]string {
	return map[string]string{
		"a letter short": key[:len(key)-1] + ": " + secret, "letters swapped": key[1:2] + key[:1] + key[2:] + ": " + secret,
		"another key": "passphrase: " + secret, "the file's key misspelt": key + "_fil: " + secret, "upper case": strings.ToUpper(key) + ": " + secret,
		"twice": key + ": " + secret + "\n" + key + ": " + secret, "with its file": key + ": " + secret + "\n" + key + "_file: " + secret,
		"twice in flow": key + ": " + secret + ", " + key + ": " + secret, "another key twice": "x: " + secret + ", x: " + secret,
		"a list": key + ": [" + secret + "]", "a list of lists": key + ": [[" + secret + "], 1]", "a list below": key + ":\n  - " + secret,
		"a mapping": key + ": { value: " + secret + " }", "a set": key + ": { " + secret + " }", "a mapping of it": key + ": { '" + secret + "': x }",
		"known keys below": key + ": { user: " + secret + ", kind: " + secret + " }", "a mapping below": key + ":\n  kind: " + secret,
		"an alias": key + ": *" + secret, "an anchor": key + ": &" + secret + " x", "an anchored value": key + ": &x " + secret,
		"a tag": key + ": !" + secret, "a tagged value": key + ": !!binary " + secret, "a merge": "<<: " + secret, "a merged mapping": "<<: { " + key + ": " + secret + " }",
		"a directive": "%" + secret, "reserved": key + ": @" + secret, "a backquote": key + ": `" + secret, "per cent": key + ": %" + secret,
		"a block with text": key + ": |" + secret, "a folded block with text": key + ": >" + secret,
		"no second quote": key + `: "` + secret, "no second apostrophe": key + ": '" + secret, "no first quote": key + ": " + secret + `"`,
		"text behind quotes": key + `: "x" ` + secret, "an apostrophe inside": key + ": 'x'" + secret + "'",
		"no colon": key + " " + secret, "no blank": key + ":" + secret, "an equals sign": key + " = " + secret, "its own key": secret + ": " + key,
		"alone": secret, "quoted alone": "'" + secret + "'", "alone as a list": "- " + secret, "no key": ": " + secret, "a list of the key": "- " + key + ": " + secret,
		"a question": "? " + secret, "two values": key + ": " + secret + ": " + secret,
		"a blank too much": " " + key + ": " + secret, "a tab before": "\t" + key + ": " + secret, "a tab behind": key + ":\t" + secret + "\t:", "tabs in a block": key + ": |\n\t" + secret,
		"a block that ends early": key + ": |\n    " + secret + "\n  " + secret + "\n" + secret, "text over lines": key + ":\n  " + secret + "\n " + secret + "\n" + secret,
		"a quote over lines": key + ": \"" + secret + "\n" + secret + "\n", "a bad escape": key + `: "\` + secret + `"`, "a bad number": key + `: "\x` + secret + `"`,
		"a variable": key + ": '${env:" + secret + "}'", "no env": key + ": '${" + secret + "}'", "no end": key + ": '${env:" + secret + "'", "a shell variable": key + ": $" + secret,
		"as its file": key + "_file: " + secret, "as its files": key + "_file: [" + secret + "]", "as a path": key + "_file: /nowhere/" + secret, "as a relative path": key + "_file: ./" + secret,
		"beside a mistake": "knd: x, " + key + ": " + secret, "beside a number": "listen: 5, " + key + ": " + secret, "behind no comma": "rate: 5 " + key + ": " + secret,
		"behind a kind": "kind: nosuch " + key + " " + secret, "in a kind": "kind: x\n  " + key + " " + secret, "in an id": "id: x\n  " + secret,
		"in a remark": key + ": x # " + secret + "\nnosuch: y", "a remark alone": "# " + secret + "\nnosuch: y", "a remark at the mistake": "nosuch: y # " + secret,
		"one bracket more": key + ": " + secret + " }", "one square bracket more": key + ": " + secret + " ]", "open": key + ": { x: " + secret, "open list": key + ": [ " + secret,
		"garbage behind": key + ": '" + secret + "'\n" + secret + "\n...\n" + secret, "a second file": key + ": '" + secret + "'\n---\n" + secret, "a second mapping": key + ": '" + secret + "'\n--- " + secret,
		"a NUL": key + ": " + secret + "\x00", "no UTF-8": key + ": " + secret + "\xff", "a mark inside": key + ": \ufeff" + secret, "a mark before": "\ufeff" + key + ": " + secret,
		"a bell": key + ": " + secret + "\a", "a carriage return": key + ": " + secret + "\r" + key + ": " + secret, "a line separator": key + ": " + secret + "\u2028" + secret + "\u0085x: y",
		"too deep": key + ": " + strings.Repeat("[", 80) + secret, "a date": key + ": 2026-01-01 " + secret, "quoted key": `"` + key + `x": ` + secret, "JSON": `"` + key + `": {"` + secret + `": null}`,
		"as it should be": key + ": " + secret, "quoted as it should be": key + ": '" + strings.ReplaceAll(secret, "'", "''") + "'",
	}
}

// No message about a configuration quotes a secret, regardless of the mistake,
// the style, and the command that read the file.
func TestNoMistakeShowsASecret(t *testing.T) {
	tried, refused := 0, 0
	for at, p := range places() {
		key := p.path[len(p.path)-1]
		for i, secret := range canaries() {
			// Every place has the first one and another.
			if i != 0 && i != 1+at%(len(canaries())-1) {
				continue
			}
			for name, entry := range mistakes(key, secret) {
				files := map[string]string{"block": p.block(entry), "flow": p.flow(entry)}
				if i == 0 {
					files["with a mark"], files["with CRLF"] = "\ufeff"+p.block(entry), strings.ReplaceAll(p.block(entry), "\n", "\r\n")
					files["bare"] = entry
				}
				for style, text := range files {
					tried++
					if told(t, text, i == 0 && style != "bare") {
						refused++
					}
					if t.Failed() {
						t.Fatalf("%s, %s of %s, of the file\n%s", name, style, strings.Join(p.path, "."), text)
					}
				}
			}
		}
	}
	if len(places()) < 18 || tried < 10000 || refused < tried/2 {
		t.Errorf("%d secrets, %d mistakes, %d of them refused", len(places()), tried, refused)
	}
	t.Logf("%d secrets, %d planted mistakes, %d refused", len(places()), tried, refused)
}

// told reads a file as everything that it can be taken for, and reports whether
// it was refused as a configuration.
func told(t *testing.T, text string, mistaken bool) bool {
	t.Helper()
	c, err := Parse("f.yaml", []byte(text), all.Catalog())
	look(t, err)
	if c != nil {
		for _, i := range c.Opened {
			if i.Spec.Kind == "memory" || i.Spec.Kind == "sqlite" || i.Spec.Kind == "duckdb" {
				continue
			}
			opened, openErr := i.Spec.Open(t.Context(), i.Config)
			look(t, openErr)
			if closer, ok := opened.(interface{ Close() error }); ok && openErr == nil {
				_ = closer.Close()
			}
		}
		look(t, fmt.Errorf("%v %+v %#v", c.Sources, c.Opened, c.Temporal))
	}
	if !mistaken {
		return err != nil
	}
	_, loadErr := playbooks.Load("f.yaml", []byte(text))
	look(t, loadErr)
	_, testErr := playbooks.LoadTests("f_test.yaml", []byte(text))
	look(t, testErr)
	return err != nil
}

func look(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	outputs := []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)}
	if issues, ok := errors.AsType[playbooks.Issues](err); ok {
		data, marshalErr := json.Marshal(issues)
		if marshalErr != nil {
			t.Fatal(marshalErr)
		}
		outputs = append(outputs, string(data))
	}
	for _, out := range outputs {
		if form := leaks(out); form != "" {
			t.Errorf("%q of a secret is in the message:\n%s", form, out)
			return
		}
	}
}

// A fault of a secret is reported with the key, the position, and what to do.
func TestAWrongSecretIsNamedByItsKey(t *testing.T) {
	const secret = "c4n4ryS3cretV4lue00xyz"
	for name, c := range map[string]struct{ text, want string }{
		"a list":         {"sources: { a: { kind: stanch, auth: { bearer: [" + secret + "] } } }\n", "f.yaml:1:47: bearer must be text, not a list\nsources: { …: { kind: stanch, auth: { bearer: […] } } }\n                                              ^"},
		"a number":       {"integrations: { chat: { kind: slack, bot_token: 48061773950221 } }\n", "f.yaml:1:49: bot_token must be text, not a number; quote it\nintegrations: { …: { kind: slack, bot_token: … } }\n                                             ^"},
		"a misspelt key": {"integrations:\n  chat: { kind: slack, bot_tokn: " + secret + ", app_token: " + secret + " }\n", "f.yaml:2:24: unknown key \"bot_tokn\" in the value: did you mean 'bot_token'?\n  …: { kind: slack, …: …, app_token: … }\n                    ^"},
		"a list of keys": {"temporal: { encryption_keys: [k:" + secret + "] }\n", "f.yaml:1:30: encryption_keys must be text, not a list"},
		"a digest":       {"people: [{ id: alice, token_sha256: 480617 }]\n", "f.yaml:1:37: token_sha256 must be text, not a number; quote it"},
		"a token for it": {"people: [{ id: alice, token_sha256: " + secret + " }]\n", "f.yaml:1:37: person alice: token_sha256 is not 64 hex digits; stanch token makes"},
		"an alias":       {"sources: { a: { kind: stanch, auth: { bearer: *" + secret + " } } }\n", "f.yaml:1:47: not YAML: an asterisk begins an alias, and there is no such anchor; quote the value"},
	} {
		_, err := Parse("f.yaml", []byte(c.text), all.Catalog())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: it says\n%v\nnot\n%s", name, err, c.want)
		}
		look(t, err)
	}
}

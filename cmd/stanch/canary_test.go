package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// canaries are secrets, by what they are for: each is distinct, so that what is
// found says whose it is.
type canaries map[string]string

// plant makes the secret of a use, of at least 32 characters. It holds what URLs
// and forms escape.
func (c canaries) plant(use string) string {
	secret := fmt.Sprintf("c4n4ry%02d%02d/S3cret+V4lue00x%x", len(c), len(c), sha256.Sum256([]byte(use)))[:48]
	c[use] = secret
	return secret
}

// plantWord makes a secret of letters and digits alone behind a beginning.
func (c canaries) plantWord(use, beginning string) string {
	secret := fmt.Sprintf("%sc4n4ry%02dS3cretV4lue%x", beginning, len(c), sha256.Sum256([]byte(use)))[:len(beginning)+32]
	c[use] = secret
	return secret
}

// find looks for secrets in a text, in every form in which programs write them,
// and for the greater part of each.
func (c canaries) find(text []byte) (use, form string) {
	low := bytes.ToLower(text)
	for use, secret := range c {
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), secret[:24], secret[len(secret)-24:],
			// Without what the neighbours of the text decide.
			base64.StdEncoding.EncodeToString([]byte(secret))[:40], base64.StdEncoding.EncodeToString([]byte("x" + secret))[4:40],
			base64.StdEncoding.EncodeToString([]byte("xx" + secret))[4:40], strings.ReplaceAll(secret, "/", `\/`),
			fmt.Sprintf("%x", sha256.Sum256([]byte(secret))),
		} {
			if bytes.Contains(low, []byte(strings.ToLower(form))) {
				return use, form
			}
		}
	}
	return "", ""
}

// watch fails the test where a text contains a secret.
func (c canaries) watch(t *testing.T, where string, text []byte) {
	t.Helper()
	use, form := c.find(text)
	if use == "" {
		return
	}
	at := bytes.Index(bytes.ToLower(text), []byte(strings.ToLower(form)))
	t.Errorf("%s contains the secret of %s, as %q: …%q…", where, use, form, text[max(0, at-200):min(len(text), at+len(form)+60)])
}

// watchFiles looks into every file below a folder.
func (c canaries) watchFiles(t *testing.T, dir string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			files++
			c.watch(t, path, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// command runs stanch as a person would, and watches what it prints.
func (c canaries) command(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "stanch", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	// A failure is in the exit code; here only the output matters.
	out, _ := cmd.CombinedOutput()
	c.watch(t, "stanch "+strings.Join(args, " "), out)
	return string(out)
}

// secretive is the text of a stanch.yaml with a canary in every secret that there
// is, and the rest as it must be. Where is the address of the products.
func (c canaries) secretive(s *site, where products) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("listen: 127.0.0.1:0\ndata: ./data\nplaybooks: [./playbooks]\nintegrations:")
	for _, name := range []string{"edr", "flows", "gateway", "inventory", "slack"} {
		line("  %s: { kind: memory, path: estate.jsonl }", name)
	}
	line("  house: { kind: clickhouse, address: '%s', user: stanch, password: '%s' }", where.house, c.plant("clickhouse"))
	line("  tables: { kind: postgres, dsn: 'postgres://stanch:%s@%s/flows?sslmode=disable' }", url.QueryEscape(c.plant("a dsn")), where.tables)
	line("  words: { kind: postgres, dsn: 'host=127.0.0.1 port=%s dbname=flows user=stanch sslmode=disable password=%s' }", where.tables[strings.LastIndex(where.tables, ":")+1:], c.plant("words of a dsn"))
	line("  pairs: { kind: postgres, host: 127.0.0.1, port: %s, database: flows, user: stanch, tls: disable, password: '%s' }", where.tables[strings.LastIndex(where.tables, ":")+1:], c.plant("postgres"))
	line("  search: { kind: elasticflows, url: 'http://%s', indices: [flows], layout: zeek, api_key: '%s' }", where.web, c.plant("an API key"))
	line("  lookup: { kind: elasticflows, url: 'http://%s', indices: [flows], layout: zeek, username: stanch, password: '%s' }", where.web, c.plant("elastic"))
	line("  chat: { kind: slack, api_url: 'http://%s/api/', bot_token: %s, app_token: %s }", where.web, c.plantWord("a bot token", "xoxb-1-"), c.plantWord("an app token", "xapp-1-"))
	line("  signed: { kind: slack, mode: http, api_url: 'http://%s/api/', bot_token: %s, signing_secret: %s }", where.web, c.plantWord("another bot token", "xoxb-2-"), c.plantWord("a signing secret", ""))
	line("  desk: { kind: webhook, url: 'http://%s/%s?token=%s', secret: '%s', insecure_http: true }", where.web, c.plantWord("the path of a webhook", ""), c.plantWord("the query of a webhook", ""), c.plant("a webhook"))
	line("  pager: { kind: pagerduty, token: %s%s }", c.plantWord("pagerduty", ""), where.services(c))
	s.write("bearer.token", c.plant("a file")+"\n")
	line("sources:")
	line("  plain: { kind: stanch, auth: { bearer: '%s' } }", c.plant("a bearer"))
	line("  filed: { kind: stanch, auth: { bearer_file: bearer.token } }")
	line("  hashed: { kind: splunk, category: one, auth: { hmac: { secret: '%s' } } }", c.plant("a signature"))
	line("  basic: { kind: elastic, category: one, auth: { basic: { user: siem, password: '%s' } } }", c.plant("basic"))
	line("  linked: { kind: stanch, auth: { url_token: '%s', previous: '%s', addresses: [127.0.0.1] } }", c.plant("a url"), c.plant("the url before"))
	line("  keyed: { kind: stanch, auth: { header: { name: X-Api-Key, value: '%s' }, previous: '%s' } }", c.plant("a header"), c.plant("the header before"))
	line("  falcon: { kind: stanch, auth: { hmac: { secret: '%s', scheme: crowdstrike } } }", c.plant("a signature of falcon"))
	c.plant("a body")
	line("people:")
	for _, id := range []string{alice, "eve"} {
		token := c.plantWord(id, "stanch_")
		line("  - { id: %s, groups: [sec-oncall], may: [%s], token_sha256: %x }", id, map[string]string{alice: "read, retry, extend, release, pause", "eve": "read"}[id], sha256.Sum256([]byte(token)))
	}
	return b.String()
}

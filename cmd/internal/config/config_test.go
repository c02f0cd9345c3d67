package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

func TestDefaultsStandOnOneSimulatedEstate(t *testing.T) {
	for name, load := range map[string]func() (*Config, error){
		"no file":            func() (*Config, error) { return Default(t.TempDir(), all.Catalog()) },
		"a file without one": func() (*Config, error) { return Parse("stanch.yaml", []byte("listen: 127.0.0.1:0\n"), all.Catalog()) },
	} {
		c, err := load()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var names []string
		for _, i := range c.Opened {
			if i.Spec.Kind != "memory" {
				t.Errorf("%s: %s is a %s", name, i.Name, i.Spec.Kind)
			}
			names = append(names, i.Name)
		}
		if got := strings.Join(names, " "); got != "edr flows gateway inventory slack" {
			t.Errorf("%s: integrations %q", name, got)
		}
		if c.Temporal.Address != Embedded || len(c.Sources) != 0 || len(c.People) != 0 {
			t.Errorf("%s: engine %q, %d sources, %d people", name, c.Temporal.Address, len(c.Sources), len(c.People))
		}
	}
}

func TestSecretsComeFromTheEnvironmentAndFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "siem.token"), []byte("from-a-file-of-its-own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIEM_TOKEN", "from-the-environment")
	text := `
sources:
  a: { kind: stanch, auth: { bearer_file: siem.token } }
  b: { kind: splunk, auth: { bearer: '${env:SIEM_TOKEN}' } }
`
	c, err := Parse(filepath.Join(dir, "stanch.yaml"), []byte(text), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Sources["a"].Auth.Bearer.Reveal(); got != "from-a-file-of-its-own" {
		t.Errorf("the file's secret is %q", got)
	}
	if got := c.Sources["b"].Auth.Bearer.Reveal(); got != "from-the-environment" {
		t.Errorf("the environment's secret is %q", got)
	}
}

// Every mistake is reported with its position, all of them at once, and without
// secrets.
func TestMistakesAreToldWithTheirPlaces(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"infrastructure that is no address": {"infrastructure: [10.1.0.999]\n", "f.yaml:1:18: invalid address or network"},
		"infrastructure in no network":      {"infrastructure:\n  - 10.1.0.5\n  - 10.1.0.1/24\n", "f.yaml:3:5: invalid address or network"},
		"an estate as infrastructure":       {"infrastructure: [10.0.0.0/8]\n", "is wider than a /16"},
		"an IPv6 site as infrastructure":    {"infrastructure: ['2001:db8::/48']\n", "is wider than a /16, or a /64 of IPv6"},
		"everything as infrastructure":      {"infrastructure: ['::/0']\n", "is wider than"},
		"this host as infrastructure":       {"infrastructure: [127.0.0.1]\n", "is no address by which other hosts reach one"},
		"a sentence as infrastructure":      {"infrastructure: [the proxy]\n", "is neither an address nor a network, a host name or a device id"},
		"a name as a shared destination":    {"shared_destinations: [192.0.2.1, cdn.example]\n", "f.yaml:1:34: invalid address or network \"cdn.example\": write it like"},
		"too much infrastructure":           {"infrastructure: [" + strings.Repeat("a, ", 65) + "]\n", "infrastructure has 65 entries, at most 64"},
		"misspelt key":                      {"listne: x\n", `f.yaml:1:1: `},
		"bad listen":                        {"listen: here\n", `f.yaml:1:9: "here" is not host:port`},
		"little memory":                     {"memory: 64MiB\n", `f.yaml:1:9: "64MiB" is less than 128 MiB`},
		"no memory":                         {"memory: 0MiB\n", `f.yaml:1:9: "0MiB" is less than 128 MiB`},
		"memory without a unit":             {"memory: 512\n", `f.yaml:1:9: memory: "512" is not a size`},
		"unknown kind":                      {"integrations: { edr: { kind: falcon } }\n", `there is no integration kind "falcon"; there are clickhouse, crowdstrike, `},
		"no variable":                       {"sources: { a: { kind: stanch, auth: { bearer: '${env:STANCH_NOT_SET}' } } }\n", "the environment has no STANCH_NOT_SET"},
		"no such file":                      {"sources: { a: { kind: stanch, auth: { bearer_file: nowhere } } }\n", "f.yaml:1:52: bearer_file: there is no such file"},
		"source kind":                       {"sources: { a: { kind: qradar, auth: { bearer: 0123456789abcdef0123 } } }\n", `source a: there is no kind "qradar"`},
		"bad digest":                        {"people: [{ id: alice, token_sha256: hunter2 }]\n", "person alice: token_sha256 is not 64 hex digits"},
		"two people with one id":            {"people:\n  - id: alice\n  - id: alice\n", `f.yaml:3:9: there are two people with the id "alice"`},
		"two people with one token":         {"people: \n  - id: a\n    token_sha256: " + strings.Repeat("ab", 32) + "\n  - id: b\n    token_sha256: " + strings.Repeat("AB", 32) + "\n", "f.yaml:5:19: person b has the same token as a: it identifies neither"},
		// Nothing of an alias is there to point at but itself.
		"a person by an alias":     {"people:\n  - &a { id: alice }\n  - *a\n", "f.yaml:3:5: anchors and aliases hide what a change touches"},
		"unknown right":            {"people: [{ id: a, may: [relase] }]\n", `f.yaml:1:25: an entry of may cannot be "relase": did you mean 'release'?`},
		"unknown right of a group": {"people: [{ id: a, groups: [g] }]\ngroups: { g: { may: [reed] } }\n", `f.yaml:2:22: an entry of may cannot be "reed": did you mean 'read'?`},
		"right twice":              {"people: [{ id: a, may: [pause, read, pause] }]\n", `f.yaml:1:38: person a has the right pause twice`},
		"right of a group twice":   {"people: [{ id: a, groups: [g] }]\ngroups: { g: { may: [read, read] } }\n", `f.yaml:2:28: group g has the right read twice`},
		"group without a right":    {"people: [{ id: a, groups: [g] }]\ngroups: { g: {} }\n", `g needs may`},
		"unknown group":            {"people: [{ id: a, groups: [leads] }]\ngroups: { lead: { may: [read] } }\n", `f.yaml:2:11: no one in people is in the group "lead": did you mean 'leads'?`},
		"one right for a list":     {"people: [{ id: a, may: read }]\n", `f.yaml:1:24: may must be a list`},
		"group twice":              {"people: [{ id: a, groups: [g] }]\ngroups:\n  g: { may: [read] }\n  g: { may: [pause] }\n", `f.yaml:4:3: `},
		"bad public url":           {"public_url: stanch\n", `"stanch" is not an address`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f.yaml", []byte(c.text), all.Catalog())
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says\n%v\nnot %q", err, c.want)
			}
			for _, secret := range []string{"0123456789abcdef0123"} {
				if strings.Contains(strings.SplitN(err.Error(), "\n", 2)[0], secret) {
					t.Errorf("the complaint holds a secret: %v", err)
				}
			}
		})
	}
	_, err := Parse("f.yaml", []byte("listen: here\npublic_url: stanch\n"), all.Catalog())
	if err == nil || strings.Count(err.Error(), "f.yaml:") != 2 {
		t.Errorf("two mistakes are reported as %v", err)
	}
}

// One list has addresses, networks, names and ids; each is read as what it is.
func TestInfrastructureIsRead(t *testing.T) {
	c, err := Parse("stanch.yaml", []byte("infrastructure: [10.1.0.5, 10.2.0.0/24, '2001:db8::1', '::ffff:192.0.2.1', proxy.corp.example, 0123abcd]\n"), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Exempt.Addresses(), " "); got != "10.1.0.5 10.2.0.0/24 2001:db8::1 192.0.2.1" {
		t.Errorf("addresses %q", got)
	}
	if got := strings.Join(c.Exempt.Names, " "); got != "proxy.corp.example 0123abcd" {
		t.Errorf("names %q", got)
	}
}

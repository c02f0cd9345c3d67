package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// A complaint about a person has that person's place, whoever stands above.
func TestComplaintsPointAtTheirPerson(t *testing.T) {
	token := strings.Repeat("ab", 32)
	for people, want := range map[string]string{
		"[{ id: a }, { id: a }]":                                                                         `1:27: there are two people with the id "a"`,
		"\n  - id: a\n  - id: a\n":                                                                       `3:9: there are two people with the id "a"`,
		"\n  - &a { id: a }\n  - *a\n":                                                                   "3:5: anchors and aliases",
		"[{ id: a }, {}]":                                                                                "1:21: an entry of people needs id",
		"[{ id: a }, { groups: [x] }]":                                                                   "1:21: an entry of people needs id",
		"\n  - id: a\n  - groups: [x]\n":                                                                 "3:5: an entry of people needs id",
		"\n  - id: a\n  - id: ''\n":                                                                      "3:9: id is empty",
		"\n  - id: a\n  - id:\n":                                                                         "3:8: id must be text",
		"\n  - id: a\n  - b\n":                                                                           "3:5: an entry of people must be a mapping",
		"\n  - id: a\n  - id: ${env:STANCH_TEST_UNSET}\n":                                                "3:9: id: the environment has no",
		"\n  - id: a\n    groups: [g]\n  - id: b\n    gruops: [g]\n":                                     `5:5: unknown key "gruops"`,
		"[{ id: a, groups: [g] }, { id: b, gruops: [g] }]":                                               `1:43: unknown key "gruops"`,
		"\n  - &a\n    id: a\n    groups: [g]\n  - <<: *a\n    id: b\n":                                  "5:5: merging with <<",
		"\n  - id: a\n    may: &m [read]\n  - id: b\n    may: *m\n":                                      "5:10: anchors and aliases",
		"\n  - id: a\n    may: [read]\n  - id: b\n    may: [reed]\n":                                     `5:11: an entry of may cannot be "reed"`,
		"\n  - id: a\n    may: [read]\n  - id: b\n    may: [read, read]\n":                               "5:17: person b has the right read twice",
		"\n  - id: a\n    id: a\n  - id: c\n    id: c\n":                                                 `5:5: key "id" stands twice; it was first on line 4`,
		"\n  - id: a\n    token_sha256: " + token + "\n  - id: b\n    token_sha256: zz\n":                "5:19: person b: token_sha256 is not 64 hex digits",
		"\n  - id: a\n    token_sha256: " + token + "\n  - id: b\n    token_sha256: " + token + "\n":     "5:19: person b has the same token as a",
		"[{ id: a, token_sha256: " + token + " }, { id: b, token_sha256: " + token + " }]":               "1:124: person b has the same token as a",
		"\n  - id: a\n    accounts: { slack: U012AB3CD }\n  - id: b\n    accounts: { slakc: U012AB3CE }": "5:24: person b has an account of what is neither",
	} {
		_, err := Parse("f.yaml", []byte("people: "+people+"\n"), all.Catalog())
		if err == nil || !strings.Contains("\n"+err.Error(), "\nf.yaml:"+want) {
			t.Errorf("people: %s: error %v, want f.yaml:%s", people, err, want)
		}
	}
	// People without an id are not two with the same.
	_, err := Parse("f.yaml", []byte("people: [{ groups: [g] }, { groups: [g] }]\n"), all.Catalog())
	if err == nil || strings.Contains(err.Error(), "two people") {
		t.Errorf("two people without an id: error %v", err)
	}
}

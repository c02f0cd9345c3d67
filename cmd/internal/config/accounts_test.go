package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// A person's account is found by the integration's name, else by its kind, and
// the keys of before mean the same.
func TestAccounts(t *testing.T) {
	const integrations = "integrations:\n  chat: { kind: slack, bot_token: xoxb-1-2, app_token: xapp-1-2 }\n  other: { kind: slack, bot_token: xoxb-3-4, app_token: xapp-3-4 }\n"
	for people, want := range map[string][2]string{
		"{ id: a, slack: U1 }":                                    {"U1", "U1"},
		"{ id: a, accounts: { slack: U1 } }":                      {"U1", "U1"},
		"{ id: a, slack: U1, accounts: { slack: U1 } }":           {"U1", "U1"},
		"{ id: a, accounts: { other: U2 } }":                      {"", "U2"},
		"{ id: a, slack: U1, accounts: { other: U2 } }":           {"U1", "U2"},
		"{ id: a, accounts: { slack: U1, other: U2, chat: U3 } }": {"U3", "U2"},
		"{ id: a, pagerduty: P1 }":                                {"", ""},
	} {
		c, err := Parse("f.yaml", []byte(integrations+"people: ["+people+"]\n"), all.Catalog())
		if err != nil {
			t.Errorf("%s: %v", people, err)
			continue
		}
		if got := [2]string{c.Account("chat", c.People[0]), c.Account("other", c.People[0])}; got != want {
			t.Errorf("%s: the accounts in chat and other are %q, want %q", people, got, want)
		}
		if got := c.Answers(c.People[0]); got != (people != "{ id: a, pagerduty: P1 }") {
			t.Errorf("%s: can answer: %t", people, got)
		}
	}
	for people, want := range map[string]string{
		"{ id: a, slack: U1, accounts: { slack: U2 } }": "f.yaml:4:26: person a has one account here and another in accounts: keep one",
		"{ id: a, accounts: { slakc: U2 } }":            "f.yaml:4:38: person a has an account of what is neither an integration of this file nor a kind of one",
	} {
		if _, err := Parse("f.yaml", []byte(integrations+"people: ["+people+"]\n"), all.Catalog()); err == nil || !strings.HasPrefix(err.Error(), want+"\n") {
			t.Errorf("%s: error %v, want %s", people, err, want)
		}
	}
}

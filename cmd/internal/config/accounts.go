package config

import (
	"slices"

	"github.com/stanch-soar/stanch/playbooks"
)

// Account is the person's user id in the product behind an integration, by the
// integration's name, else by its kind; empty where they have none.
func (p Person) Account(name, kind string) string {
	if id := p.Accounts[name]; id != "" {
		return id
	}
	return p.Accounts[kind]
}

// answerable is the capability of messengers in which people answer.
const answerable = "Answerable"

// Answers reports whether the person can answer questions: at a terminal, or in a
// messenger where they have an account.
func (c *Config) Answers(p Person) bool {
	if p.TokenSHA256 != "" {
		return true
	}
	for key, id := range p.Accounts {
		// A key may be a name and a kind: a simulated estate that is called slack.
		spec, ok := c.catalog.Integration(key)
		answers := ok && spec.Can(answerable) || slices.ContainsFunc(c.Opened, func(i Integration) bool { return i.Name == key && i.Spec.Can(answerable) })
		if answers && id != "" {
			return true
		}
	}
	return false
}

// Account is the person's user id in the product behind a configured integration.
func (c *Config) Account(use string, p Person) string {
	at := slices.IndexFunc(c.Opened, func(i Integration) bool { return i.Name == use })
	if at < 0 {
		return ""
	}
	return p.Account(use, c.Opened[at].Spec.Kind)
}

// readAccounts adds the accounts with keys of their own to the map.
func (c *Config) readAccounts(p *Person, name string, node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	for _, key := range node.Get("accounts").Keys() {
		_, kind := c.catalog.Integration(key)
		if !kind && !slices.ContainsFunc(c.Opened, func(i Integration) bool { return i.Name == key }) {
			issues = append(issues, node.Get("accounts").Get(key).Issue("person %s has an account of what is neither an integration of this file nor a kind of one", name))
		}
	}
	for _, own := range []struct{ key, id string }{{"slack", p.Slack}, {"pagerduty", p.PagerDuty}} {
		if own.id == "" {
			continue
		}
		if other := p.Accounts[own.key]; other != "" && other != own.id {
			issues = append(issues, node.Get(own.key).Issue("person %s has one account here and another in accounts: keep one", name))
		}
		if p.Accounts == nil {
			p.Accounts = map[string]string{}
		}
		p.Accounts[own.key] = own.id
	}
	return issues
}

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

// Answers reports whether the person can answer questions: at a terminal, or in a
// messenger where they have an account.
func (c *Config) Answers(p Person) bool {
	if p.TokenSHA256 != "" {
		return true
	}
	for key, id := range p.Accounts {
		spec, ok := c.catalog.Integration(key)
		if at := slices.IndexFunc(c.Opened, func(i Integration) bool { return i.Name == key }); at >= 0 {
			spec, ok = c.Opened[at].Spec, true
		}
		if ok && id != "" && spec.Can("Answerable") {
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

// readAccounts puts the accounts that have keys of their own among the others.
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

package nftables

import (
	"slices"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// refuse is an error about what was asked of the helper.
func refuse(kind integrations.Kind, format string, args ...any) error {
	return integrations.Errorf(kind, "ask the gateway's helper", format, args...)
}

// keyed returns why a text is no key.
func keyed(key string) error {
	switch {
	case key == "":
		return refuse(integrations.Invalid, "it has no key")
	case len(key) > longestKey:
		return refuse(integrations.Invalid, "the key has %d bytes, and at most %d are taken", len(key), longestKey)
	}
	for _, r := range key {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return refuse(integrations.Invalid, "invalid key %q: it has a character that does not print", key)
		}
	}
	return nil
}

// wellFormed returns why a scope is none, or is not written in the one way in which this
// side writes it. Nothing of it is taken on the word of whoever sent it.
func wellFormed(s Scope) error {
	switch {
	case !slices.Contains(scopeActions(), s.Action):
		return refuse(integrations.Invalid, "invalid action %q: there are %v", s.Action, scopeActions())
	case len(s.Addresses) > maxAddresses:
		return refuse(integrations.Invalid, "it has %d addresses, and at most %d are taken", len(s.Addresses), maxAddresses)
	case s.Filter == nil && actionFor(s.Action) == incident.Block:
		return refuse(integrations.Invalid, "a block of all that a host sends would be an isolation")
	}
	texts := make([]string, 0, len(s.Addresses))
	for _, a := range s.Addresses {
		texts = append(texts, a.String())
	}
	addresses, err := parseAddresses(texts)
	if err != nil {
		return refuse(integrations.Invalid, "%w", err)
	}
	if !slices.Equal(addresses, s.Addresses) {
		return refuse(integrations.Invalid, "the addresses are not sorted, each once, or IPv4 is written in IPv6")
	}
	if s.Filter == nil {
		return nil
	}
	f, err := filterOf(*s.Filter)
	if err != nil {
		return refuse(integrations.Invalid, "%w", err)
	}
	if f != *s.Filter {
		return refuse(integrations.Invalid, "the filter is to be written as %q", f)
	}
	return nil
}

package service

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// receiverPerson is a person as the receiver knows them. Without a token
// no client can act as them.
func receiverPerson(c *config.Config, p config.Person) (httpapi.Person, error) {
	sum, err := hex.DecodeString(p.TokenSHA256)
	if err != nil {
		return httpapi.Person{}, fmt.Errorf("person %s: token_sha256: %w", p.ID, err)
	}
	return httpapi.Person{Person: p.IncidentPerson(), May: c.Rights(p), TokenSHA256: sum}, nil
}

// warnOfRights warns of rights that no person has, above all after an upgrade from a
// version in which every person could do everything.
func warnOfRights(c *config.Config, log *slog.Logger) {
	unsaid := c.Unsaid()
	if len(unsaid) > 0 && len(unsaid) == len(c.People) {
		log.Warn("no person has may, so everybody may only read; earlier versions let everybody release, extend, pause and retry",
			"people", strings.Join(unsaid, ", "), "add", "may: [read, retry, extend, release, pause]", "see", "docs/security.md")
	}
	for _, right := range c.Unheld() {
		log.Warn("NOBODY HAS THE RIGHT "+strings.ToUpper(string(right))+": nobody with a token can "+right.Allows()+"; give it under may in stanch.yaml",
			"right", string(right))
	}
}

// directory implements [activities.People] on the configuration.
type directory struct {
	config *config.Config
	set    *integrations.Set
	log    *slog.Logger
}

func (s *Service) directory() directory {
	return directory{s.options.Config, s.set, s.options.Log}
}

// Bind returns the one person whose account it is: by the product's id, and by
// the e-mail address only where the integration vouches for it.
func (d directory) Bind(use string, a integrations.Account) (incident.Person, error) {
	var found []config.Person
	for _, p := range d.config.People {
		id := d.accountOf(use, p)
		if id != "" && id == a.User || a.Email != "" && strings.EqualFold(p.Email, a.Email) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0].IncidentPerson(), nil
	case 0:
		return incident.Person{}, integrations.Errorf(integrations.Denied, "find the person of "+use+" account "+a.User,
			"account %s is nobody of stanch.yaml: add it to the person in people", a.User)
	}
	ids := make([]string, 0, len(found))
	for _, p := range found {
		ids = append(ids, p.ID)
	}
	return incident.Person{}, integrations.Errorf(integrations.Denied, "find the person of "+use+" account "+a.User,
		"account %s is more than one person of stanch.yaml: %s", a.User, strings.Join(ids, ", "))
}

// mayRead is nil where a person may look at cases.
func (d directory) mayRead(id string) error {
	for _, p := range d.config.People {
		if p.ID == id && d.config.May(p, incident.MayRead) {
			return nil
		}
	}
	return integrations.Errorf(integrations.Denied, "show a case to "+id,
		"%s lacks the right %s: people or groups in stanch.yaml give it, under may", id, incident.MayRead)
}

// accountOf is a person's account in the product behind an integration.
func (d directory) accountOf(use string, p config.Person) string {
	spec, _ := d.set.Spec(use)
	return p.Account(use, spec.Kind)
}

// vouchWithin bounds asking a messenger about a group. A person who answers at
// a terminal is not kept waiting for a product that is down.
const vouchWithin = 2 * time.Second

// Vouch returns those of the directories' groups in which the person is now. A
// directory that does not answer vouches for nothing; a group without a directory
// is looked up in every messenger.
func (d directory) Vouch(ctx context.Context, person string, groups []string) []string {
	ctx, cancel := context.WithTimeout(ctx, vouchWithin)
	defer cancel()
	at := slices.IndexFunc(d.config.People, func(p config.Person) bool { return p.ID == person })
	if at < 0 {
		return nil
	}
	var in []string
	for _, use := range d.set.Names() {
		asked := incident.GroupsIn(use, groups)
		for _, group := range d.groupsNow(ctx, use, d.config.People[at], slices.Sorted(maps.Keys(asked))) {
			in = append(in, asked[group])
		}
	}
	return in
}

// groupsNow asks one directory.
func (d directory) groupsNow(ctx context.Context, use string, p config.Person, groups []string) []string {
	messenger, err := integrations.Use[integrations.Answerable](d.set, use)
	account := d.accountOf(use, p)
	if err != nil || account == "" || len(groups) == 0 {
		return nil
	}
	known, err := messenger.Identify(ctx, integrations.Click{Use: use, User: account}, groups)
	if err != nil {
		d.log.Warn("a directory does not vouch for a person", "integration", use, "person", p.ID, "error", err)
		return nil
	}
	return known.Groups
}

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

func checkFolders(c *config.Config) []finding {
	var found []finding
	for _, folder := range []struct{ about, path string }{{"data", c.Data}, {"evidence", c.EvidenceDir()}} {
		if err := writable(folder.path); err != nil {
			found = append(found, bad(folder.about, "give the folder to the user that runs stanch serve", "%q cannot be written: %v", folder.path, err))
			continue
		}
		found = append(found, fine(folder.about, "%q can be written", folder.path))
	}
	return found
}

// writable writes and removes a file in the folder, or in the nearest existing
// one above it: serve creates the rest.
func writable(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for {
		_, err := os.Stat(dir)
		if up := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && up != dir {
			dir = up
			continue
		}
		if err != nil {
			return err
		}
		f, err := os.CreateTemp(dir, ".stanch-doctor-*")
		if err != nil {
			return err
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
}

// checkCollector asks the collector of traces, where there is one, to take them.
func checkCollector(ctx context.Context, c *config.Config) []finding {
	if c.Telemetry.Traces.Endpoint == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	host, err := service.ReachCollector(ctx, c)
	if err != nil {
		return []finding{bad("traces", "start the collector, or correct telemetry.traces in stanch.yaml; cases go on without it", "%v", err)}
	}
	return []finding{fine("traces", "the collector at %s takes spans", host)}
}

// checkSecretFiles looks for secrets that others on the machine can read. Faults
// inside such a file were refused when the configuration was read.
func checkSecretFiles(c *config.Config) []finding {
	var found []finding
	for _, path := range c.Exposed() {
		found = append(found, warn("secrets", "chmod go= "+path, "%q holds a secret, and others than its owner may read it", path))
	}
	return found
}

// checkDoors checks who has access: sources and people.
func checkDoors(c *config.Config) []finding {
	var found []finding
	if len(c.Sources) == 0 {
		found = append(found, bad("sources", "add one to sources in stanch.yaml", "nobody may send alerts"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		if c.Sources[name].Fetched() {
			continue // See checkFetched.
		}
		if !c.Sources[name].Auth.Configured() {
			found = append(found, bad("source "+name, "give it auth", "every request is refused: it has no auth"))
			continue
		}
		found = append(found, fine("source "+name, "takes alerts of kind %s", c.Sources[name].Kind))
	}
	found = append(found, checkAccounts(c)...)
	if len(c.People) == 0 {
		found = append(found, bad("people", "add people to stanch.yaml; stanch token makes a token", "nobody may approve, release or pause"))
	}
	found = append(found, checkRights(c)...)
	for _, p := range c.People {
		if !c.Answers(p) {
			found = append(found, bad("person "+p.ID, "give token_sha256 (stanch token makes one) or an account in a messenger", "nobody can speak as %s", p.ID))
		}
	}
	return found
}

// checkAccounts checks for accounts that more than one person has: a click there
// is nobody's.
func checkAccounts(c *config.Config) []finding {
	var found []finding
	for _, i := range c.Opened {
		owners := map[string][]string{}
		for _, p := range c.People {
			if id := c.Account(i.Name, p); id != "" {
				owners[id] = append(owners[id], p.ID)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(owners)) {
			if people := owners[id]; len(people) > 1 {
				found = append(found, bad("people", "give each the account that is their own", "account %s of %s is that of %s: it identifies none of them",
					id, i.Name, strings.Join(people, " and ")))
			}
		}
	}
	return found
}

// checkRights checks for rights that no person could use when they are needed.
func checkRights(c *config.Config) []finding {
	if len(c.People) == 0 {
		return nil
	}
	unheld := c.Unheld()
	var found []finding
	for _, right := range []incident.Right{incident.MayPause, incident.MayRelease} {
		about := "right " + string(right)
		if slices.Contains(unheld, right) {
			found = append(found, bad(about, fmt.Sprintf("give it to somebody: may: [read, %s] of a person with token_sha256, or of a group", right),
				"nobody with a token could %s", right.Allows()))
			continue
		}
		var held []string
		for _, p := range c.People {
			if c.May(p, right) && p.TokenSHA256 != "" {
				held = append(held, p.ID)
			}
		}
		found = append(found, fine(about, "held by %s", strings.Join(held, ", ")))
	}
	return found
}

// makeable reports whether stanch serve can make a file: it makes its data folder,
// and no other.
func makeable(c *config.Config, path string) error {
	dir := filepath.Dir(path)
	if filepath.Clean(dir) == filepath.Clean(c.Data) {
		return writable(dir)
	}
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	return writable(dir)
}

// checkIntegrations opens and probes each, so that one that fails hides no
// other. A file that an integration would make is made in the folder scratch
// instead.
func checkIntegrations(ctx context.Context, c *config.Config, scratch string) (*integrations.Set, []finding) {
	set := integrations.NewSet()
	var found []finding
	for _, i := range c.Opened {
		about := "integration " + i.Name
		fail := func(fix string, err error) {
			found = append(found, bad(about, fix, "%v", err))
			// Its capabilities are still compared with the playbooks.
			set.Add(i.Name, i.Spec, nil)
		}
		shown := func(text string) string { return text }
		if path, unmade := i.Unmade(); unmade {
			if err := makeable(c, path); err != nil {
				fail("make the folder for the user that runs stanch serve, which makes only its data folder", err)
				continue
			}
			there := filepath.Join(scratch, incident.DigestOf([]byte(path)))
			i = i.MovedTo(there)
			shown = func(text string) string { return strings.ReplaceAll(text, there, path) }
		}
		opened, err := i.Spec.Connect(ctx, i.Config)
		if err == nil {
			err = integrations.Join(set, opened)
		}
		if err != nil {
			fail(permissions(i.Spec), err)
			continue
		}
		set.Add(i.Name, i.Spec, opened)
		prober, ok := opened.(integrations.Prober)
		if !ok {
			found = append(found, fine(about, "kind %s, opened; it has nothing to probe", i.Spec.Kind))
			continue
		}
		probe, cancel := context.WithTimeout(ctx, doctorTimeout)
		for _, f := range prober.Probe(probe) {
			if !f.OK && f.Fix == "" {
				f.Fix = permissions(i.Spec)
			}
			f.What = shown(f.What)
			found = append(found, finding{about, f})
		}
		found = append(found, checkRoles(probe, c, about, opened)...)
		found = append(found, checkExceptions(probe, c, about, i.Spec, opened)...)
		cancel()
	}
	return set, found
}

// checkRoles checks for unknown roles in inventories: a condition on them is
// unknown, so people are asked.
func checkRoles(ctx context.Context, c *config.Config, about string, opened any) []finding {
	inventory, ok := opened.(integrations.RoleLister)
	if !ok {
		return nil
	}
	roles, err := inventory.AssetRoles(ctx)
	if err != nil {
		return nil // Its probe has reported the reason.
	}
	hosts := map[string]int{}
	for _, role := range roles {
		if _, known := c.AssetRoles.Word(role); !known {
			hosts[role]++
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	words := make([]string, 0, len(hosts))
	for _, role := range slices.Sorted(maps.Keys(hosts)) {
		words = append(words, fmt.Sprintf("%q (%s)", role, count(hosts[role], "host")))
	}
	return []finding{bad(about, "correct them, or add them to roles in stanch.yaml: "+strings.Join(c.AssetRoles.Names(), ", "),
		"words that are not asset roles make conditions on the role unknown: %s", strings.Join(words, ", "))}
}

// checkWords checks for words of the configuration that match nothing: limits of
// traffic for unknown asset roles, and sources with an unknown operating system.
func checkWords(c *config.Config) []finding {
	var found []finding
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		if system := c.Sources[name].OS; !incident.Filler(system) {
			if _, known := incident.OSes().Word(system); !known {
				found = append(found, bad("source "+name, "write one of "+strings.Join(incident.OSes().Names(), ", "), "os: %s", incident.OSes().Outside(system)))
			}
		}
	}
	for _, role := range slices.Sorted(maps.Keys(c.Traffic.ByRole)) {
		if _, known := c.AssetRoles.Word(role); !known && role != traffic.DefaultLimits {
			found = append(found, bad("traffic", "add it to roles in stanch.yaml", "there are limits for %q, which is not an asset role: no host has it", role))
		}
	}
	return found
}

// permissions describes the permissions that an integration needs in its product.
func permissions(s integrations.Spec) string {
	needs := make([]string, 0, len(s.Permissions))
	for _, p := range s.Permissions {
		needs = append(needs, p.Name+" ("+p.Why+")")
	}
	if len(needs) == 0 {
		return ""
	}
	return "it needs " + strings.Join(needs, ", ")
}

func checkPlaybooks(ctx context.Context, c *config.Config, set *integrations.Set) []finding {
	loaded, err := service.Playbooks(c, set)
	if err != nil {
		return misfits(err)
	}
	var found []finding
	for _, p := range loaded {
		found = append(found, fine("playbook "+p.Name, "loads, mode %s, digest %s", p.Mode, p.Digest()))
		for _, i := range p.Warnings() {
			found = append(found, warn("playbook "+p.Name, "correct it: changed in any other way it would not load", "%s", i.String()))
		}
		for _, name := range slices.Sorted(maps.Keys(p.Approvals)) {
			found = append(found, checkApproval(c, set, p, name))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	uses := service.CheckMessengers(ctx, set, loaded)
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		for _, f := range uses[name] {
			found = append(found, finding{"integration " + name, f})
		}
	}
	return found
}

// misfits is one finding for each complaint about a playbook.
func misfits(err error) []finding {
	var found []finding
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			found = append(found, misfits(e)...)
		}
		return found
	}
	if issues, ok := errors.AsType[playbooks.Issues](err); ok {
		for _, i := range issues {
			found = append(found, bad("playbooks", "correct it, or the integrations in stanch.yaml", "%s", i.String()))
		}
		return found
	}
	return []finding{bad("playbooks", "correct playbooks in stanch.yaml", "%v", err)}
}

// checkApproval counts the people who could answer.
func checkApproval(c *config.Config, set *integrations.Set, p *playbooks.Playbook, name string) finding {
	a := p.Approvals[name]
	about := fmt.Sprintf("approval %s of %s", name, p.Name)
	for _, id := range a.Approvers.People {
		if !slices.ContainsFunc(c.People, func(p config.Person) bool { return p.ID == id }) {
			return bad(about, "add the person, or correct the playbook", "approver %q is not in people of stanch.yaml", id)
		}
	}
	for _, id := range a.Exclude {
		if id != playbooks.ExcludeRaiser && id != playbooks.ExcludeAuthor && !slices.ContainsFunc(c.People, func(p config.Person) bool { return p.ID == id }) {
			return bad(about, "correct the id, or add the person", "exclude names %q, who is not in people of stanch.yaml: it has no effect", id)
		}
	}
	// Only the directory knows the members of its groups.
	use, _ := a.Directory()
	_, err := integrations.Use[integrations.UseChecker](set, use)
	vouched := err == nil
	able := 0
	for _, person := range c.People {
		if c.Answers(person) && named(c, a, person, vouched) {
			able++
		}
	}
	quorum := max(1, a.Quorum)
	if able < quorum {
		return bad(about, "give people the group in stanch.yaml, with a token or an account in a messenger",
			"it takes %d of %s, and %d could answer: it would always expire", quorum, approversText(a.Approvers), able)
	}
	return fine(about, "it takes %d, and %d could answer", quorum, able)
}

func named(c *config.Config, approval playbooks.Approval, p config.Person, vouched bool) bool {
	a := approval.Approvers
	use, group := approval.Directory()
	return a.Include(p.ID, p.Groups) || group != "" && vouched && c.Account(use, p) != "" ||
		a.OnCall.Use != "" && (c.Account(a.OnCall.Use, p) != "" || slices.Contains(p.Groups, a.OnCall.Otherwise))
}

func approversText(a incident.Approvers) string {
	parts := a.Texts()
	if a.OnCall.Otherwise != "" {
		parts = append(parts, "group "+a.OnCall.Otherwise)
	}
	if a.OnCall.Use != "" {
		parts = append(parts, "who is on call by "+a.OnCall.Policy)
	}
	return strings.Join(parts, ", ")
}

package service

import (
	"context"
	"maps"
	"slices"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// repliesOf are the sources whose alerts are answered, sorted.
func repliesOf(c *config.Config) []activities.PinnedReply {
	var replies []activities.PinnedReply
	for _, source := range slices.Sorted(maps.Keys(c.Sources)) {
		if use := c.Sources[source].Reply; use != "" {
			replies = append(replies, activities.PinnedReply{Source: source, Use: use})
		}
	}
	return replies
}

// messengerUse is the channels and groups that playbooks use of one messenger.
type messengerUse struct {
	channels []string
	groups   []integrations.GroupUse
}

func (u *messengerUse) add(channel string) {
	if !slices.Contains(u.channels, channel) {
		u.channels = append(u.channels, channel)
	}
}

// CheckMessengers has every [integrations.UseChecker] check that the channels and
// groups that playbooks name exist. The findings are by integration.
func CheckMessengers(ctx context.Context, set *integrations.Set, loaded []*playbooks.Playbook) map[string][]integrations.Finding {
	found := map[string][]integrations.Finding{}
	uses := messengerUses(loaded)
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		if checker, err := integrations.Use[integrations.UseChecker](set, name); err == nil {
			found[name] = checker.CheckUse(ctx, uses[name].channels, uses[name].groups)
		}
	}
	return found
}

func messengerUses(loaded []*playbooks.Playbook) map[string]*messengerUse {
	uses := map[string]*messengerUse{}
	of := func(name string) *messengerUse {
		if uses[name] == nil {
			uses[name] = &messengerUse{}
		}
		return uses[name]
	}
	for _, p := range loaded {
		for _, name := range slices.Sorted(maps.Keys(p.Steps)) {
			if s := p.Steps[name]; s.Action == incident.Notify {
				of(s.Use.First()).add(s.With.Channel)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(p.Approvals)) {
			a := p.Approvals[name]
			of(a.Ask.Use).add(a.Ask.Channel)
			for _, ask := range a.Fallback.Ask {
				of(ask.Use).add(ask.Channel)
			}
			for _, e := range a.Escalate {
				of(e.Ask.Use).add(e.Ask.Channel)
			}
			if use, group := a.Directory(); group != "" {
				u := of(use)
				u.groups = append(u.groups, integrations.GroupUse{Group: group, Quorum: max(1, a.Quorum)})
			}
		}
	}
	return uses
}

// checkAtStart logs what keeps people from answering. It blocks
// nothing: alerts are taken and hosts contained also while a messenger is away.
func (s *Service) checkAtStart(ctx context.Context) {
	for use, findings := range CheckMessengers(ctx, s.set, s.shelf.playbooks()) {
		for _, f := range findings {
			if !f.OK {
				s.options.Log.Error("a messenger lacks what playbooks name", "integration", use, "found", f.What, "fix", f.Fix)
			}
		}
	}
}

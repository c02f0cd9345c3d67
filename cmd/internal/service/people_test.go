package service

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
)

// rolls is a directory that knows which account is in which groups.
type rolls struct {
	integrations.Answerable
	groups map[string][]string
	down   bool
}

func (r rolls) Identify(_ context.Context, c integrations.Click, groups []string) (integrations.Account, error) {
	if r.down {
		return integrations.Account{}, integrations.Errorf(integrations.Unavailable, "identify", "connection refused")
	}
	in := slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return !slices.Contains(r.groups[c.User], g) })
	return integrations.Account{User: c.User, Groups: in}, nil
}

// A group of a named directory is looked up in that directory alone, by the person's
// account there; a bare name of all in which the person has an account.
func TestADirectoryVouchesForItsOwnGroups(t *testing.T) {
	slack := rolls{groups: map[string][]string{"U1": {"sec", "ops"}}}
	teams := rolls{groups: map[string][]string{"t-alice": {"sec"}, "t-bob": {"leads"}}}
	for name, c := range map[string]struct {
		person string
		slack  rolls
		groups []string
		want   []string
	}{
		"of each":                {"alice", slack, []string{"slack/ops", "teams/sec"}, []string{"slack/ops", "teams/sec"}},
		"not of another's":       {"alice", slack, []string{"teams/ops"}, nil},
		"a bare name":            {"alice", slack, []string{"ops"}, []string{"ops"}},
		"no account there":       {"bob", slack, []string{"slack/sec", "teams/leads"}, []string{"teams/leads"}},
		"nobody":                 {"eve", slack, []string{"slack/sec"}, nil},
		"a directory is down":    {"alice", rolls{down: true}, []string{"slack/sec", "teams/sec"}, []string{"teams/sec"}},
		"no such directory":      {"alice", slack, []string{"entra/sec"}, nil},
		"a group of stanch.yaml": {"carol", slack, []string{"slack/sec"}, nil},
	} {
		set := integrations.NewSet()
		set.Add("slack", integrations.Spec{Kind: "slack"}, c.slack)
		set.Add("teams", integrations.Spec{Kind: "teams"}, teams)
		d := directory{&config.Config{People: []config.Person{
			{ID: "alice", Accounts: map[string]string{"slack": "U1", "teams": "t-alice"}},
			{ID: "bob", Accounts: map[string]string{"teams": "t-bob"}},
			{ID: "carol", Groups: []string{"slack/sec"}},
		}}, set, slog.New(slog.DiscardHandler)}
		if got := d.Vouch(t.Context(), c.person, c.groups); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

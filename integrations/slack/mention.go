package slack

import (
	"context"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
)

// maxMentions bounds whom one message calls.
const maxMentions = 10

// mention turns those whom a playbook calls into Slack's own form: handles of
// user groups and people, and their ids, several of them with spaces or commas
// between. Missing are those whom Slack does not know; @here and its like are
// nobody. It fails only where it may not fail the next time.
func (a *App) mention(ctx context.Context, text string) (markup string, missing []string, err error) {
	names := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })
	var called []string
	for i, name := range names {
		if i == maxMentions {
			missing = append(missing, names[i:]...)
			break
		}
		one, err := a.mentionOne(ctx, name)
		switch {
		case err != nil && integrations.KindOf(err).Retryable():
			return "", nil, err
		case err != nil || one == "":
			a.log.WarnContext(ctx, "somebody whom a playbook calls is not in Slack", "mention", name, "error", err)
			missing = append(missing, name)
		case !slices.Contains(called, one):
			called = append(called, one)
		}
	}
	return strings.Join(called, " "), missing, nil
}

// mentionOne returns the markup of one name, or nothing when nobody has it. A
// name is a group's before it is a person's.
func (a *App) mentionOne(ctx context.Context, name string) (string, error) {
	bare := strings.TrimPrefix(name, "@")
	if !isID(bare, "UW") {
		g, ok, err := a.group(ctx, bare)
		if err != nil && integrations.KindOf(err).Retryable() {
			return "", err
		}
		if ok {
			return "<!subteam^" + g.ID + ">", nil
		}
	}
	id, err := a.person(ctx, bare)
	if err != nil || id == "" {
		return "", err
	}
	return "<@" + id + ">", nil
}

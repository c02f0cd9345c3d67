package slack

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

// maxSkew is by how much the clock may be wrong before it is reported. At five
// minutes signed requests are refused.
const maxSkew = time.Minute

const reinstall = "add it to the app under OAuth & Permissions, and install the app again"

// Probe implements [integrations.Prober].
func (a *App) Probe(ctx context.Context) []integrations.Finding {
	r := reading("ask Slack whose the bot token is")
	me, err := a.api.AuthTestContext(ctx)
	if err != nil {
		return append([]integrations.Finding{problem(r.failed(err))}, a.probeAnswers(ctx))
	}
	findings := []integrations.Finding{{
		What: fmt.Sprintf("the bot token is that of @%s in the workspace %s (%s)", me.User, me.Team, me.TeamID), OK: true,
	}}
	if w := a.config.Workspace; w != "" && w != me.TeamID {
		findings = append(findings, integrations.Finding{
			What: fmt.Sprintf("workspace is %s, but the bot token is of %s: nobody could answer", w, me.TeamID),
			Fix:  "configure the token of the app in " + w + ", or leave workspace out",
		})
	}
	findings = append(findings, a.probeScopes(me.Header)...)
	findings = append(findings, a.probeClock(me.Header)...)
	return append(findings, a.probeAnswers(ctx))
}

// problem tells of an error, and how to fix it.
func problem(err error) integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "do as it says, or as Slack's documents say of it"}
	switch integrations.KindOf(err) {
	case integrations.Denied:
		f.Fix = "give the app what it lacks, install it again in the workspace, and configure the token that it then has"
	case integrations.NotFound:
		f.Fix = "check the name, and that the app can see it"
	case integrations.Throttled, integrations.Unavailable, integrations.Ambiguous, integrations.Conflict:
		f.Fix = "check the way to Slack, also through a proxy, and ask again"
	case integrations.Invalid:
	}
	return f
}

// probeScopes compares what the token was granted with what Stanch needs.
func (a *App) probeScopes(h http.Header) []integrations.Finding {
	granted := strings.FieldsFunc(h.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	needed := scopesFor(a.config.MatchEmail)
	var findings []integrations.Finding
	for _, p := range needed {
		if !slices.Contains(granted, p.Name) {
			findings = append(findings, integrations.Finding{
				What: fmt.Sprintf("the bot token lacks the scope %s: it %s", p.Name, p.Why), Fix: reinstall,
			})
		}
	}
	if len(findings) == 0 {
		return []integrations.Finding{{What: fmt.Sprintf("the bot token has all %d scopes that it needs", len(needed)), OK: true}}
	}
	return findings
}

func (a *App) probeClock(h http.Header) []integrations.Finding {
	there, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return nil
	}
	off := a.now().Sub(there).Round(time.Second)
	if off.Abs() <= maxSkew {
		return []integrations.Finding{{What: fmt.Sprintf("the clock agrees with Slack's to %s", cmp.Or(off.Abs(), time.Second)), OK: true}}
	}
	return []integrations.Finding{{
		What: fmt.Sprintf("the clock differs from Slack's by %s: from five minutes on, Slack's requests are refused", off),
		Fix:  "have the machine's clock kept by NTP",
	}}
}

// probeAnswers checks the way by which people's answers come, without taking
// any.
func (a *App) probeAnswers(ctx context.Context) integrations.Finding {
	if a.config.Mode == HTTP {
		return integrations.Finding{What: "answers come as signed requests; that the signing secret is right shows with the first one", OK: true}
	}
	r := reading("ask Slack for a Socket Mode connection")
	connection, _, err := a.api.StartSocketModeContext(ctx)
	if err == nil && connection.URL == "" {
		err = integrations.Errorf(integrations.Unavailable, r.op, "the answer names no address")
	}
	if err == nil {
		return integrations.Finding{What: "the app token may open Socket Mode connections", OK: true}
	}
	f := problem(r.failed(err))
	if is(r.failed(err), integrations.Denied) {
		f.Fix = "make an app-level token with the scope connections:write under Basic Information of the app, " +
			"switch Socket Mode on, and configure it as app_token"
	}
	return f
}

// CheckUse checks what playbooks use of the workspace: that the app can write
// in the channels, and that there are people enough in the groups.
func (a *App) CheckUse(ctx context.Context, channels []string, groups []integrations.GroupUse) []integrations.Finding {
	var findings []integrations.Finding
	for i, name := range channels {
		if !slices.Contains(channels[:i], name) {
			findings = append(findings, a.checkPlace(ctx, name))
		}
	}
	most := map[string]int{}
	var handles []string
	for _, g := range groups {
		handle := "@" + strings.TrimPrefix(g.Group, "@")
		if _, ok := most[handle]; !ok {
			handles = append(handles, handle)
		}
		most[handle] = max(most[handle], g.Quorum)
	}
	for _, handle := range handles {
		findings = append(findings, a.checkGroup(ctx, handle, most[handle]))
	}
	return findings
}

func (a *App) checkPlace(ctx context.Context, name string) integrations.Finding {
	id, err := a.place(ctx, name)
	if err != nil {
		return problem(err)
	}
	if isID(id, "D") {
		return integrations.Finding{What: name + " can be written to directly", OK: true}
	}
	ch, err := a.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	switch {
	case err != nil:
		return problem(reading("look at the channel %s", name).failed(err))
	case ch.IsArchived:
		return integrations.Finding{What: fmt.Sprintf("the channel %s is archived", name), Fix: "unarchive it, or name another one in the playbooks"}
	case !ch.IsMember:
		return integrations.Finding{
			What: fmt.Sprintf("the app is not in the channel %s: it cannot write there", name),
			Fix:  fmt.Sprintf("write /invite @%s in the channel", a.ownName(ctx)),
		}
	}
	return integrations.Finding{What: fmt.Sprintf("the app is in the channel %s", name), OK: true}
}

// ownName is what people call the app by.
func (a *App) ownName(ctx context.Context) string {
	me, err := a.self(ctx)
	if err != nil || me.name == "" {
		return "stanch"
	}
	return me.name
}

// checkGroup counts who of a group can answer, up to as many as are needed.
func (a *App) checkGroup(ctx context.Context, handle string, quorum int) integrations.Finding {
	g, ok, err := a.group(ctx, handle)
	if err != nil {
		return problem(err)
	}
	if !ok {
		return integrations.Finding{
			What: fmt.Sprintf("there is no user group %s: nobody can answer for it", handle),
			Fix:  "make the user group in Slack, enable it, or correct the playbooks",
		}
	}
	members, people, err := a.countPeople(ctx, g, max(quorum, 1))
	switch {
	case err != nil:
		return problem(err)
	case people == 0:
		return integrations.Finding{
			What: fmt.Sprintf("nobody in the user group %s can answer: of its %d members none is an active person of the workspace", handle, members),
			Fix:  "add people to the user group",
		}
	case people < quorum:
		return integrations.Finding{
			What: fmt.Sprintf("of the user group %s %d can answer, and %d must approve", handle, people, quorum),
			Fix:  "add people to the user group, or ask for fewer approvals",
		}
	}
	return integrations.Finding{What: fmt.Sprintf("the user group %s has %d members, enough of them people", handle, members), OK: true}
}

// countPeople returns how many members a group has, and how many of them are
// people, at most enough.
func (a *App) countPeople(ctx context.Context, g slack.UserGroup, enough int) (members, people int, err error) {
	workspace, err := a.workspace(ctx)
	if err != nil {
		return 0, 0, err
	}
	list, err := a.inGroup(ctx, g)
	if err != nil {
		return 0, 0, err
	}
	for _, id := range list {
		u, err := a.user(ctx, id)
		if is(err, integrations.NotFound) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		if unfit(u, workspace) == "" {
			people++
		}
		if people >= enough {
			break
		}
	}
	return len(list), people, nil
}

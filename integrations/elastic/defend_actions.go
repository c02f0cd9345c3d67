package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	actionsPath = "/api/endpoint/action"
	// maxActions bounds the actions of one device that are read.
	maxActions = 5_000
	// actionsSince is how far back actions are read: longer than any lease lasts.
	actionsSince = 2 * 365 * 24 * time.Hour
	// actionsKept is how long an action waits for its device.
	actionsKept = "two weeks"
	// actionsLately is how far back the actions of all devices are read, and actionsOver how
	// long after it was ordered none is open any more on a device that has written since:
	// those two weeks, and a day for what was fetched at their end.
	actionsLately = 30 * 24 * time.Hour
	actionsOver   = 15 * 24 * time.Hour
)

// The commands of actions that matter here.
const (
	cmdIsolate   = "isolate"
	cmdUnisolate = "unisolate"
	cmdKill      = "kill-process"
	cmdExecute   = "execute"
)

// action is what somebody ordered on devices, a response action of Elastic.
type action struct {
	ID        string               `json:"id"`
	Agents    manyText             `json:"agents"`
	Command   string               `json:"command"`
	Comment   string               `json:"comment"`
	Started   moment               `json:"startedAt"`
	Ended     moment               `json:"completedAt"`
	Status    string               `json:"status"`
	Completed bool                 `json:"isCompleted"`
	Complete  bool                 `json:"isComplete"` // as the description of the API spells it
	Success   bool                 `json:"wasSuccessful"`
	Expired   bool                 `json:"isExpired"`
	Errors    manyText             `json:"errors"`
	States    map[string]agentWork `json:"agentState"`
	Outputs   map[string]output    `json:"outputs"`
}

// agentWork is how far one of an action's devices is.
type agentWork struct {
	Completed bool     `json:"isCompleted"`
	Complete  bool     `json:"isComplete"`
	Success   bool     `json:"wasSuccessful"`
	Ended     moment   `json:"completedAt"`
	Errors    manyText `json:"errors"`
}

// output is what an action left on one device.
type output struct {
	Type    string          `json:"type"`
	Content json.RawMessage `json:"content"`
}

// of is the action as it is on one of its devices: others of them may be farther.
func (a action) of(id agentID) action {
	for agent, work := range a.States {
		if strings.EqualFold(agent, string(id)) {
			a.Completed, a.Complete, a.Success, a.Ended = work.Completed || work.Complete, false, work.Success, work.Ended
			a.Errors = append(a.Errors, work.Errors...)
		}
	}
	return a
}

// on reports whether the action is one on the device.
func (a action) on(id agentID) bool {
	for _, agent := range a.Agents {
		if strings.EqualFold(agent, string(id)) {
			return true
		}
	}
	return false
}

func (a action) is(command string) bool { return strings.EqualFold(a.Command, command) }

// answered reports whether the device has answered.
func (a action) answered() bool { return a.Completed || a.Complete }

// ended reports whether the device has answered, or will not any more.
func (a action) ended() bool { return a.answered() || a.Expired }

// succeeded reports whether the device has carried the action out.
func (a action) succeeded() bool { return a.answered() && a.Success }

// at is when the action ended, as far as it is known, else when it was ordered.
func (a action) at() time.Time {
	if a.ended() && !a.Ended.IsZero() {
		return a.Ended.Time
	}
	return a.Started.Time
}

// String is the action for people.
func (a action) String() string {
	state := "pending"
	switch {
	case a.succeeded():
		state = "carried out"
	case a.Expired:
		state = "expired"
	case a.ended():
		state = "failed"
	}
	return fmt.Sprintf("%s %s (%s)", quotedWord(a.Command), quotedWord(a.ID), state)
}

// quotedWord is a word of the product's, quoted where it is not one.
func quotedWord(text string) string {
	if allowed(text, "-_.") && len(text) <= 64 {
		return text
	}
	return httpx.Quote(text)
}

// The comments by which an action is recognised as ours. The key ends at the first ": ":
// it has no blank.
const (
	leaseComment  = "Stanch lease "
	scriptComment = "Stanch script "
	killComment   = "Stanch kill "
	maxKey        = 256
	maxComment    = 1000
)

// keyOf is the key in the comment of an action of ours; empty in any other.
func (a action) keyOf(prefix string) string {
	rest, ours := strings.CutPrefix(a.Comment, prefix)
	if !ours {
		return ""
	}
	key, _, ours := strings.Cut(rest, ": ")
	if !ours || strings.ContainsAny(key, " \t\r\n") {
		return ""
	}
	return key
}

// comment is the comment of an action with a key. That the documents name no longest one
// is why it is short.
func comment(op, prefix, key, reason string) (string, error) {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return "", integrations.Errorf(integrations.Invalid, op, "invalid key %s: it has a blank", httpx.Quote(key))
		}
	}
	if key == "" || len(key) > maxKey || strings.HasSuffix(key, ":") {
		return "", integrations.Errorf(integrations.Invalid, op, "invalid key %s: it is empty, too long, or ends with a colon", httpx.Quote(key))
	}
	text := prefix + key + ": " + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, reason)
	if runes := []rune(text); len(runes) > maxComment {
		text = string(runes[:maxComment])
	}
	return text, nil
}

// actions are the actions with these commands that anybody ordered on a device.
func (d *Defend) actions(ctx context.Context, op string, id agentID, commands ...string) ([]action, error) {
	// Of some of its lists Kibana takes one text alone for JSON: this one has two at least.
	asked := slices.Clone(commands)
	for _, other := range []string{cmdExecute, cmdKill} {
		if len(asked) == 1 && asked[0] != other {
			asked = append(asked, other)
		}
	}
	found, err := list[action](ctx, d.kibana, op, actionsPath, url.Values{
		"agentIds": {string(id)}, "commands": asked, "startDate": {dateOf(d.now().Add(-actionsSince))},
	}, maxActions)
	if err != nil {
		return nil, err
	}
	return d.on(id, found, commands...), nil
}

func dateOf(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// everyAction are the isolations and releases of all devices since a time, where there are no
// more than one page of them. Where they cannot be had it is whole that says so: then each
// device must be asked about, and what is wrong comes out there.
func (d *Defend) everyAction(ctx context.Context, since time.Time) (all []action, whole bool) {
	var page struct {
		Data  []action `json:"data"`
		Total *int     `json:"total"`
	}
	err := d.kibana.get(ctx, "read what was ordered lately", actionsPath, url.Values{
		"commands": {cmdIsolate, cmdUnisolate}, "startDate": {dateOf(since)}, "pageSize": {strconv.Itoa(fullPage)},
	}, &page)
	return page.Data, err == nil && page.Total != nil && *page.Total == len(page.Data)
}

// on are those of a device among actions, with these commands, and what this process ordered
// there a moment ago.
func (d *Defend) on(id agentID, found []action, commands ...string) []action {
	wanted := func(a action) bool { return a.on(id) && slices.ContainsFunc(commands, a.is) }
	seen := map[string]bool{}
	var own []action
	// The list may grow while it is read: an action can be on two pages.
	for _, a := range append(found, d.ordered.At(d.now(), wanted)...) {
		if wanted(a) && !seen[a.ID] {
			seen[a.ID] = true
			own = append(own, a.of(id))
		}
	}
	return own
}

// action reads one action of a device, with its output.
func (d *Defend) action(ctx context.Context, op string, id agentID, ref string) (action, error) {
	if _, ok := agentIDOf(ref); !ok {
		return action{}, integrations.Errorf(integrations.Unavailable, op, "the action has the id %s, which is no UUID", httpx.Quote(ref))
	}
	var out struct {
		Data action `json:"data"`
	}
	if err := d.kibana.get(ctx, op, actionsPath+"/"+strings.ToLower(ref), nil, &out); err != nil {
		return action{}, err
	}
	if !out.Data.on(id) {
		return action{}, integrations.Errorf(integrations.Unavailable, op, "the action is not one on the device")
	}
	return out.Data.of(id), nil
}

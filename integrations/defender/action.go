package defender

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// maxActions bounds the actions of one device that are read.
	maxActions = 20_000
	// maxIsolations are too many isolations and releases to read those of all devices.
	maxIsolations = 1000
)

// The types of actions that matter here.
const (
	typeIsolate   = "isolate"
	typeUnisolate = "unisolate"
	typeLive      = "liveresponse"
)

// action is what somebody ordered on a device, a machineAction of Defender.
type action struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Scope     string `json:"scope"`
	Comment   string `json:"requestorComment"`
	Status    string `json:"status"`
	Machine   string `json:"machineId"`
	Created   moment `json:"creationDateTimeUtc"`
	Updated   moment `json:"lastUpdateDateTimeUtc"`
	UpdatedTo moment `json:"lastUpdateTimeUtc"` // as one of the documents' pages spells it
}

// on reports whether the action is one on the device.
func (a action) on(id machineID) bool { return strings.EqualFold(a.Machine, string(id)) }

func (a action) is(kind string) bool { return strings.EqualFold(a.Type, kind) }

// updated is when the action came to its status, as far as Defender says.
func (a action) updated() time.Time {
	for _, at := range []moment{a.Updated, a.UpdatedTo, a.Created} {
		if !at.IsZero() {
			return at.Time
		}
	}
	return time.Time{}
}

// succeeded reports whether the device has carried the action out.
func (a action) succeeded() bool { return strings.EqualFold(a.Status, "Succeeded") }

// open reports whether the action may still be carried out. A status that the documents
// do not have may mean that.
func (a action) open() bool {
	switch strings.ToLower(a.Status) {
	case "succeeded", "failed", "timeout", "cancelled":
		return false
	}
	return true
}

// String is the action for people.
func (a action) String() string {
	what := strings.ToLower(a.Type)
	if a.is(typeIsolate) && a.Scope != "" && !strings.EqualFold(a.Scope, "Full") {
		what += ", " + httpx.Quote(a.Scope) + " alone,"
	}
	return fmt.Sprintf("%s %s (%s)", what, a.ID, a.Status)
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

// actions are all that was ordered on a device, by whomever, as far as Defender keeps it.
// What was ordered in live response on a device's page is not among them.
func (c *Client) actions(ctx context.Context, op string, id machineID) ([]action, error) {
	found, err := list[action](ctx, c.api, op, query("/api/machineactions", "$filter", "machineId eq '"+string(id)+"'"), maxActions)
	if err != nil {
		return nil, err
	}
	return c.on(id, found), nil
}

// everyIsolation are the isolations and releases of all devices, by whomever, where they are
// less than one page. Where they cannot be had it is whole that says so: then each device
// must be asked about, and what is wrong comes out there.
//
// They are as old as Defender keeps them: it has no other record of an isolation, and one
// that was ordered long ago may still stand.
func (c *Client) everyIsolation(ctx context.Context) (all []action, whole bool) {
	var page struct {
		Value []action `json:"value"`
		Next  string   `json:"@odata.nextLink"`
	}
	path := query("/api/machineactions", "$filter", "type eq 'Isolate' or type eq 'Unisolate'", "$top", strconv.Itoa(maxIsolations))
	err := c.api.get(ctx, "read the isolations of all devices", path, &page, "value")
	return page.Value, err == nil && page.Next == "" && len(page.Value) < maxIsolations
}

// on are those of a device among actions, and what this process ordered there a moment ago.
func (c *Client) on(id machineID, found []action) []action {
	own := slices.DeleteFunc(slices.Clone(found), func(a action) bool { return !a.on(id) })
	missing := func(a action) bool {
		return a.on(id) && !slices.ContainsFunc(own, func(b action) bool { return a.ID == b.ID })
	}
	return append(own, c.ordered.At(c.now(), missing)...)
}

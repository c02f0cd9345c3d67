package defender

import (
	"context"
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxArgs bounds the arguments of a script, joined, in bytes.
const maxArgs = 2000

// liveCommands is the body of a live response that runs one script of the library.
type liveCommands struct {
	Commands []liveCommand
	Comment  string
}

type liveCommand struct {
	Type   string          `json:"type"`
	Params []liveParameter `json:"params"`
}

type liveParameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func runScript(script, args, comment string) liveCommands {
	params := []liveParameter{{"ScriptName", script}}
	if args != "" {
		params = append(params, liveParameter{"Args", args})
	}
	return liveCommands{[]liveCommand{{"RunScript", params}}, comment}
}

// Run implements [integrations.Runner]. A device has one live response at a time.
func (c *Client) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	op := "run a script on " + o.Target.Name()
	id, args, err := scriptOrder(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	text, err := comment(op, scriptComment, o.Key, o.Script)
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := c.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	a, r, err := c.script(ctx, op, id, scriptComment, o.Key)
	if err != nil || a.ID != "" {
		return r, err
	}
	return c.live(ctx, op, id, runScript(o.Script, args, text))
}

// scriptOrder checks an order, and returns its device and its arguments as one text: what
// is in them cannot begin another argument.
func scriptOrder(op string, o integrations.ScriptOrder) (machineID, string, error) {
	id, err := targeted(op, o.Target)
	if err != nil {
		return "", "", err
	}
	if !allowed(o.Script, "._-") || strings.HasPrefix(o.Script, ".") || len(o.Script) > 128 {
		return "", "", integrations.Errorf(integrations.Invalid, op, "invalid name of a script %s", httpx.Quote(o.Script))
	}
	for _, arg := range o.Args {
		if !allowed(arg, `._:/\-`) {
			return "", "", integrations.Errorf(integrations.Invalid, op, "invalid argument %s: letters, digits and ._:/\\- are allowed", httpx.Quote(arg))
		}
	}
	args := strings.Join(o.Args, " ")
	if len(args) > maxArgs {
		return "", "", integrations.Errorf(integrations.Invalid, op, "the arguments are longer than %d bytes", maxArgs)
	}
	return id, args, nil
}

// allowed reports whether a text is not empty, and of letters, digits and the others alone.
func allowed(text, others string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return text != ""
}

// script is the live response with a key, and its receipt. Where there is none, and another
// is open on the device, it is a conflict. One that somebody began on the device's page is not
// seen: Defender refuses ours then.
func (c *Client) script(ctx context.Context, op string, id machineID, prefix, key string) (action, incident.Receipt, error) {
	actions, err := c.actions(ctx, op, id)
	if err != nil {
		return action{}, incident.Receipt{}, err
	}
	var open []action
	for _, a := range actions {
		switch {
		case !a.is(typeLive):
		case a.keyOf(prefix) == key:
			return a, incident.Receipt{Ref: a.ID, At: a.Created.Time, Detail: "ordered before"}, nil
		case a.open():
			open = append(open, a)
		}
	}
	if len(open) > 0 {
		return action{}, incident.Receipt{}, busy(op, open)
	}
	return action{}, incident.Receipt{}, nil
}

// live sends the one write.
func (c *Client) live(ctx context.Context, op string, id machineID, body liveCommands) (incident.Receipt, error) {
	var a action
	_, err := c.api.ask(ctx, call{op: op, method: http.MethodPost, path: id.path("/runliveresponse"), limit: liveResponseCalls, write: true}, body, &a)
	if err != nil {
		return incident.Receipt{}, err
	}
	return c.accepted(op, id, typeLive, body.Comment, a)
}

// Ran implements [integrations.Runner].
func (c *Client) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	op := "read the script on " + o.Target.Name()
	id, _, err := scriptOrder(op, o)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	if _, err := comment(op, scriptComment, o.Key, ""); err != nil {
		return integrations.ScriptResult{}, err
	}
	actions, err := c.actions(ctx, op, id)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	for _, a := range actions {
		if a.is(typeLive) && a.keyOf(scriptComment) == o.Key {
			return c.result(ctx, op, a)
		}
	}
	return integrations.ScriptResult{}, integrations.Errorf(integrations.NotFound, op, "no script was ordered with the key %s", httpx.Quote(o.Key))
}

package crowdstrike

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Falcon does not keep who ordered a containment, so a grouping tag on the device says
// whose it is: a mark. It names the order's key by its digest, since the characters that
// tags may hold are not documented; the vendor's own tools took letters, digits and
// underscores, up to 237 of them.
//
// A mark says nothing by itself: on a device that is not contained it is a leftover. The
// mark of an end says that a lift was accepted. A containment beside it is a later one of
// somebody else, also where the mark of the key is still there.
const (
	grouping  = "FalconGroupingTags/"
	marked    = grouping + "stanch_"
	liftWords = "lift_"
)

// mark is the tag of a key's containment, and lifted that of its end.
func mark(key string) string   { return marked + digest(key) }
func lifted(key string) string { return marked + liftWords + digest(key) }

// marks are the marks that a device has, whosever.
func (d device) marks() []string {
	var found []string
	for _, tag := range d.Tags {
		if strings.HasPrefix(tag, marked) {
			found = append(found, tag)
		}
	}
	return found
}

// bears reports whether a device has a tag.
func (d device) bears(tag string) bool { return slices.Contains(d.Tags, tag) }

// tagging is the body of a change of tags. Its devices are always one.
type tagging struct {
	Action  string   `json:"action"`
	Devices []string `json:"device_ids"`
	Tags    []string `json:"tags"`
}

func taggingOf(action string, a agentID, tags []string) tagging {
	return tagging{Action: action, Devices: []string{a.hex}, Tags: tags}
}

// tagged is what became of a device.
type tagged struct {
	Device  string `json:"device_id"`
	Updated bool   `json:"updated"`
	Code    code   `json:"code"`
	Error   string `json:"error"`
}

const tagsPath = "/devices/entities/devices/tags/v1"

// tag adds tags to a device or removes them. No tags is nothing to do.
func (f *Falcon) tag(ctx context.Context, op, action string, a agentID, tags ...string) error {
	if len(tags) == 0 {
		return nil
	}
	c := call{op: op, method: http.MethodPatch, path: tagsPath, body: taggingOf(action, a, tags), write: true}
	out, err := ask[tagged](ctx, f, c)
	if err != nil {
		return err
	}
	if err := oneOf(c, a, len(out.Resources), func(i int) string { return out.Resources[i].Device }); err != nil {
		return err
	}
	if t := out.Resources[0]; t.Error != "" || t.Code.status() >= http.StatusBadRequest {
		return problems{{Code: t.Code, Message: t.Error}}.of(c, "")
	}
	// A tag that was there already, or gone, is not an update.
	return nil
}

// oneOf checks that a write was about the one device that was meant.
func oneOf(c call, a agentID, n int, device func(i int) string) error {
	if n != 1 {
		return integrations.Errorf(integrations.Ambiguous, c.op, "%d devices were affected, 1 was meant", n)
	}
	if !strings.EqualFold(device(0), a.hex) {
		return integrations.Errorf(integrations.Ambiguous, c.op, "device %q was affected, %s was meant", httpx.Line(device(0)), a)
	}
	return nil
}

package sentinelone

import (
	"context"
	"regexp"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// SentinelOne does not keep why a device was isolated, so the device's customer identifier
// says whose isolation it is: a mark, with the digest of the order's key. The identifier is
// the one text of a device that can be set for that device alone; endpoint tags must be made
// for the whole account first, one for each key.
//
// A mark says nothing by itself: on a device that is connected it is a leftover. The mark of
// an end says that a lift was accepted: an isolation beside it is a later one of somebody
// else.
const (
	marked = "stanch:"
	ended  = "stanch-lift:"
)

// mark is the text of a key's isolation, and lifted that of its end.
func mark(key string) string   { return marked + digest(key) }
func lifted(key string) string { return ended + digest(key) }

// marking finds a mark at the end of an identifier, whosever.
func marking() *regexp.Regexp {
	return regexp.MustCompile(`^(?s)(.*?) ?(stanch(?:-lift)?:[0-9a-f]{32})$`)
}

// identifier is what the customer wrote, and the mark behind it; either can be empty.
func (a agent) identifier() (own, mark string) {
	if m := marking().FindStringSubmatch(a.ExternalID); m != nil {
		return m[1], m[2]
	}
	return a.ExternalID, ""
}

// bears reports whether a device has the mark.
func (a agent) bears(mark string) bool {
	_, has := a.identifier()
	return has == mark
}

// naming is the body that sets the identifier of one device.
type naming struct {
	Filter filter `json:"filter"`
	Data   struct {
		ExternalID string `json:"externalId"`
	} `json:"data"`
}

func namingOf(a agentID, identifier string) naming {
	n := naming{Filter: filterOf(a)}
	n.Data.ExternalID = identifier
	return n
}

// setMark writes a mark, or takes it off where it is empty. What the customer wrote stays.
func (c *Client) setMark(ctx context.Context, op string, id agentID, a agent, mark string) error {
	own, has := a.identifier()
	if own != "" && has == "" && c.config.Identifier != Append {
		return integrations.Errorf(integrations.Invalid, op,
			"the device has the customer identifier %q, and is marked there whose isolation it is: set identifier: append, or empty it", httpx.Line(own))
	}
	identifier := strings.TrimSpace(own + " " + mark)
	if mark == "" {
		identifier = own
	}
	return c.act(ctx, op, "/agents/actions/set-external-id", namingOf(id, identifier))
}

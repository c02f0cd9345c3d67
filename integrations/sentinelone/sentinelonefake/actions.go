package sentinelonefake

import (
	"net/http"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

func (d *Double) disconnect(o Options, r *http.Request) (any, *failure) {
	return d.command(o, r, edrtest.Isolate, "disconnecting", "disconnected")
}

func (d *Double) connect(o Options, r *http.Request) (any, *failure) {
	return d.command(o, r, edrtest.Release, "connecting", "connected")
}

// setExternalID gives every agent that the filter matches an id of the customer's.
func (d *Double) setExternalID(o Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "filter", "data")
	if f != nil {
		return nil, f
	}
	by, f := filterIn(body)
	if f != nil {
		return nil, f
	}
	var data struct{ ExternalID string }
	if f := readData(body, &data, "externalId"); f != nil {
		return nil, f
	}
	affected := 0
	for _, a := range d.fleet(o) {
		if by.match(a) {
			affected++
			d.mu.Lock()
			d.externals[a.ID] = data.ExternalID
			d.mu.Unlock()
		}
	}
	return map[string]any{"data": map[string]any{"affected": affected}}, nil
}

// command orders something on every agent that the filter matches, and answers
// with their number and nothing else: there is no id by which it could be followed.
func (d *Double) command(o Options, r *http.Request, kind edrtest.Kind, already ...string) (any, *failure) {
	body, f := readBody(r, "filter", "data")
	if f != nil {
		return nil, f
	}
	by, f := filterIn(body)
	if f != nil {
		return nil, f
	}
	affected := 0
	for _, a := range d.fleet(o) {
		if !by.match(a) || o.OnlyChanged && (a.status == already[0] || a.status == already[1]) {
			continue
		}
		affected++
		d.world.Order(edrtest.Action{Kind: kind, Host: a.ID, By: o.User})
	}
	return map[string]any{"data": map[string]any{"affected": affected}}, nil
}

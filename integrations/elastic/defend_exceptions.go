package elastic

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	exceptionsPath = "/api/exception_lists/items/_find"
	// everyPolicy is the tag of an entry that counts for all devices; that of one policy
	// is policy: with its id.
	everyPolicy = "policy:all"
	// maxExceptions bounds the entries that are read.
	maxExceptions = 2000
)

// exception is an entry of Kibana's list of what isolated devices still reach.
type exception struct {
	Tags    []string `json:"tags"`
	Entries []struct {
		Field    string `json:"field"`
		Operator string `json:"operator"`
		Type     string `json:"type"`
		Value    any    `json:"value"`
	} `json:"entries"`
}

// network is what the entry leaves open. Of one with several conditions Elastic does
// not document which of them must hold: it leaves nothing open for certain.
func (x exception) network() (netip.Prefix, bool) {
	if len(x.Entries) != 1 {
		return netip.Prefix{}, false
	}
	e := x.Entries[0]
	text, _ := e.Value.(string)
	n, err := incident.NetworkOf(text)
	return n, err == nil && e.Field == "destination.ip" && e.Operator == "included" && e.Type == "match"
}

// exceptions reads the list. It does not exist before it has an entry.
func (d *Defend) exceptions(ctx context.Context, op string) ([]exception, error) {
	var all []exception
	for page := 1; ; page++ {
		var out struct {
			Data  []exception `json:"data"`
			Total *int        `json:"total"`
		}
		err := d.kibana.get(ctx, op, exceptionsPath, url.Values{
			"list_id": {"endpoint_host_isolation_exceptions"}, "namespace_type": {"agnostic"},
			"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(fullPage)},
		}, &out)
		switch {
		case integrations.KindOf(err) == integrations.NotFound && page == 1:
			return nil, nil
		case err != nil:
			return nil, err
		case out.Total == nil:
			return nil, integrations.Errorf(integrations.Unavailable, op, "the list of exceptions does not say how long it is")
		}
		all = append(all, out.Data...)
		switch {
		case *out.Total > maxExceptions || len(all) > maxExceptions:
			return nil, integrations.Errorf(integrations.Invalid, op, "there are more than %d exceptions", maxExceptions)
		case len(all) >= *out.Total:
			return all, nil
		case len(out.Data) == 0:
			return nil, integrations.Errorf(integrations.Unavailable, op, "the list of exceptions has more entries, and does not say where")
		}
	}
}

// unexcepted returns those of the addresses that no exception which counts leaves open.
func unexcepted(all []exception, addresses []string, counts func(exception) bool) []string {
	var missing []string
	for _, text := range addresses {
		want, err := incident.NetworkOf(text)
		if err != nil || !slices.ContainsFunc(all, func(x exception) bool {
			has, ok := x.network()
			return ok && counts(x) && has.Bits() <= want.Bits() && has.Contains(want.Addr())
		}) {
			missing = append(missing, text)
		}
	}
	return missing
}

// leavesOpen refuses an isolation of a device after which one of the addresses could
// not be reached. What is read is what Kibana has: the agent may have an older list.
func (d *Defend) leavesOpen(ctx context.Context, op string, of device, addresses []string) error {
	if len(addresses) == 0 {
		return nil
	}
	all, err := d.exceptions(ctx, op)
	if err != nil {
		return err
	}
	policy := of.Metadata.Endpoint.Policy.Applied.ID
	missing := unexcepted(all, addresses, func(x exception) bool {
		return slices.Contains(x.Tags, everyPolicy) || policy != "" && slices.Contains(x.Tags, "policy:"+policy)
	})
	if len(missing) == 0 {
		return nil
	}
	return integrations.Errorf(integrations.Invalid, op, "Kibana's host isolation exceptions for this device lack %s: add them there, or take them out of infrastructure in stanch.yaml",
		strings.Join(missing, ", "))
}

// Unexcepted implements [integrations.Excepter]. Entries of all policies count.
func (d *Defend) Unexcepted(ctx context.Context, addresses []string) ([]string, error) {
	all, err := d.exceptions(ctx, "read host isolation exceptions")
	if err != nil {
		return nil, err
	}
	return unexcepted(all, addresses, func(exception) bool { return true }), nil
}

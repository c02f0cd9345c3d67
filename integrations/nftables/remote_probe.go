package nftables

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/nftables/sshrun"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// probe says what stands between this side and a limit at the gateway, and whether its
// table can be asked. Networks are those of stanch.yaml.
func (r *remote) probe(ctx context.Context, networks []netip.Prefix) (found []integrations.Finding, reached bool) {
	if _, err := r.state(ctx); err != nil {
		return unreached(err), false
	}
	// The connection stands now: this is what a request costs.
	began := time.Now()
	g, err := r.state(ctx)
	if err != nil {
		return unreached(err), false
	}
	found = []integrations.Finding{
		{What: "the gateway " + r.name + " is reached", OK: true},
		{What: "it has the host key " + r.pinned, OK: true},
		{What: "its helper is stanch " + httpx.Line(g.Helper), OK: true},
		{What: "the table of our name there is ours, or not there yet", OK: true},
		pace(time.Since(began)),
	}
	found = append(found, g.Past.told(networks)...)
	outside := slices.DeleteFunc(slices.Clone(networks), func(n netip.Prefix) bool { return inside(n, g.Networks) })
	if len(outside) > 0 {
		found = append(found, integrations.Finding{
			What: "the helper takes no addresses of " + join(outside),
			Fix:  "add them to networks in the helper's /etc/stanch/gateway.yaml on the gateway, or take them out of networks in stanch.yaml",
		})
	} else {
		found = append(found, integrations.Finding{What: "its helper takes the addresses of all our networks", OK: true})
	}
	for _, action := range []incident.Action{incident.RateLimit, incident.Block} {
		if !slices.Contains(g.Actions, action) {
			found = append(found, integrations.Finding{
				What: fmt.Sprintf("the helper does not take %s", action), OK: true, Warning: true,
				Fix: fmt.Sprintf("add %s to actions in the helper's /etc/stanch/gateway.yaml, or have no playbook use this gateway for it", action),
			})
		}
	}
	return append(found, inUse(g.Standing, g.MaxLimits)), true
}

// slowRequest is how long a request may take: to apply a limit and read it back are two,
// and it should stand within a second.
const slowRequest = 400 * time.Millisecond

// pace says what one request costs.
func pace(took time.Duration) integrations.Finding {
	f := integrations.Finding{What: fmt.Sprintf("it answers a request in %d ms", took.Milliseconds()), OK: true}
	if took > slowRequest {
		f.Warning = true
		f.Fix = "each request starts a shell and the helper there: give its user /bin/sh and no startup file such as ~/.bashrc, and look at the PAM modules of sudo and at the machine's load"
	}
	return f
}

// told is what a helper tells of what leads packets past its table.
func (p *past) told(networks []netip.Prefix) []integrations.Finding {
	if p == nil {
		return []integrations.Finding{{
			What: "its helper does not tell what leads packets past the limits", OK: true, Warning: true,
			Fix: "install the release of stanch there that runs here; until then look by hand for flowtables, and whether the machine forwards",
		}}
	}
	return p.findings(networks)
}

// inUse says how full the table is. A full one refuses the next limit.
func inUse(standing, most int) integrations.Finding {
	f := integrations.Finding{What: fmt.Sprintf("%d of at most %d limits are in use", standing, most), OK: true}
	switch {
	case standing >= most:
		f.OK, f.Fix = false, "no more can be put in place: raise max_limits on both sides, or give some back"
	case standing*10 >= most*9:
		f.Warning, f.Fix = true, "the next ones may be refused: raise max_limits on both sides, or give some back"
	}
	return f
}

func unreached(err error) []integrations.Finding {
	f := integrations.Finding{What: err.Error(), Fix: "see that the gateway runs its SSH server, that it is reached from here, and that ssh names it"}
	failed, onTheWay := errors.AsType[*sshrun.Error](err)
	switch {
	case onTheWay && failed.Reason == sshrun.WrongHost:
		f.Fix = "find out why the gateway shows another key: somebody may be in between. Only when it was changed on purpose, set host_key to what ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub shows on the gateway itself"
	case onTheWay && failed.Reason == sshrun.Refused:
		f.Fix = "add the public half of key_file to the authorized_keys of that user on the gateway, with the helper as its command"
	case !onTheWay:
		f.Fix = "look at the helper, its configuration and its rights on the gateway (docs/integrations/nftables-ssh.md)"
	}
	return []integrations.Finding{f}
}

// inside reports whether all of a network is in one of several.
func inside(n netip.Prefix, all []netip.Prefix) bool {
	return slices.ContainsFunc(all, func(a netip.Prefix) bool { return a.Bits() <= n.Bits() && a.Contains(n.Addr()) })
}

func join(networks []netip.Prefix) string {
	var texts []string
	for _, n := range networks {
		texts = append(texts, n.String())
	}
	return strings.Join(texts, ", ")
}

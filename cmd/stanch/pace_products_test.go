package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/crowdstrike"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/defender"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

// pacedBy is the variable that tells the processes of a cluster by how much products
// allow more than their vendors say.
const pacedBy = "STANCH_TEST_PACE"

// pace is by how much a product allows more than its vendor says: times as many calls in
// the same time, and as many in a time that is shorter by quick.
type pace struct{ times, quick int }

func (p pace) String() string { return fmt.Sprintf("%d/%d", p.times, p.quick) }

// limits are limits of a product that allows so much.
func (p pace) limits(all []integrations.Limit) []integrations.Limit {
	var out []integrations.Limit
	for _, l := range all {
		if per := l.Per / time.Duration(p.quick); per >= time.Second {
			l.N, l.Per = l.N*p.times, per
		} else {
			l.N *= p.times * p.quick
		}
		out = append(out, l)
	}
	return out
}

// clock is the clock by which a product counts.
func (p pace) clock() func() time.Time {
	start := time.Now()
	return func() time.Time { return start.Add(time.Since(start) * time.Duration(p.quick)) }
}

// limitedSpecs are the EDRs whose vendors bound how often they may be asked. The text is
// that of a [pace]; empty is the vendors' own.
func limitedSpecs(text string) ([]integrations.Spec, error) {
	p := pace{1, 1}
	if text != "" {
		if _, err := fmt.Sscanf(text, "%d/%d", &p.times, &p.quick); err != nil {
			return nil, fmt.Errorf("invalid pace %q: %w", text, err)
		}
	}
	return []integrations.Spec{
		crowdstrike.SpecWith(p.limits(crowdstrike.Spec().Limits)),
		defender.SpecWith(p.limits(defender.Spec().Limits)),
		sentinelone.SpecWith(p.limits(sentinelone.Spec().Limits)),
	}, nil
}

// limited is an EDR that refuses what is more than its vendor says.
type limited struct {
	// perMinute is how many calls its closest limit allows, of the kinds that counts names.
	perMinute int
	counts    func(kind string) bool
	// id is a device's id in the product's form.
	id func(n int) string
	// serve returns the product, and its configuration but for the address, for which
	// there is %[1]s.
	serve func(t *testing.T, w *edrtest.World, p pace) (http.Handler, string)
}

func limitedProducts() map[string]limited {
	return map[string]limited{
		"crowdstrike": {6000, func(kind string) bool { return !strings.HasSuffix(kind, "/token") }, func(n int) string { return fmt.Sprintf("%032x", n+1) }, func(t *testing.T, w *edrtest.World, p pace) (http.Handler, string) {
			d := falconfake.New(t, w, falconfake.Options{Limit: 6000 * p.times, Pace: p.clock()})
			return d.Handler(), "kind: crowdstrike, cloud: us-1, client_id: client, client_secret: secret, url: '%[1]s'"
		}},
		"defender": {100, func(kind string) bool { return strings.Contains(kind, "/api/") }, func(n int) string { return fmt.Sprintf("%040x", n+1) }, func(t *testing.T, w *edrtest.World, p pace) (http.Handler, string) {
			d := defenderfake.New(t, w, defenderfake.Options{
				ClientSecret: "secret", PerConnection: 100 * p.times, PerMinute: 100 * p.times, PerHour: 1500 * p.times, HuntingPerMinute: 45 * p.times, Pace: p.clock(),
			})
			return d.Handler(), "kind: defender, tenant: " + d.Tenant + ", client_id: " + d.ClientID + ", client_secret: secret, url: '%[1]s', graph_url: '%[1]s', login_url: '%[1]s'"
		}},
		"sentinelone": {180, func(kind string) bool { return strings.Contains(kind, "/sdl/") }, func(n int) string { return fmt.Sprintf("%018d", 657613730168120000+n) }, func(t *testing.T, w *edrtest.World, p pace) (http.Handler, string) {
			d := sentinelonefake.New(t, w, sentinelonefake.Options{Token: "s1-token", QueriesPerSecond: 3 * p.times * p.quick})
			return d.Handler(), "kind: sentinelone, url: '%[1]s', token: s1-token"
		}},
	}
}

// kindOf names a call without what differs from device to device.
func kindOf(r *http.Request) string {
	parts := strings.Split(r.URL.Path, "/")
	for i, part := range parts {
		if strings.ContainsAny(part, "0123456789") && len(part) > 3 || strings.HasPrefix(part, "findby") {
			parts[i], _, _ = strings.Cut(part, "(")
			if parts[i] == part {
				parts[i] = "*"
			}
		}
	}
	return r.Method + " " + strings.Join(parts, "/")
}

package crowdstrike

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// lately is the time in which the device that was heard last must have sent an event.
const lately = 15 * time.Minute

// Probe implements [integrations.Prober]. Nothing is changed: what only a write could
// show is said to be unknown.
func (f *Falcon) Probe(ctx context.Context) []integrations.Finding {
	a, err := f.logIn(ctx)
	found := f.probeCloud(a)
	if err != nil {
		return append(found, integrations.Finding{What: err.Error(), Fix: f.fix(err)})
	}
	found = append(found, integrations.Finding{What: "Falcon takes the API client's credentials; it does not tell when the secret ends", OK: true})
	found = append(found, httpx.Clock("Falcon's", a.Header, f.now()))
	newest, err := f.newest(ctx)
	found = append(found, f.judged("Hosts: read", err))
	looks := []look{
		{"Real time response: read", "list the sessions of the API client", listPath, url.Values{"limit": {"1"}, "filter": {"user_id:'@me'"}}},
		{"Real time response (admin): write", "list the library's scripts", "/real-time-response/queries/scripts/v1", url.Values{"limit": {"1"}}},
	}
	for _, l := range looks {
		_, err := ask[string](ctx, f, call{op: l.op, method: http.MethodGet, path: l.path, query: l.query})
		found = append(found, f.judged(l.right, err))
	}
	found = append(found, f.probeSearch(ctx, newest))
	return append(found, integrations.Finding{
		What: "whether the API client has Hosts: write and Real time response: write cannot be told without writing", OK: true, Warning: true,
		Fix: "look at the API client in the console, under API clients and keys",
	})
}

// look is one permission, and what shows it.
type look struct {
	right, op, path string
	query           url.Values
}

// judged is the finding for a permission.
func (f *Falcon) judged(right string, err error) integrations.Finding {
	if err == nil {
		return integrations.Finding{What: "the API client has " + right, OK: true}
	}
	return integrations.Finding{What: "the API client may lack " + right + ": " + err.Error(), Fix: f.fix(err)}
}

// fix is what to do about an error.
func (f *Falcon) fix(err error) string {
	switch integrations.KindOf(err) {
	case integrations.Denied:
		return "give the API client the scopes that this kind's page lists, and check client_id, client_secret and cloud"
	case integrations.Invalid, integrations.NotFound:
		return "check cloud, url, member_cid and repository"
	case integrations.Conflict, integrations.Throttled, integrations.Unavailable, integrations.Ambiguous:
	}
	return "check the way to " + f.base + ", also through a proxy, and ask again"
}

// logIn asks for a token, for the headers of the answer: those of the cloud that the
// customer is in, also where the token is refused.
func (f *Falcon) logIn(ctx context.Context) (httpx.Answer, error) {
	form := url.Values{"client_id": {f.config.ClientID}, "client_secret": {f.config.ClientSecret.Reveal()}}
	if f.config.MemberCID != "" {
		form.Set("member_cid", f.config.MemberCID)
	}
	c := call{op: "get a token"}
	a, err := f.api.Do(ctx, httpx.Request{
		Op: c.op, Method: http.MethodPost, URL: f.base + tokenPath, Body: []byte(form.Encode()),
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}},
	})
	if err != nil {
		return a, refused(c, a, err)
	}
	return a, nil
}

// probeCloud compares the cloud with the one that Falcon names.
func (f *Falcon) probeCloud(a httpx.Answer) []integrations.Finding {
	region := strings.ToLower(a.Header.Get("X-Cs-Region"))
	switch {
	case region == "" || region == f.config.Cloud:
		return nil
	case clouds()[region] == "":
		return []integrations.Finding{{
			What: fmt.Sprintf("the customer is in the cloud %q, which is not known here", httpx.Line(region)), Warning: true, OK: true,
			Fix: "write its address as url",
		}}
	}
	return []integrations.Finding{{What: fmt.Sprintf("the customer is in the cloud %s, and cloud is %s", region, f.config.Cloud), Fix: "write cloud: " + region}}
}

// newest is the Windows device that Falcon heard last; the zero value is none.
func (f *Falcon) newest(ctx context.Context) (agentID, error) {
	const op = "find devices"
	found, err := ask[string](ctx, f, call{op: op, method: http.MethodGet, path: "/devices/queries/devices/v1", query: url.Values{
		"limit": {"1"}, "filter": {"platform_name:'Windows'"}, "sort": {"last_seen.desc"},
	}})
	if err != nil || len(found.Resources) == 0 {
		return agentID{}, err
	}
	a, ok := parseAgent(found.Resources[0])
	if !ok {
		return agentID{}, integrations.Errorf(integrations.Unavailable, op, "Falcon gives a device the id %q", httpx.Line(found.Resources[0]))
	}
	return a, nil
}

// probeSearch searches for one event of the last minutes of one device: a search of the
// whole fleet would read billions. Without a device it is one that there is not.
func (f *Falcon) probeSearch(ctx context.Context, a agentID) integrations.Finding {
	known := a != agentID{}
	if !known {
		a.hex = strings.Repeat("0", 2*16)
	}
	now := f.now()
	query := "(#event_simpleName=" + strings.Join(slices.Concat(connectionEvents(), startEvents()), " OR #event_simpleName=") + ") | aid=" + a.hex + " | head(1)"
	r, err := f.search(ctx, "search the sensors' events", job{Query: query, Start: millis(now.Add(-lately)), End: millis(now)})
	switch {
	case err != nil:
		return f.judged("NGSIEM: read and write", err)
	case !known:
		return integrations.Finding{
			What: fmt.Sprintf("the API client can search %s; whether the sensors' events are there cannot be told without a Windows device", f.config.Repository), OK: true, Warning: true,
			Fix: "ask again when Falcon shows one",
		}
	case len(r.Events) == 0:
		return integrations.Finding{
			What: fmt.Sprintf("the API client can search %s, and of the device %s, which Falcon heard last, no event of the last %s is there: who sends may not be found", f.config.Repository, a, lately),
			OK:   true, Warning: true, Fix: "check repository, and that the customer's licence keeps the sensors' events",
		}
	}
	return integrations.Finding{What: fmt.Sprintf("the API client can search %s, and events of the device %s are there", f.config.Repository, a), OK: true}
}

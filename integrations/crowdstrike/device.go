package crowdstrike

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// device is what Falcon keeps of one, as far as it is read here.
type device struct {
	ID              string   `json:"device_id"`
	Hostname        string   `json:"hostname"`
	Domain          string   `json:"machine_domain"`
	LocalIP         string   `json:"local_ip"`
	ConnectionIP    string   `json:"connection_ip"`
	Platform        string   `json:"platform_name"`
	ProductType     string   `json:"product_type"`
	ProductTypeDesc string   `json:"product_type_desc"`
	Status          status   `json:"status"`
	LastSeen        string   `json:"last_seen"`
	LastUser        string   `json:"last_login_user"`
	Tags            []string `json:"tags"`
	Groups          []string `json:"groups"`
}

// status is Falcon's word for how far a device is contained. It is the state itself:
// Falcon gives orders of containment no ids, and lists none.
type status string

// The statuses, as Falcon spells them.
const (
	normal     status = "normal"
	containing status = "containment_pending"
	contained  status = "contained"
	lifting    status = "lift_containment_pending"
)

// isolation is the status in our words.
func (s status) isolation() incident.Value[string] {
	switch s {
	case normal:
		return incident.Known("none", incident.FromEDR)
	case containing:
		return incident.Known("isolating", incident.FromEDR)
	case contained:
		return incident.Known("isolated", incident.FromEDR)
	case lifting:
		return incident.Known("releasing", incident.FromEDR)
	}
	return unheard[string](string(s))
}

// unheard is a value of which Falcon says a word that is not known, or none.
func unheard[T any](word string) incident.Value[T] {
	if word == "" {
		return incident.NotKnown[T]("Falcon does not say")
	}
	return incident.NotKnown[T](fmt.Sprintf("Falcon says %q", httpx.Line(word)))
}

// said is a text that Falcon gives.
func said(text string) incident.Value[string] {
	if text == "" {
		return unheard[string]("")
	}
	return incident.Known(text, incident.FromEDR)
}

// listed is a list that Falcon gives: an absent one is empty, and so is null.
func listed(list []string) incident.Value[[]string] {
	return incident.Known(append([]string{}, list...), incident.FromEDR)
}

func (d device) role() incident.Value[string] {
	switch strings.ToLower(d.ProductTypeDesc) {
	case "workstation":
		return incident.Known("workstation", incident.FromEDR)
	case "server":
		return incident.Known("server", incident.FromEDR)
	case "domain controller":
		return incident.Known("domain_controller", incident.FromEDR)
	case "":
	default:
		return unheard[string](d.ProductTypeDesc)
	}
	switch d.ProductType {
	case "1":
		return incident.Known("workstation", incident.FromEDR)
	case "2":
		return incident.Known("domain_controller", incident.FromEDR)
	case "3":
		return incident.Known("server", incident.FromEDR)
	}
	return unheard[string](d.ProductType)
}

// seen is when the sensor last spoke with its cloud, by the device's record and by what
// is said of its presence; the zero time is not known.
func (d device) seen(p presence) time.Time {
	var last time.Time
	for _, text := range []string{d.LastSeen, p.LastSeen} {
		if at, err := time.Parse(time.RFC3339, text); err == nil && at.After(last) {
			last = at.UTC()
		}
	}
	return last
}

// lag is how old Falcon's time of the last contact may be with a sensor that is connected.
const lag = 5 * time.Minute

// heard is when the sensor was heard, for who wants to know whether it still is. Not
// documented: how soon Falcon takes note of it. So a time that is old proves nothing
// unless Falcon says that the sensor is offline: then the zero time is returned.
func (d device) heard(p presence, now time.Time) time.Time {
	last := d.seen(p)
	if connected, known := p.online().Get(); known && !connected || now.Sub(last) <= lag {
		return last
	}
	return time.Time{}
}

// addresses are those that the device has now, as canonical text.
func (d device) addresses() []string { return canonical(d.LocalIP, d.ConnectionIP) }

// canonical are the addresses among texts, each once, in their order.
func canonical(texts ...string) []string {
	var found []string
	for _, text := range texts {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || a.IsUnspecified() {
			continue
		}
		if s := a.Unmap().WithZone("").String(); !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return found
}

// endpoint is the device in our words, without its addresses at a time.
func (d device) endpoint(p presence) incident.Endpoint {
	e := incident.Endpoint{
		ID: said(strings.ToLower(d.ID)), Name: said(d.Hostname), OS: said(strings.ToLower(d.Platform)), Role: d.role(),
		Isolation: d.Status.isolation(), Users: incident.NotKnown[[]string]("Falcon names no logon of the device"),
		Tags: listed(d.Tags), Groups: listed(d.Groups),
		LastSeen: unheard[time.Time](d.LastSeen),
		Route:    incident.NotKnown[string]("Falcon does not tell how the sensor reaches its cloud"),
	}
	if d.LastUser != "" {
		e.Users = incident.Known([]string{d.LastUser}, incident.FromEDR)
	}
	e.Online = p.online()
	if at := d.seen(p); !at.IsZero() {
		e.LastSeen = incident.Known(at, incident.FromEDR)
	}
	return e
}

const devicePath = "/devices/entities/devices/v2"

// device reads one device. One that Falcon does not have is a not_found error.
func (f *Falcon) device(ctx context.Context, op string, a agentID) (device, error) {
	out, err := ask[device](ctx, f, call{op: op, method: http.MethodGet, path: devicePath, query: url.Values{"ids": {a.hex}}})
	if err != nil {
		return device{}, err
	}
	switch {
	case len(out.Resources) == 0:
		return device{}, integrations.Errorf(integrations.NotFound, op, "Falcon has no device %s", a)
	case len(out.Resources) > 1 || !strings.EqualFold(out.Resources[0].ID, a.hex):
		return device{}, integrations.Errorf(integrations.Unavailable, op, "Falcon answers with %d devices, asked for %s alone", len(out.Resources), a)
	}
	return out.Resources[0], nil
}

// presence is whether a sensor is connected with its cloud.
type presence struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	LastSeen string `json:"last_seen"`
}

const (
	onlinePath = "/devices/entities/online-state/v1"
	// maxPresences bounds a question about presences: their ids stand in the address.
	maxPresences = 100
)

// online reads which of the devices are connected now. With an error it returns what it
// has learnt.
func (f *Falcon) online(ctx context.Context, op string, ids []string) (map[string]presence, error) {
	found := map[string]presence{}
	for some := range slices.Chunk(ids, maxPresences) {
		out, err := ask[presence](ctx, f, call{op: op, method: http.MethodGet, path: onlinePath, query: url.Values{"ids": some}})
		for _, p := range out.Resources {
			found[strings.ToLower(p.ID)] = p
		}
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

func (p presence) online() incident.Value[bool] {
	switch p.State {
	case "online":
		return incident.Known(true, incident.FromEDR)
	case "offline":
		return incident.Known(false, incident.FromEDR)
	}
	return unheard[bool](p.State)
}

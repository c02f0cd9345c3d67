package defenderfake

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// givesUpAfter is how long Defender tries to reach a device.
const givesUpAfter = 3 * 24 * time.Hour

// note is what the client said of an action: Full or Selective, and an id of its own.
type note struct{ scope, external string }

// cancel is who cancelled an action, and why.
type cancel struct {
	by, comment string
	at          time.Time
}

// status spells the state of an action.
func (d *Double) status(a edrtest.Action) string {
	switch a.State {
	case edrtest.Running:
		return "InProgress"
	case edrtest.Done:
		return "Succeeded"
	case edrtest.Failed:
		return "Failed"
	case edrtest.Cancelled:
		return "Cancelled"
	case edrtest.Expired:
		if d.o.GivesUpAsFailed {
			return "Failed"
		}
		return "TimeOut"
	case edrtest.Pending, edrtest.AwaitsApproval:
	}
	return "Pending"
}

// action writes an action. Pages of lists spell the time of its last change
// lastUpdateTimeUtc, those of one action lastUpdateDateTimeUtc.
func (d *Double) action(a edrtest.Action, inList bool) map[string]any {
	kind := map[edrtest.Kind]string{
		edrtest.Isolate: "Isolate", edrtest.Release: "Unisolate", edrtest.RunScript: "LiveResponse",
		edrtest.Kill: "StopAndQuarantineFile",
	}[a.Kind]
	d.mu.Lock()
	n, cancelled, s := d.notes[a.ID], d.cancels[a.ID], d.sessions[a.ID]
	d.mu.Unlock()
	if n.scope == "" && a.Kind == edrtest.Isolate {
		n.scope = "Full"
	}
	h, _ := d.world.Host(a.Host)
	updated := "lastUpdateDateTimeUtc"
	if inList {
		updated = "lastUpdateTimeUtc"
	}
	return d.entity(map[string]any{
		"id": a.ID, "type": kind, "scope": nullable(n.scope), "requestor": a.By, "requestorComment": a.Comment,
		"requestSource": "Public API", "status": d.status(a), "machineId": a.Host, "computerDnsName": dnsName(h),
		"creationDateTimeUtc": stamp(a.Created), updated: stamp(a.Updated), "errorHResult": 0, "title": nil,
		"externalId":            nullable(n.external),
		"cancellationRequestor": nullable(cancelled.by), "cancellationComment": nullable(cancelled.comment),
		"cancellationDateTimeUtc": stamp(cancelled.at), "relatedFileInfo": nil, "commands": list(d, d.commands(a, s)),
	})
}

// actionProperties are those that List machineActions can be filtered by.
func actionProperties() []property {
	return []property{
		{name: "id"},
		{name: "machineId"},
		{name: "requestor"},
		{name: "creationDateTimeUtc"},
		{name: "status", words: []string{"Pending", "InProgress", "Succeeded", "Failed", "TimeOut", "Cancelled"}},
		{name: "type", words: []string{
			"RunAntiVirusScan", "Offboard", "LiveResponse", "CollectInvestigationPackage", "Isolate", "Unisolate",
			"StopAndQuarantineFile", "RestrictCodeExecution", "UnrestrictCodeExecution",
		}},
	}
}

// listActions lists actions, newest first.
func (d *Double) listActions(w http.ResponseWriter, r *http.Request) *refusal {
	c := collection{entity: "MachineActions", properties: actionProperties()}
	may := worth(r)
	for _, a := range slices.Backward(d.world.Actions("")) {
		if may(a.Host) {
			c.items = append(c.items, d.action(a, true))
		}
	}
	return d.page(w, r, c)
}

func (d *Double) lookup(r *http.Request) (edrtest.Action, *refusal) {
	a, ok := d.world.Action(r.PathValue("id"))
	if !ok {
		return a, refuse(http.StatusNotFound, "ResourceNotFound", "Machine action %s was not found", r.PathValue("id"))
	}
	return a, nil
}

func (d *Double) getAction(w http.ResponseWriter, r *http.Request) *refusal {
	a, refused := d.lookup(r)
	if refused != nil {
		return refused
	}
	d.writeAction(w, http.StatusOK, a)
	return nil
}

func (d *Double) writeAction(w http.ResponseWriter, status int, a edrtest.Action) {
	entity := d.action(a, false)
	entity["@odata.context"] = context("MachineActions/$entity")
	writeJSON(w, status, entity)
}

// activeRequest is the refusal of a second order while one is open.
func activeRequest() *refusal {
	return refuse(http.StatusBadRequest, "ActiveRequestAlreadyExists", "Action is already in progress")
}

func (d *Double) isolate(w http.ResponseWriter, r *http.Request) *refusal {
	h, refused := d.find(r)
	if refused != nil {
		return refused
	}
	body, refused := decode(r, "Comment", "IsolationType", "ExternalId")
	if refused != nil {
		return refused
	}
	comment, refused := required(body, "Comment")
	if refused != nil {
		return refused
	}
	// The page lists the type among the parameters without calling it required, and
	// gives no default.
	kind, refused := required(body, "IsolationType")
	if refused != nil {
		return refused
	}
	if refused := d.isolable(h, kind); refused != nil {
		return refused
	}
	a, refused := d.order(edrtest.Action{Kind: edrtest.Isolate, Host: h.ID, By: d.ClientID, Comment: comment})
	if refused != nil {
		return refused
	}
	d.note(a.ID, body, kind)
	d.writeAction(w, http.StatusCreated, a)
	return nil
}

// note keeps what the world does not know of an action that was ordered.
func (d *Double) note(id string, body map[string]any, scope string) {
	external, _ := body["ExternalId"].(string)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.notes[id]; !there {
		d.notes[id] = note{scope, external}
	}
}

// isolable checks that a device can be isolated so. Which error a wrong kind of
// device has is not documented.
func (d *Double) isolable(h edrtest.Host, kind string) *refusal {
	switch {
	case !slices.Contains([]string{"Full", "Selective", "UnManagedDevice"}, kind):
		return refuse(http.StatusBadRequest, "InvalidInput", "Invalid input IsolationType: %s.", kind)
	case (kind == "UnManagedDevice") == d.managed(h):
		return refuse(http.StatusBadRequest, "InvalidInput", "Invalid input IsolationType: %s is not for this device.", kind)
	case old(h):
		return refuse(http.StatusBadRequest, "OsPlatformNotSupported", "OS Platform %s isn't supported for this action.", platform(h))
	}
	return nil
}

// old reports whether a system is one that cannot be isolated.
func old(h edrtest.Host) bool {
	return slices.ContainsFunc([]string{"Windows7", "Windows8", "WindowsServer2008"}, func(p string) bool {
		return strings.HasPrefix(platform(h), p)
	})
}

// unisolate takes a release on, also while an isolation is open: which of them the
// device carries out first is open. Of a device that is not isolated the
// documents say nothing: the release is accepted and has no effect.
func (d *Double) unisolate(w http.ResponseWriter, r *http.Request) *refusal {
	h, refused := d.find(r)
	if refused != nil {
		return refused
	}
	body, refused := decode(r, "Comment", "ExternalId")
	if refused != nil {
		return refused
	}
	comment, refused := required(body, "Comment")
	if refused != nil {
		return refused
	}
	a, refused := d.order(edrtest.Action{Kind: edrtest.Release, Host: h.ID, By: d.ClientID, Comment: comment})
	if refused != nil {
		return refused
	}
	d.note(a.ID, body, "")
	d.writeAction(w, http.StatusCreated, a)
	return nil
}

// order orders an action unless one like it is open. An isolation of a device that
// is isolated, or is about to be, can stay Pending whatever becomes of the device,
// and be carried out after a release.
func (d *Double) order(a edrtest.Action) (edrtest.Action, *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if open := d.world.Open(a.Host, a.Kind); len(open) > 0 {
		switch d.o.Repeated {
		case Refuse:
			return a, activeRequest()
		case AnswerPending:
			return open[0], nil
		case StayPending:
			a.Sticks = a.Kind == edrtest.Isolate
		}
	}
	if a.Kind == edrtest.Isolate && d.world.Isolated(a.Host) {
		a.Sticks = true
	}
	a.Expires = d.world.Now().Add(givesUpAfter)
	return d.world.Order(a), nil
}

// cancel ends an action that is open; a device that has carried it out stays as it
// is.
func (d *Double) cancel(w http.ResponseWriter, r *http.Request) *refusal {
	a, refused := d.lookup(r)
	if refused != nil {
		return refused
	}
	role := isolate
	if a.Kind == edrtest.RunScript {
		role = liveResponse
	}
	if refused := d.allow(r, role); refused != nil {
		return refused
	}
	body, refused := decode(r, "Comment")
	if refused != nil {
		return refused
	}
	comment, _ := body["Comment"].(string)
	ended := !a.Open()
	if ended {
		return final(a)
	}
	d.world.ChangeAction(a.ID, func(a *edrtest.Action) {
		if ended = !a.Open(); !ended {
			a.State = edrtest.Cancelled
		}
	})
	if ended {
		return final(a)
	}
	d.mu.Lock()
	d.cancels[a.ID] = cancel{d.ClientID, comment, d.world.Now()}
	d.mu.Unlock()
	a, _ = d.world.Action(a.ID)
	d.writeAction(w, http.StatusOK, a)
	return nil
}

// final is the refusal to cancel what has ended. Which error it is is not
// documented.
func final(a edrtest.Action) *refusal {
	return refuse(http.StatusBadRequest, "BadRequest", "Machine action %s is in a final state.", a.ID)
}

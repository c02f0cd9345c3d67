package httpapi

import (
	"bytes"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Door is who may use a route: a person who has a right, or one of
// those below. The empty door is closed: a route without one admits no client.
type Door string

// The doors that are not rights.
const (
	// DoorOpen admits every client.
	DoorOpen Door = "open"
	// DoorSender is for senders that authenticate to the handler, which checks it.
	DoorSender Door = "sender"
	// DoorPerson is for every person: the case decides whether they may.
	DoorPerson Door = "person"
)

// Route is one route of the HTTP side.
type Route struct {
	// Pattern is method and path, as [http.ServeMux] reads them.
	Pattern string
	Door    Door
	serve   http.Handler
	person  personHandler
}

// Routes are all routes, each with its door.
func (r *Receiver) Routes() []Route { return r.routes }

func may(pattern string, right incident.Right, h personHandler) Route {
	return Route{Pattern: pattern, Door: Door(right), person: h}
}

func (r *Receiver) addRoutes() {
	alive := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	metrics := promhttp.HandlerFor(r.metrics.registry, promhttp.HandlerOpts{})
	for _, route := range []Route{
		{Pattern: "POST /v1/alerts/{source}", Door: DoorSender, serve: http.HandlerFunc(r.receive)},
		may("GET /v1/cases", incident.MayRead, r.listCases),
		may("GET /v1/cases/{playbook}/{subject}", incident.MayRead, r.showCase),
		{Pattern: "POST /v1/cases/{playbook}/{subject}/decide", Door: DoorPerson, person: r.decideCase},
		may("POST /v1/cases/{playbook}/{subject}/close", incident.MayRelease, r.closeCase),
		may("GET /v1/leases", incident.MayRead, r.listLeases),
		may("POST /v1/leases/extend", incident.MayExtend, r.extendLease),
		may("POST /v1/leases/release", incident.MayRelease, r.releaseLease),
		may("POST /v1/release", incident.MayRelease, r.releaseSince),
		may("GET /v1/budget", incident.MayRead, r.showBudget),
		may("POST /v1/pause", incident.MayPause, r.pause),
		may("POST /v1/resume", incident.MayPause, r.resume),
		may("GET /v1/rejected", incident.MayRead, r.listRejected),
		may("GET /v1/rejected/{source}/{id}", incident.MayRead, r.showRejected),
		may("POST /v1/rejected/{source}/{id}/retry", incident.MayRetry, r.retryRejected),
		{Pattern: "GET /healthz", Door: DoorOpen, serve: alive},
		{Pattern: "GET /readyz", Door: DoorOpen, serve: http.HandlerFunc(r.ready)},
		{Pattern: "GET /metrics", Door: DoorOpen, serve: metrics},
	} {
		r.add(route)
	}
}

// Interactions mounts the handler of a messenger's signed requests. It must be
// called before the first request.
func (r *Receiver) Interactions(use string, h http.Handler) {
	r.add(Route{Pattern: "POST /v1/interactions/" + use, Door: DoorSender, serve: r.roomFor(h)})
}

// roomFor reads the body of a signed request before its handler does, in the
// room that all strangers share.
func (r *Receiver) roomFor(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, release, p := r.strangers.read(w, req, maxInteraction)
		defer release()
		if p != nil {
			p.reply(w)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, req)
	})
}

// add mounts a route behind its door. Every route of the mux is added by it.
func (r *Receiver) add(route Route) {
	h := r.forPeople(route)
	if route.Door == DoorOpen || route.Door == DoorSender {
		h = route.serve
	}
	r.routes = append(r.routes, route)
	r.mux.Handle(route.Pattern, h)
}

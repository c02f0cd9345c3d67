package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
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
	Operation
	serve  http.Handler
	person personHandler
}

// Operation describes a route for the reference.
type Operation struct {
	// Summary is what it does, in one line.
	Summary string
	// Query are the parameters of the query, each with its meaning.
	Query []Parameter
	// Body is a value of the type of the request's body; nil: there is none. Any
	// document is a json.RawMessage.
	Body any
	// Answers are the answers of success. Every other one is an [api.Problem].
	Answers []Answer
}

// Parameter is one parameter of a query.
type Parameter struct{ Name, Meaning string }

// Answer is an answer of success: its status, and a value of the type of its body.
// Text is not JSON.
type Answer struct {
	Status int
	Body   any
	Text   bool
}

func ok(body any) []Answer { return []Answer{{Status: http.StatusOK, Body: body}} }

func accepted(body any) []Answer { return []Answer{{Status: http.StatusAccepted, Body: body}} }

// Routes are all routes, each with its door.
func (r *Receiver) Routes() []Route { return r.routes }

func may(pattern string, right incident.Right, h personHandler, o Operation) Route {
	return Route{Pattern: pattern, Door: Door(right), Operation: o, person: h}
}

func (r *Receiver) addRoutes() {
	for _, route := range slices.Concat(r.alertRoutes(), r.caseRoutes(), r.leaseRoutes(), r.budgetRoutes(), r.openRoutes()) {
		r.add(route)
	}
}

func (r *Receiver) alertRoutes() []Route {
	return []Route{
		{
			Pattern: "POST /v1/alerts/{source}", Door: DoorSender, serve: http.HandlerFunc(r.receive),
			Operation: Operation{Summary: "Take alerts of a source, in the form of its kind", Body: json.RawMessage{}, Answers: accepted(api.Accepted{})},
		},
		{
			Pattern: "POST /v1/alerts/{source}/test", Door: DoorSender, serve: http.HandlerFunc(r.tryBody),
			Operation: Operation{Summary: "Say what a body would become, with the source's credential; nothing is kept or started", Body: json.RawMessage{}, Answers: ok(api.Preview{})},
		},
		may("GET /v1/rejected", incident.MayRead, r.listRejected, Operation{
			Summary: "List the rejected alerts that wait to be retried, newest first", Answers: ok(api.RejectedList{}),
		}),
		may("GET /v1/rejected/{source}/{id}", incident.MayRead, r.showRejected, Operation{
			Summary: "Show a rejected alert as it came", Answers: ok(protocol.RejectedAlert{}),
		}),
		may("POST /v1/rejected/{source}/{id}/retry", incident.MayRetry, r.retryRejected, Operation{
			Summary: "Read a rejected alert again", Answers: accepted(api.Accepted{}),
		}),
	}
}

func (r *Receiver) caseRoutes() []Route {
	return []Route{
		may("GET /v1/cases", incident.MayRead, r.listCases, Operation{
			Summary: "List cases, newest first", Answers: ok(api.CaseList{}), Query: []Parameter{
				{"status", "all, open, closed, working, awaiting or contained; all when it is not given"},
				{"subject", "the subject of the cases"},
				{"limit", fmt.Sprintf("how many, at most %d; %d when it is not given", maxListed, listedByDefault)},
			},
		}),
		may("GET /v1/cases/{playbook}/{subject}", incident.MayRead, r.showCase, Operation{
			Summary: "Show a case with everything that is known of it", Answers: ok(incident.Case{}),
			Query: []Parameter{{"run", "the run of an earlier case of the subject; the last when it is not given"}},
		}),
		{
			Pattern: "POST /v1/cases/{playbook}/{subject}/decide", Door: DoorPerson, person: r.decideCase,
			Operation: Operation{Summary: "Answer an approval", Body: api.DecideRequest{}, Answers: ok(incident.Approval{})},
		},
		may("POST /v1/cases/{playbook}/{subject}/close", incident.MayRelease, r.closeCase, Operation{
			Summary: "Close a case, and give back what it holds", Body: api.CloseRequest{}, Answers: ok(incident.Case{}),
		}),
	}
}

func (r *Receiver) leaseRoutes() []Route {
	return []Route{
		may("GET /v1/report", incident.MayRead, r.showReport, Operation{
			Summary: "Add up what cases did: outcomes, time by stage, approvals, and what stands", Answers: ok(api.Report{}),
			Query: []Parameter{{"since", "how far back it goes, such as 24h or 7d, at most 366d; 7d when it is not given"}},
		}),
		may("GET /v1/leases", incident.MayRead, r.listLeases, Operation{Summary: "List the leases that stand, those that end soonest first", Answers: ok(api.LeaseList{})}),
		may("GET /v1/leases/drift", incident.MayRead, r.showDrift, Operation{
			Summary: "Read the product of every lease that stands, and list what differs; one request at a time", Answers: ok(api.DriftList{}),
		}),
		may("POST /v1/leases/extend", incident.MayExtend, r.extendLease, Operation{
			Summary: "Ask the approvers of a lease whether it may stand longer", Body: api.LeaseRequest{}, Answers: accepted(api.Extending{}),
		}),
		may("POST /v1/leases/release", incident.MayRelease, r.releaseLease, Operation{
			Summary: "Give a containment back; 202 where that is not confirmed yet", Body: api.LeaseRequest{},
			Answers: append(ok(incident.Lease{}), accepted(incident.Lease{})...),
		}),
		may("POST /v1/release", incident.MayRelease, r.releaseSince, Operation{
			Summary: "Give back every containment since a time", Body: api.SinceRequest{}, Answers: ok(api.Released{}),
		}),
	}
}

func (r *Receiver) budgetRoutes() []Route {
	return []Route{
		may("GET /v1/budget", incident.MayRead, r.showBudget, Operation{
			Summary: "Show what counts against the limits, and whether containment is paused", Answers: ok(protocol.BudgetState{}),
		}),
		may("POST /v1/pause", incident.MayPause, r.pause, Operation{
			Summary: "Stop all new containment", Body: api.ReasonRequest{}, Answers: ok(protocol.BudgetState{}),
		}),
		may("POST /v1/resume", incident.MayPause, r.resume, Operation{
			Summary: "Allow containment again", Body: api.ReasonRequest{}, Answers: ok(protocol.BudgetState{}),
		}),
	}
}

func (r *Receiver) openRoutes() []Route {
	alive := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, api.Health{Status: "alive"})
	})
	return []Route{
		{
			Pattern: "GET /healthz", Door: DoorOpen, serve: alive,
			Operation: Operation{Summary: "Report whether the process lives", Answers: ok(api.Health{})},
		},
		{
			Pattern: "GET /readyz", Door: DoorOpen, serve: http.HandlerFunc(r.ready),
			Operation: Operation{
				Summary: "Report whether an alert can be taken; 503 where it cannot",
				Answers: append(ok(api.Health{}), Answer{Status: http.StatusServiceUnavailable, Body: api.Health{}}),
			},
		},
		{
			Pattern: "GET /metrics", Door: DoorOpen, serve: r.Metrics.Handler(),
			Operation: Operation{Summary: "Show the metrics, in the text format of Prometheus", Answers: []Answer{{Status: http.StatusOK, Text: true}}},
		},
	}
}

// Interactions mounts the handler of a messenger's signed requests. It must be
// called before the first request.
func (r *Receiver) Interactions(use string, h http.Handler) {
	r.add(Route{
		Pattern: "POST /v1/interactions/" + use, Door: DoorSender, serve: r.roomFor(h),
		Operation: Operation{Summary: "Take a signed request of the messenger " + use, Body: json.RawMessage{}, Answers: []Answer{{Status: http.StatusOK, Text: true}}},
	})
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

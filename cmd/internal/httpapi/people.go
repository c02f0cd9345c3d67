package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// answerWithin bounds how long a person waits for an answer. What was ordered from
// the engine by then goes on.
const answerWithin = 30 * time.Second

// personHandler answers a request of a person.
type personHandler func(http.ResponseWriter, *http.Request, incident.Person) *problem

// kindForbidden is the kind of the answer to a person who lacks a right.
const kindForbidden = "forbidden"

// forPeople admits people with a token who may use the route. Without people
// in the configuration it is closed.
func (r *Receiver) forPeople(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.PathValue("playbook") != "" {
			req = req.WithContext(integrations.ForCase(req.Context(), caseID(req)))
		}
		p, err := r.who(req)
		if err != nil {
			r.refuse(req, doorPerson, err, "a person's token is needed: send it as a bearer token").reply(w)
			return
		}
		if problem := r.lacks(req.Context(), p, route); problem != nil {
			problem.reply(w)
			return
		}
		ctx, cancel := context.WithTimeout(req.Context(), answerWithin)
		defer cancel()
		req, end := r.traced(req.WithContext(ctx), route.Pattern)
		problem := route.person(w, req, p.Person)
		end(problem)
		if problem != nil {
			problem.reply(w)
		}
	})
}

// lacks is the answer to a person who may not use a route.
func (r *Receiver) lacks(ctx context.Context, p Person, route Route) *problem {
	right := incident.Right(route.Door)
	if route.Door == DoorPerson || slices.Contains(incident.Rights(), right) && slices.Contains(p.May, right) {
		return nil
	}
	r.Log.WarnContext(ctx, "a person was refused", "person", p.ID, "route", route.Pattern, "right", string(route.Door))
	problem := fail(http.StatusForbidden, kindForbidden, "%s lacks the right %s: people or groups in stanch.yaml give it, under may", p.ID, route.Door)
	problem.Missing = string(route.Door)
	return problem
}

// who resolves a token to exactly one person. All people are compared, so that
// the time taken discloses nothing; a token that two people have is refused. The error
// is for our log.
func (r *Receiver) who(req *http.Request) (Person, error) {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Person{}, errors.New("no bearer token")
	}
	sum := sha256.Sum256([]byte(token))
	var found []Person
	for _, p := range r.People {
		if subtle.ConstantTimeCompare(sum[:], p.TokenSHA256) == 1 {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return Person{}, errors.New("nobody has this token")
	case 1:
		person := found[0]
		person.Via = "api"
		return person, nil
	default:
		return Person{}, fmt.Errorf("%s and %s have the same token", found[0].ID, found[1].ID)
	}
}

package receiver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// answerWithin bounds how long a person waits for an answer. What was asked of
// the engine by then goes on.
const answerWithin = 30 * time.Second

// personHandler answers a request of a person.
type personHandler func(http.ResponseWriter, *http.Request, incident.Person) *problem

// person registers a handler that only people with a token reach. Nobody
// configured means closed.
func (r *Receiver) person(pattern string, h personHandler) {
	r.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		p, ok := r.who(req)
		if !ok {
			fail(http.StatusUnauthorized, "unauthorized", "a person's token is needed: send it as a bearer token").reply(w)
			return
		}
		ctx, cancel := context.WithTimeout(req.Context(), answerWithin)
		defer cancel()
		if problem := h(w, req.WithContext(ctx), p); problem != nil {
			problem.reply(w)
		}
	})
}

// who resolves a token to exactly one person. All people are compared, so that
// the time taken tells nothing; two people with one token are nobody.
func (r *Receiver) who(req *http.Request) (incident.Person, bool) {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return incident.Person{}, false
	}
	sum := sha256.Sum256([]byte(token))
	var found []incident.Person
	for _, p := range r.People {
		if subtle.ConstantTimeCompare(sum[:], p.TokenSHA256) == 1 {
			found = append(found, p.Person)
		}
	}
	if len(found) != 1 {
		return incident.Person{}, false
	}
	person := found[0]
	person.Via = "api"
	return person, true
}

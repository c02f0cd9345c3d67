package incident

import (
	"slices"
	"strings"
)

// Raisers are the people who raised the alerts of a case by hand. It forgets
// nobody: where more raised alerts than can be kept, everybody counts as one.
type Raisers struct {
	// IDs are sorted, in lower case; a name too long to be kept is its digest.
	IDs []string `json:"ids,omitempty"`
	// More reports whether there were more than are kept.
	More bool `json:"more,omitempty"`
}

const (
	// raisersKept is far above how many people raise alerts about one host, and
	// with raiserLength bounds what a case carries of them.
	raisersKept  = 500
	raiserLength = 128
)

// raiserID is the one spelling of a person's id: sources write it in any case.
func raiserID(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	if len(id) > raiserLength {
		return DigestOf([]byte(id))
	}
	return id
}

// Note adds the person who raised an alert; a rule's alert adds none.
func (r *Raisers) Note(a Alert) {
	if by, known := a.RaisedBy.Get(); known {
		r.add(raiserID(by))
	}
}

// Join adds those who raised the alerts of another case.
func (r *Raisers) Join(other Raisers) {
	for _, id := range other.IDs {
		r.add(id)
	}
	r.More = r.More || other.More
}

func (r *Raisers) add(id string) {
	at, found := slices.BinarySearch(r.IDs, id)
	switch {
	case found || id == "":
	case len(r.IDs) >= raisersKept:
		r.More = true
	default:
		r.IDs = slices.Insert(r.IDs, at, id)
	}
}

// Has reports whether a person raised an alert of the case, or may have.
func (r Raisers) Has(id string) bool {
	_, found := slices.BinarySearch(r.IDs, raiserID(id))
	return found || r.More
}

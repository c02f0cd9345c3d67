package incident

import (
	"encoding/json"
	"time"
)

// Extension is what an approval asks that is about no gate: that a lease of the
// case stands longer than was approved.
type Extension struct {
	Lease string `json:"lease"`
	Step  string `json:"step"`
	// From is the end that was approved before, Until the one that is asked for.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// By is who asks for it, and Reason why.
	By     string `json:"by"`
	Reason string `json:"reason"`
	// Still reports whether the case itself asks, for the host still sends: until there is
	// an answer it stands, and it is given back when people say no.
	Still bool `json:"still,omitempty"`
	// Settled reports whether the lease and the case have the answer.
	Settled bool `json:"settled,omitempty"`
}

// Digest identifies the question: the plan with the lifetime that is asked for.
func (e Extension) Digest(p Plan) string {
	e.Settled = false
	// Both are plain data of known types; they always encode.
	data, err := json.Marshal(struct {
		Plan      Plan      `json:"plan"`
		Extension Extension `json:"extension"`
	}{p, e})
	if err != nil {
		return "unencodable: " + err.Error()
	}
	return DigestOf(data)
}

package protocol

import (
	"time"
)

// RejectedAlert is a request, or one alert of a request, that was authentic but
// started nothing.
type RejectedAlert struct {
	ID     string    `json:"id"`
	Source string    `json:"source"`
	At     time.Time `json:"at"`
	// Field is what is wrong, Problem why. Pointer finds the field in Body as RFC 6901 has
	// it, where Body is JSON and one field is to blame.
	Field   string `json:"field,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Problem string `json:"problem"`
	// Body is the request as it came but for its secrets, or as much of it as is kept:
	// then Size is how many bytes it had.
	Body []byte `json:"body"`
	Size int    `json:"size,omitempty"`
	// BodyDigest is that of the request or message that it was part of, as it came.
	BodyDigest string `json:"body_digest,omitempty"`
	// Resolved says what became of it, once somebody has retried it.
	Resolved string `json:"resolved,omitempty"`
}

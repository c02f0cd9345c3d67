package httpapi

import (
	"cmp"
	"net/http"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
)

// authentic returns the body of a request to a source whose sender is authenticated, and
// takes the room that handling it needs. Release is never nil. A source that is not
// configured is answered like one that is: which sources exist is not disclosed.
func (r *Receiver) authentic(w http.ResponseWriter, req *http.Request, name string) (body []byte, release func(), p *problem) {
	source, verifier := r.Sources[name], r.nobody
	if source.Verifier != nil {
		verifier = source.Verifier
	}
	sent, released, p := r.proven(w, req, verifier, source.bound())
	if p != nil {
		return nil, released, p
	}
	if int64(len(sent)) > source.bound() {
		return nil, released, tooLarge(source.bound())
	}
	body, unpacked, p := r.senders.unpack(req, sent, source.bound())
	if p != nil {
		return nil, released, p
	}
	done, p := r.work.take(name, len(body))
	return body, func() { done(); unpacked(); released() }, p
}

// proven reads the body of a request whose sender is authenticated, as it was sent. What
// is authenticated by its headers is checked before a byte of the body is read; what
// is signed must be read first, in room that all strangers share, and up to the bound
// that is the highest of all sources. Which of the two is tried does not depend on the
// source. Release is never nil.
func (r *Receiver) proven(w http.ResponseWriter, req *http.Request, v *auth.Verifier, most int64) (body []byte, release func(), p *problem) {
	const refused = "not authorized for this source"
	from := r.client(req)
	denied := v.VerifyHeader(req, from)
	if denied == nil {
		return r.senders.read(w, req, most)
	}
	if !auth.Signed(req, r.Now()) {
		return nil, func() {}, r.refuse(req, doorSource, denied, refused)
	}
	if body, release, p = r.strangers.read(w, req, r.highest); p != nil {
		return nil, release, p
	}
	if denied = v.VerifySignature(req, body, from, r.Now()); denied != nil {
		release()
		return nil, func() {}, r.refuse(req, doorSource, denied, refused)
	}
	return body, release, nil
}

// bound is how many bytes a body of the source may have.
func (s Source) bound() int64 { return cmp.Or(s.MaxBody, api.DefaultBody) }

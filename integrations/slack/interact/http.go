package interact

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

// maxBody bounds a request. A card comes back with each click on it.
const maxBody = 256 << 10

// Handler answers Slack's signed requests, for apps without Socket Mode. It is
// nil without a signing secret. A request is answered with 200 only when the
// desk holds the click: anything else Slack shows to the clicker as a failure.
func (r *Receiver) Handler(desk integrations.Desk) http.Handler {
	if r.secret == "" {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, desk) })
}

func (r *Receiver) serve(w http.ResponseWriter, q *http.Request, desk integrations.Desk) {
	payload, status := r.open(w, q)
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	in, err := parse(payload)
	if err != nil {
		r.log.WarnContext(q.Context(), "what Slack sent cannot be read", "use", r.use)
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	if !r.enter() {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	// Slack hanging up must not tear a click that the desk is about to hold.
	ctx := context.WithoutCancel(q.Context())
	result := r.answer(ctx, desk, in)
	r.respond(ctx, w, result)
	// Slack sends its next request over the same connection as soon as this
	// function returns.
	go func() {
		defer r.leave()
		r.afterwards(ctx, result)
	}()
}

// open returns the payload of a request that Slack signed, or the status that
// refuses it.
func (r *Receiver) open(w http.ResponseWriter, q *http.Request) ([]byte, int) {
	if q.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed
	}
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType
	}
	verifier, err := slack.NewSecretsVerifier(q.Header, r.secret.Reveal())
	if err != nil {
		return nil, http.StatusUnauthorized
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return nil, http.StatusBadRequest
	}
	if _, err := verifier.Write(body); err != nil {
		return nil, http.StatusUnauthorized
	}
	if verifier.Ensure() != nil {
		return nil, http.StatusUnauthorized
	}
	// Only the body is signed: the query says nothing.
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["payload"]) != 1 {
		return nil, http.StatusBadRequest
	}
	return []byte(form.Get("payload")), http.StatusOK
}

func (r *Receiver) respond(ctx context.Context, w http.ResponseWriter, result outcome) {
	if !result.held {
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	var body bytes.Buffer
	if result.response != nil {
		if err := json.NewEncoder(&body).Encode(result.response); err != nil {
			r.log.ErrorContext(ctx, "a form's answer cannot be written", "use", r.use, "error", err)
			body.Reset()
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(http.StatusOK)
	if _, err := body.WriteTo(w); err != nil {
		r.log.WarnContext(ctx, "an acknowledgement was not sent", "use", r.use, "error", err)
	}
}

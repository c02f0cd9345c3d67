// Package codec is a codec server: the pages and the command line of a Temporal
// cluster send it what Stanch compressed and encrypted, and show what it answers. It
// decodes only.
package codec

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Options configure a codec server.
type Options struct {
	// Codecs decode, in their order.
	Codecs []converter.PayloadCodec
	// Tokens are the SHA-256 of the tokens that are let in, by the name that the log
	// shows. Without one nobody is.
	Tokens map[string][sha256.Size]byte
	// Origin is that of the pages which may read the answers in a browser, such as
	// http://127.0.0.1:8233. Empty: none.
	Origin string
	Log    *slog.Logger
}

const (
	// maxRequest bounds a request: a page of a history, which the engine bounds to 4 MiB
	// for each message.
	maxRequest = 8 << 20
	// maxAnswer bounds what a request's payloads become: each may grow.
	maxAnswer = 64 << 20
	// atOnce bounds the requests that are decoded at a time.
	atOnce = 4
	// refusedAtOnce wrong tokens are answered as such, then one a second.
	refusedAtOnce = 20
)

// server is the handler.
type server struct {
	Options
	refusals *rate.Limiter
	slots    chan struct{}
}

// New returns the handler of a codec server.
func New(o Options) http.Handler {
	s := &server{Options: o, refusals: rate.NewLimiter(rate.Every(time.Second), refusedAtOnce), slots: make(chan struct{}, atOnce)}
	mux := http.NewServeMux()
	for _, path := range []string{"/decode", "/{namespace}/decode"} {
		mux.HandleFunc("POST "+path, s.decode)
		mux.HandleFunc("OPTIONS "+path, s.preflight)
	}
	mux.HandleFunc("GET /{$}", s.signIn)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"alive"}`)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Add("Vary", "Origin")
		origin := req.Header.Get("Origin")
		if origin != "" && (s.Origin == "" || origin != s.Origin) {
			http.Error(w, "pages of this origin may not read it: see stanch codec --origin", http.StatusForbidden)
			return
		}
		if origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		mux.ServeHTTP(w, req)
	})
}

// preflight answers a browser that asks what a page may send.
func (s *server) preflight(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Namespace")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// signIn has a browser ask for a token, which it then sends with each request: the
// pages of a cluster without accounts have none to send.
func (s *server) signIn(w http.ResponseWriter, req *http.Request) {
	if _, ok := s.admitted(w, req); ok {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "You are signed in. The cluster's pages can show what Stanch stores now.\n")
	}
}

// admitted returns who sent a request, or answers that nobody did.
func (s *server) admitted(w http.ResponseWriter, req *http.Request) (who string, ok bool) {
	if who, ok = s.who(req); ok {
		return who, true
	}
	if !s.refusals.Allow() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many wrong tokens: send it again later", http.StatusTooManyRequests)
		return "", false
	}
	s.Log.Warn("a request was refused", "path", req.URL.Path, "from", req.RemoteAddr)
	w.Header().Set("WWW-Authenticate", `Basic realm="stanch codec: any user, your token as password", charset="UTF-8"`)
	http.Error(w, "a token is needed: send it as a bearer token, or as a password", http.StatusUnauthorized)
	return "", false
}

// who returns the name of a request's token. All are compared, so that the time taken
// discloses nothing.
func (s *server) who(req *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "Basic"):
		_, token, _ = req.BasicAuth()
	default:
		token = ""
	}
	sum := sha256.Sum256([]byte(token))
	var found []string
	for name, want := range s.Tokens {
		if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
			found = append(found, name)
		}
	}
	if token == "" || len(found) != 1 {
		return "", false
	}
	return found[0], true
}

func (s *server) decode(w http.ResponseWriter, req *http.Request) {
	who, ok := s.admitted(w, req)
	if !ok {
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-req.Context().Done():
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRequest))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		http.Error(w, fmt.Sprintf("the request is larger than %d bytes", maxRequest), http.StatusRequestEntityTooLarge)
		return
	}
	in := &commonpb.Payloads{}
	if err != nil || (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, in) != nil {
		// What the request holds is never quoted.
		http.Error(w, "the body is not payloads in JSON", http.StatusBadRequest)
		return
	}
	out, err := s.decoded(in.GetPayloads())
	if err != nil {
		s.Log.Warn("payloads were not decoded", "who", who, "payloads", len(in.GetPayloads()), "error", err)
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	answer, err := protojson.Marshal(out)
	if err != nil {
		http.Error(w, "the payloads cannot be written as JSON", http.StatusUnprocessableEntity)
		return
	}
	s.Log.Info("payloads were decoded", "who", who, "payloads", len(out.GetPayloads()))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// decoded decodes one payload after the other, so that what they become together is
// bounded.
func (s *server) decoded(in []*commonpb.Payload) (*commonpb.Payloads, error) {
	out := &commonpb.Payloads{}
	size := 0
	for i, p := range in {
		if p == nil {
			return nil, fmt.Errorf("payload %d is null", i+1)
		}
		one := []*commonpb.Payload{p}
		for _, codec := range s.Codecs {
			var err error
			if one, err = codec.Decode(one); err != nil {
				return nil, fmt.Errorf("payload %d: %w", i+1, err)
			}
		}
		if size += proto.Size(one[0]); size > maxAnswer {
			return nil, fmt.Errorf("the payloads become more than %d bytes", maxAnswer)
		}
		out.Payloads = append(out.Payloads, one[0])
	}
	return out, nil
}

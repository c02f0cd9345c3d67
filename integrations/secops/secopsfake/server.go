// Package secopsfake is a double of the part of Google's APIs that lists detections of Google
// SecOps, after their documents: tokens for the assertion of a service account, and pages of
// detections by when they were created. It can be as hostile as networks and APIs are.
package secopsfake

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Fault is what goes wrong with one answer.
type Fault int

const (
	// Cut ends the body in the middle.
	Cut Fault = iota + 1
	// Throttle is a 429.
	Throttle
	// Fail is a 503.
	Fail
	// Inside is an error in an answer with status 200.
	Inside
	// Loop has the page go on with itself.
	Loop
	// Revoke refuses the token.
	Revoke
)

const (
	// Path is where detections are listed.
	Path = "/v1alpha/projects/p-1/locations/eu/instances/i-1/legacy:legacySearchDetections"

	email     = "stanch@p-1.iam.gserviceaccount.com"
	keyID     = "k-1"
	tokenPath = "/token"
	scope     = "https://www.googleapis.com/auth/cloud-platform"
	grant     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// Server is an instance of Google SecOps.
type Server struct {
	*httptest.Server
	t   testing.TB
	key *rsa.PrivateKey

	mu         sync.Mutex
	now        func() time.Time
	detections []detection
	faults     []Fault
	lists      []url.Values
	tokens     int
	revoked    map[string]bool
	most       int
}

type detection struct {
	created time.Time
	body    json.RawMessage
}

// New starts an instance whose clock is now.
func New(t testing.TB, now func() time.Time) *Server {
	t.Helper()
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	const pages = 3
	s := &Server{t: t, key: key, now: now, revoked: map[string]bool{}, most: pages}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+tokenPath, s.token)
	mux.HandleFunc("GET /v1alpha/", s.list)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() { s.Server.Close() })
	return s
}

// Restart ends the server, and starts it anew at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	s.Server.Close()
	listener, err := net.Listen("tcp", s.Listener.Addr().String())
	if err != nil {
		s.t.Fatalf("restart: %v", err)
	}
	s.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.Config.Handler}} //nolint:gosec // It serves tests alone.
	s.Start()
}

// ServiceAccount is the JSON key of an account that may list.
func (s *Server) ServiceAccount() string {
	private, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		s.t.Fatalf("write the key: %v", err)
	}
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p-1", "private_key_id": keyID, "client_email": email, "token_uri": s.URL + tokenPath,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	})
	if err != nil {
		s.t.Fatalf("write the key: %v", err)
	}
	return string(data)
}

// Add makes detections that were created at a time.
func (s *Server) Add(created time.Time, ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.detections = append(s.detections, detection{created, fmt.Appendf(nil,
			`{"type":"RULE_DETECTION","id":%q,"createdTime":%q,"detectionTime":%[2]q,"detection":[{"ruleName":"udp_egress","alertState":"ALERTING"}]}`,
			id, created.UTC().Format(time.RFC3339Nano))})
	}
}

// Put makes a detection with a body, which must be JSON without spaces.
func (s *Server) Put(created time.Time, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detections = append(s.detections, detection{created, json.RawMessage(body)})
}

// Next are the faults of the next answers to lists, in this order; zero is none.
func (s *Server) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Pages sets how many detections a page has at most, whatever is asked for.
func (s *Server) Pages(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
}

// Lists are the questions that were answered or refused so far.
func (s *Server) Lists() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lists)
}

// Tokens is how many tokens were given.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": message}})
}

// token gives a token for an assertion that the account has signed.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	signed, err := jose.ParseSignedCompact(r.PostFormValue("assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || r.PostFormValue("grant_type") != grant || signed.Signatures[0].Header.KeyID != keyID {
		refuse(w, http.StatusBadRequest, "invalid_request")
		return
	}
	var claims struct {
		Issuer   string `json:"iss"`
		Scope    string `json:"scope"`
		Audience string `json:"aud"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}
	payload, err := signed.Verify(&s.key.PublicKey)
	now := time.Now().Unix()
	switch {
	case err != nil || json.Unmarshal(payload, &claims) != nil:
		refuse(w, http.StatusBadRequest, "invalid_grant")
	case claims.Issuer != email, claims.Scope != scope, claims.Audience != s.URL+tokenPath, claims.Issued > now, claims.Expires <= now, claims.Expires-claims.Issued > 3600:
		refuse(w, http.StatusBadRequest, "invalid_grant")
	default:
		s.mu.Lock()
		s.tokens++
		token := "t-" + strconv.Itoa(s.tokens)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
	}
}

// list answers with a page, newest first, or with the next fault.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	s.lists = append(s.lists, query)
	var fault Fault
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	bearer := r.Header.Get("Authorization")
	if fault == Revoke {
		s.revoked[bearer] = true
	}
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	if len(bearer) < len("Bearer t-1") || s.revoked[bearer] {
		refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		return
	}
	if r.URL.Path != Path {
		refuse(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	switch fault {
	case Throttle:
		w.Header().Set("Retry-After", "0")
		refuse(w, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED")
		return
	case Fail:
		refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE")
		return
	case Inside:
		_, _ = w.Write([]byte(`{"error":{"code":500,"message":"internal"}}`))
		return
	case Cut, Loop, Revoke:
	}
	s.page(w, query, fault)
}

func (s *Server) page(w http.ResponseWriter, query url.Values, fault Fault) {
	from, err := time.Parse(time.RFC3339Nano, query.Get("startTime"))
	to, err2 := time.Parse(time.RFC3339Nano, query.Get("endTime"))
	size, err3 := strconv.Atoi(query.Get("pageSize"))
	if cmp.Or(err, err2, err3) != nil || query.Get("ruleId") == "" || query.Get("listBasis") != "CREATED_TIME" || !from.Before(to) {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	token := query.Get("pageToken")
	query.Del("pageToken")
	at := 0
	if token != "" {
		var of string
		if _, err := fmt.Sscanf(token, "%d@%s", &at, &of); err != nil || of != url.QueryEscape(query.Encode()) {
			refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT: the parameters are not those of the page before")
			return
		}
	}
	var found []json.RawMessage
	for _, d := range slices.SortedStableFunc(slices.Values(s.detections), func(a, b detection) int { return b.created.Compare(a.created) }) {
		if !d.created.Before(from) && d.created.Before(to) {
			found = append(found, d.body)
		}
	}
	at = min(at, len(found))
	end := min(at+min(size, s.most), len(found))
	out := map[string]any{}
	if end > at {
		out["detections"] = found[at:end]
	}
	if end < len(found) {
		out["nextPageToken"] = fmt.Sprintf("%d@%s", end, url.QueryEscape(query.Encode()))
	}
	if fault == Loop && token != "" {
		out["nextPageToken"] = token
	}
	body, _ := json.Marshal(out)
	if fault == Cut {
		body = body[:len(body)/2]
	}
	_, _ = w.Write(body)
}

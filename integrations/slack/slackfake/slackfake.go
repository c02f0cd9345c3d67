// Package slackfake is a Slack for tests: stateful, and strict about what
// Slack's documents limit. It reads requests as they come over the wire and
// knows nothing of any client, so that what it accepts is what Slack accepts
// and not what a client happens to send. Where the documents are silent it
// takes the stricter reading.
package slackfake

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Options say what a workspace is like. The zero value is a workspace with a
// bot that has every scope, and nobody else.
type Options struct {
	BotToken      string
	AppToken      string
	SigningSecret string
	Team          Team
	// Now is the time that every window is measured by; nil: the real one.
	Now func() time.Time
	// Scopes are what the bot token was granted; nil: all.
	Scopes   []string
	Users    []User
	Groups   []Group
	Channels []Channel
	// RequestURL takes the interactions, signed. Without it they go over Socket
	// Mode.
	RequestURL string
	// Unlimited lets messages be posted at any pace.
	Unlimited bool
	// PageSize caps every page of a list, as Slack may; 0: no cap of its own.
	PageSize int
}

// Team is a workspace and the app that is installed there.
type Team struct {
	ID     string
	Name   string
	Domain string
	// App, Bot and BotUser are the ids of the app, of its bot and of the user
	// as whom the bot speaks.
	App     string
	Bot     string
	BotUser string
}

// Server is a Slack.
type Server struct {
	// URL is the base of the Web API, with its last slash.
	URL           string
	BotToken      string
	AppToken      string
	SigningSecret string
	Team          Team

	http    *httptest.Server
	methods map[string]method
	real    bool
	closing chan struct{}
	// running are the goroutines that deliver and that read sockets.
	running sync.WaitGroup

	mu         sync.Mutex
	now        func() time.Time
	changed    chan struct{}
	stamped    time.Time
	serial     int
	scopes     []string
	users      []User
	groups     []Group
	channels   []*channel
	pageSize   int
	requestURL string
	unlimited  bool
	buckets    map[string]*bucket
	faults     map[string][]Fault
	outage     bool
	calls      []Call
	uploads    map[string]*upload
	triggers   map[string]*trigger
	responses  map[string]*responseURL
	views      map[string]*View // by who has it open
	hashes     int
	tickets    map[string]bool
	sockets    []*socket
	connected  int
	deliveries []*Delivery
}

// New starts a Slack that ends with the test.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{
		BotToken: or(o.BotToken, "xoxb-0000000000-bot"), AppToken: or(o.AppToken, "xapp-1-A0APP-0000-app"),
		SigningSecret: or(o.SigningSecret, "8f742231b10e8888abcd99yyyzzz85a5"),
		Team: Team{
			ID: or(o.Team.ID, "T0HOME"), Name: or(o.Team.Name, "Home"), Domain: or(o.Team.Domain, "home"),
			App: or(o.Team.App, "A0APP"), Bot: or(o.Team.Bot, "B0BOT"), BotUser: or(o.Team.BotUser, "U0BOT"),
		},
		real: o.Now == nil, now: o.Now, closing: make(chan struct{}), changed: make(chan struct{}),
		scopes: o.Scopes, pageSize: o.PageSize, requestURL: o.RequestURL,
		unlimited: o.Unlimited, buckets: map[string]*bucket{},
		faults: map[string][]Fault{}, uploads: map[string]*upload{}, triggers: map[string]*trigger{},
		responses: map[string]*responseURL{}, views: map[string]*View{}, tickets: map[string]bool{},
	}
	if s.real {
		s.now = time.Now
	}
	s.methods = s.webAPI()
	if s.scopes == nil {
		s.scopes = everyScope(s.methods)
	}
	s.SetUser(User{ID: s.Team.BotUser, Name: "stanch", Bot: true})
	for _, u := range o.Users {
		s.SetUser(u)
	}
	for _, g := range o.Groups {
		s.SetGroup(g)
	}
	for _, c := range o.Channels {
		s.SetChannel(c)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveMethod)
	mux.HandleFunc("POST /upload/{file}", s.serveUpload)
	mux.HandleFunc("POST /actions/{ticket}", s.serveResponseURL)
	mux.HandleFunc("GET /link", s.serveSocket)
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL + "/api/"
	t.Cleanup(s.close)
	return s
}

func (s *Server) close() {
	close(s.closing)
	s.dropSockets()
	s.http.Close()
	s.running.Wait()
}

// Await waits until a condition holds, and looks again after every change of
// the workspace. The condition may call the server.
func (s *Server) Await(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("await slack: %w", context.Cause(ctx))
		}
	}
}

// change wakes everyone who awaits something. The lock must be held.
func (s *Server) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// stamp returns a new message timestamp: the time, and larger than any before.
// The lock must be held.
func (s *Server) stamp() string {
	now := s.now().Truncate(time.Microsecond)
	if !now.After(s.stamped) {
		now = s.stamped.Add(time.Microsecond)
	}
	s.stamped = now
	return timestamp(now)
}

// id returns a new id with a prefix, as Slack's are: one letter says what it
// is. The lock must be held.
func (s *Server) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s%09X", prefix, s.serial)
}

// SetUser adds a user or changes the one with the same id.
func (s *Server) SetUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.Team = or(u.Team, s.Team.ID)
	s.users = set(s.users, u, func(o User) bool { return o.ID == u.ID })
	s.change()
}

// SetGroup adds a user group or changes the one with the same id.
func (s *Server) SetGroup(g Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = set(s.groups, g, func(o Group) bool { return o.ID == g.ID })
	s.change()
}

// SetChannel adds a channel or changes the one with the same id, whose messages
// stay.
func (s *Server) SetChannel(c Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.change()
	if old := s.channelByID(c.ID); old != nil {
		old.Channel = c
		return
	}
	s.channels = append(s.channels, &channel{Channel: c})
}

// SetRequestURL changes where interactions go; empty: Socket Mode.
func (s *Server) SetRequestURL(u string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requestURL = u
}

// timestamp writes a time as Slack does, in seconds and microseconds.
func timestamp(t time.Time) string {
	return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// set replaces the element that is the same, or appends it.
func set[T any](list []T, v T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}

// random returns a secret of hexadecimal digits, for URLs that are a credential.
func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return fmt.Sprintf("%x", b)
}

package sqs_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/sqs"
	"github.com/stanch-soar/stanch/integrations/sqs/sqsfake"
	"github.com/stanch-soar/stanch/integrations/sqs/sqstest"
)

const (
	region  = "eu-central-1"
	account = "000000000000"
	keyID   = "AKIAEXAMPLE"
	secret  = "c4n4ryS3cretV4lue00xyz"
)

// queue is what keeps the messages behind a service.
type queue interface {
	http.Handler
	// Send leaves messages of a group, which is empty in a standard queue.
	Send(group string, bodies ...string)
	// Expire has every message that was received and not deleted come again, as a restart of
	// the server does.
	Expire()
}

// servers start a queue of a name for a service that listens already.
func servers() map[string]func(s *service) queue {
	return map[string]func(s *service) queue{
		"double": func(s *service) queue { return sqsfake.New(s.path) },
		"fauxqs": func(s *service) queue { return startFauxqs(s) },
	}
}

// service is a queue at an address, which may go away and come back. Every request and every
// answer is judged by the description of the API; what is not signed does not reach the queue.
type service struct {
	t       testing.TB
	path    string
	address string
	queue   queue
	judged  http.Handler
	server  *httptest.Server

	mu    sync.Mutex
	calls map[string]int
	// trouble, where it returns true, has answered instead of the queue.
	trouble func(action string, w http.ResponseWriter, r *http.Request) bool
}

func start(t testing.TB, name string, serve func(*service) queue) *service {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, path: "/" + account + "/" + name, address: l.Addr().String(), calls: map[string]int{}}
	s.judged = sqstest.Handler(t, s.counted(sqsfake.Signed(region, keyID, secret, http.HandlerFunc(s.answer))))
	s.queue = serve(s)
	s.serve(l)
	t.Cleanup(s.end)
	return s
}

// client is one of the SDK's own.
func (s *service) client() *sdk.Client {
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String("http://" + s.address), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
}

func (s *service) url() string { return "http://" + s.address + s.path }

func (s *service) serve(l net.Listener) {
	s.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: s.judged}} //nolint:gosec // It serves the test alone.
	s.server.Start()
}

func action(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
}

func (s *service) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls[action(r)]++
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (s *service) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	trouble := s.trouble
	s.mu.Unlock()
	if trouble == nil || !trouble(action(r), w, r) {
		s.queue.ServeHTTP(w, r)
	}
}

// called is how often an action was asked for.
func (s *service) called(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[action]
}

// inTrouble has a function answer instead of the queue, where it returns true.
func (s *service) inTrouble(f func(action string, w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = f
}

func (s *service) end() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// restart ends the server, and starts it at the same address.
func (s *service) restart() {
	s.end()
	s.queue.Expire()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.serve(l)
}

func (s *service) config() *sqs.Config {
	c, _ := sqs.Transport().NewConfig().(*sqs.Config)
	c.QueueURL, c.Region = s.url(), region
	// What was received by a call that was broken off comes again after that.
	c.AccessKeyID, c.SecretAccessKey, c.Hidden = keyID, secret, 2*time.Second
	return c
}

func open(t testing.TB, c *sqs.Config) alerts.Puller {
	t.Helper()
	p, err := sqs.Transport().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// onEach runs a test on every server.
func onEach(t *testing.T, name string, test func(t *testing.T, s *service)) {
	t.Helper()
	for server, serve := range servers() {
		t.Run(server, func(t *testing.T) { test(t, start(t, name, serve)) })
	}
}

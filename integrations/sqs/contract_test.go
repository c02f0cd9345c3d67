package sqs_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/sqs"
	"github.com/stanch-soar/stanch/integrations/sqs/sqsfake"
)

const (
	region = "eu-central-1"
	keyID  = "AKIAEXAMPLE"
	secret = "c4n4ryS3cretV4lue00xyz"
)

// service is a double of the service at an address, which may go away and come back.
type service struct {
	t      testing.TB
	queue  *sqsfake.Queue
	path   string
	server *httptest.Server
}

func start(t testing.TB, name string) *service {
	t.Helper()
	path := "/123456789012/" + name
	s := &service{t: t, path: path, queue: sqsfake.New(region, keyID, secret, path)}
	s.serve("127.0.0.1:0")
	t.Cleanup(s.end)
	return s
}

func (s *service) serve(address string) {
	s.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = &httptest.Server{Listener: l, Config: &http.Server{Handler: s.queue}} //nolint:gosec // It serves the test alone.
	s.server.Start()
}

func (s *service) end() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// restart ends the server. What was received there and not deleted comes again at once.
func (s *service) restart() {
	address := s.server.Listener.Addr().String()
	s.end()
	s.queue.Expire()
	s.serve(address)
}

func (s *service) config() *sqs.Config {
	c, _ := sqs.Transport().NewConfig().(*sqs.Config)
	c.QueueURL, c.Region = "http://"+s.server.Listener.Addr().String()+s.path, region
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

func TestContract(t *testing.T) {
	for name, h := range map[string]contract.PullerHarness{
		"alerts":      {Unordered: "a standard queue promises no order, and ten messages are taken at once"},
		"alerts.fifo": {},
	} {
		t.Run(name, func(t *testing.T) {
			h.Knobs = contract.Knobs{Kind: "sqs", Secrets: []string{secret}}
			h.Open = func(t testing.TB) contract.PullerWorld {
				s, group := start(t, name), ""
				config := s.config()
				if h.Unordered == "" {
					group = "siem"
				}
				return contract.PullerWorld{
					New:     func() alerts.Puller { return open(t, config) },
					Send:    func(bodies ...string) { s.queue.Send(group, bodies...) },
					Restart: s.restart, Break: s.end,
				}
			}
			contract.Puller(t, h)
		})
	}
}

package nats_test

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/nats"
)

const stream = "ALERTS"

// broker is a real server with JetStream, in the process, which keeps its data in a folder.
type broker struct {
	t    testing.TB
	port int
	dir  string
	edit func(*server.Options)

	server *server.Server
}

func startBroker(t testing.TB, edit func(*server.Options)) *broker {
	t.Helper()
	b := &broker{t: t, port: -1, dir: filepath.Join(t.TempDir(), "jetstream"), edit: edit}
	b.start()
	t.Cleanup(b.end)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: b.port, JetStream: true, StoreDir: b.dir, NoLog: true, NoSigs: true, SyncAlways: true}
	if b.edit != nil {
		b.edit(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		b.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		b.t.Fatal("the server does not start")
	}
	b.server = s
	if b.port < 0 {
		address, ok := s.Addr().(*net.TCPAddr)
		if !ok {
			b.t.Fatalf("the server listens on %v", s.Addr())
		}
		b.port = address.Port
	}
}

func (b *broker) end() {
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
		b.server = nil
	}
}

func (b *broker) restart() {
	b.end()
	b.start()
}

func (b *broker) url() string { return "nats://127.0.0.1:" + strconv.Itoa(b.port) }

// js calls f with a connection of the sender.
func (b *broker) js(f func(ctx context.Context, js jetstream.JetStream) error, options ...client.Option) {
	b.t.Helper()
	conn, err := client.Connect(b.url(), options...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	if err := f(ctx, js); err != nil {
		b.t.Fatal(err)
	}
}

func (b *broker) make(options ...client.Option) {
	b.t.Helper()
	b.js(func(ctx context.Context, js jetstream.JetStream) error {
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: stream, Subjects: []string{"alerts.>", "news"}, Storage: jetstream.FileStorage})
		return err
	}, options...)
}

func (b *broker) send(subject string, bodies ...string) {
	b.t.Helper()
	b.js(func(ctx context.Context, js jetstream.JetStream) error {
		for _, body := range bodies {
			if _, err := js.Publish(ctx, subject, []byte(body)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *broker) config() *nats.Config {
	c, _ := nats.Transport().NewConfig().(*nats.Config)
	c.Servers, c.Stream, c.TLS = []string{b.url()}, stream, false
	return c
}

func open(t testing.TB, c *nats.Config) alerts.Puller {
	t.Helper()
	p, err := nats.Transport().Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestContract(t *testing.T) {
	contract.Puller(t, contract.PullerHarness{
		// What was on its way to a puller that ended comes again a minute later.
		Knobs: contract.Knobs{Kind: "nats", Patience: 90 * time.Second},
		Open: func(t testing.TB) contract.PullerWorld {
			b := startBroker(t, nil)
			b.make()
			return contract.PullerWorld{
				New:     func() alerts.Puller { return open(t, b.config()) },
				Send:    func(bodies ...string) { b.send("alerts.siem", bodies...) },
				Restart: b.restart, Break: b.end,
			}
		},
	})
}

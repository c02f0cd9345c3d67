package fetch_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/nats"
)

func TestNATSLosesAndDoublesNothing(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	start := func() *server.Server {
		s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(time.Minute) {
			t.Fatal("the server does not start")
		}
		return s
	}
	running := start()
	stop := func() { running.Shutdown(); running.WaitForShutdown() }
	t.Cleanup(func() { stop() })
	url := "nats://127.0.0.1:" + strconv.Itoa(port)
	conn, err := client.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ALERTS", Subjects: []string{"alerts"}}); err != nil {
		t.Fatal(err)
	}
	survives(t, "nats", queue{
		open: func() alerts.Puller {
			c, _ := nats.Transport().NewConfig().(*nats.Config)
			c.Servers, c.Stream, c.TLS = []string{url}, "ALERTS", false
			return opened(t, nats.Transport(), c)
		},
		send: func(bodies ...string) {
			for _, b := range bodies {
				if _, err := js.Publish(context.Background(), "alerts", []byte(b)); err != nil {
					t.Error(err)
				}
			}
		},
		restart: func() { stop(); running = start() },
	})
}

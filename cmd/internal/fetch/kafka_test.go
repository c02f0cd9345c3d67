package fetch_test

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/kafka"
)

func TestKafkaLosesAndDoublesNothing(t *testing.T) {
	const topic = "alerts"
	port, dir := freePort(t), t.TempDir()
	start := func() *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.SyncWrites(), kfake.SeedTopics(4, topic))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cluster := start()
	t.Cleanup(func() { cluster.Close() })
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	sender, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	survives(t, "kafka", queue{
		open: func() alerts.Puller {
			c, _ := kafka.Transport().NewConfig().(*kafka.Config)
			c.Brokers, c.Topic, c.TLS = []string{address}, topic, false
			return opened(t, kafka.Transport(), c)
		},
		send: func(bodies ...string) {
			var records []*kgo.Record
			for _, b := range bodies {
				records = append(records, kgo.StringRecord(b))
			}
			if err := sender.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
				t.Error(err)
			}
		},
		restart: func() { cluster.Close(); cluster = start() },
	})
}

func opened(t *testing.T, transport alerts.Transport, config any) alerts.Puller {
	t.Helper()
	p, err := transport.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// freePort is a port on which nothing listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("it listens on %v", l.Addr())
	}
	return address.Port
}

package kafka_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/kafka"
)

const topic = "alerts"

// broker is a broker of the tests: it speaks Kafka's protocol and keeps its data in a folder.
type broker struct {
	t    testing.TB
	port int
	dir  string
	more []kfake.Opt

	cluster *kfake.Cluster
	sender  *kgo.Client
}

// freePort is a port on which nothing listens.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func startBroker(t testing.TB, partitions int32, more ...kfake.Opt) *broker {
	t.Helper()
	b := &broker{t: t, port: freePort(t), dir: t.TempDir(), more: append(more, kfake.SeedTopics(partitions, topic))}
	b.start()
	t.Cleanup(b.end)
	sender, err := kgo.NewClient(kgo.SeedBrokers(b.address()), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	b.sender = sender
	return b
}

func (b *broker) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

func (b *broker) start() {
	b.t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(b.port), kfake.DataDir(b.dir), kfake.SyncWrites(),
	}, b.more...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.cluster = cluster
}

func (b *broker) end() {
	if b.cluster != nil {
		b.cluster.Close()
		b.cluster = nil
	}
}

func (b *broker) restart() {
	b.end()
	b.start()
}

// send produces to partitions in turn, or all to the first where there is one.
func (b *broker) send(bodies ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	records := make([]*kgo.Record, 0, len(bodies))
	for _, body := range bodies {
		records = append(records, kgo.StringRecord(body))
	}
	if err := b.sender.ProduceSync(ctx, records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// open opens a puller, as the service does.
func open(t testing.TB, transport alerts.Transport, config any) alerts.Puller {
	t.Helper()
	p, err := transport.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *broker) config() *kafka.Config {
	c, _ := kafka.Transport().NewConfig().(*kafka.Config)
	c.Brokers, c.Topic, c.TLS = []string{b.address()}, topic, false
	return c
}

func TestContract(t *testing.T) {
	for name, partitions := range map[string]int32{"one partition": 1, "several partitions": 3} {
		t.Run(name, func(t *testing.T) {
			h := contract.PullerHarness{
				Knobs: contract.Knobs{Kind: "kafka"},
				Open: func(t testing.TB) contract.PullerWorld {
					b := startBroker(t, partitions)
					return contract.PullerWorld{
						New:  func() alerts.Puller { return open(t, kafka.Transport(), b.config()) },
						Send: b.send, Restart: b.restart, Break: b.end,
					}
				},
			}
			if partitions > 1 {
				h.Unordered = "only the messages of one partition have an order"
			}
			contract.Puller(t, h)
		})
	}
}

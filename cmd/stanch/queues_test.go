package main_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fullQueue leaves more alerts in a queue than its source takes in an hour, and returns that
// source, beside one whose queue cannot be reached.
func fullQueue(t *testing.T) string {
	t.Helper()
	const topic, waiting = "alerts", 400
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	broker := cluster.ListenAddrs()[0]
	sender, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	var records []*kgo.Record
	for i := range waiting {
		records = append(records, kgo.StringRecord(fmt.Sprintf(`{"id":"queued-%d","status":"sample","host":{"name":"ws-099"}}`, i)))
	}
	if err := sender.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("  queued: { kind: stanch, rate: 1/h, from: { kind: kafka, brokers: [%q], topic: %s, tls: false } }\n", broker, topic) +
		fmt.Sprintf("  lost: { kind: stanch, from: { kind: kafka, brokers: [%q], topic: %s, tls: false } }\n", "127.0.0.1:1", topic)
}

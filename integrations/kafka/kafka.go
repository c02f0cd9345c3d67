// Package kafka fetches alerts from topics of Apache Kafka, and of what speaks its protocol:
// Azure Event Hubs has a transport of its own.
package kafka

import (
	"context"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Transports: []alerts.Transport{Transport(), EventHubs()}}
}

// Transport describes topics of Kafka.
func Transport() alerts.Transport {
	return alerts.Transport{
		Kind:    "kafka",
		Summary: "A topic of Apache Kafka, read as a member of a consumer group.",
		Doc: `Each record's value is one body. The records of a partition are taken one after the other, those of several at once, and a
partition's offset is committed only when the engine holds all that is before it. Several receivers with the same ` + "`group`" + ` share
the partitions. A group that has no offset yet begins with the oldest record that the topic has; give the group offsets
beforehand (` + "`kafka-consumer-groups --reset-offsets`" + `) to leave out what is old. A record without a value is passed over.

The group needs READ on the topic and on the group, and nothing else. See [Kafka](../integrations/kafka.md).`,
		Example:   `{ kind: kafka, brokers: ["kafka-1.example:9093"], topic: alerts, group: stanch, user: stanch, password_file: /etc/stanch/kafka }`,
		NewConfig: func() any { return defaults() },
		Open: open(func(c *Config) (settings, error) {
			return c.settings()
		}),
	}
}

// EventHubs describes event hubs of Azure.
func EventHubs() alerts.Transport {
	return alerts.Transport{
		Kind:    "eventhubs",
		Summary: "An event hub of Azure, over its Kafka endpoint (Standard tier and above).",
		Doc: `As [kafka](#kafka); the brokers and the credentials are made from the connection string of a shared access policy that
may Listen. Kafka's consumer groups are not those of the portal: the group is made when it is used first.
See [Azure Event Hubs](../integrations/event-hubs.md).`,
		Example:   `{ kind: eventhubs, hub: alerts, connection_string_file: /etc/stanch/eventhubs }`,
		NewConfig: func() any { return &HubConfig{Group: defaultGroup} },
		Open: open(func(c *HubConfig) (settings, error) {
			return c.settings()
		}),
	}
}

func open[C any](read func(*C) (settings, error)) func(context.Context, any) (alerts.Puller, error) {
	return func(_ context.Context, config any) (alerts.Puller, error) {
		const op = "open kafka"
		c, ok := config.(*C)
		if !ok {
			return nil, integrations.Errorf(integrations.Invalid, op, "the configuration is a %T, not a %T", config, c)
		}
		s, err := read(c)
		if err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		p, err := newPuller(s)
		if err != nil {
			return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
		}
		return p, nil
	}
}

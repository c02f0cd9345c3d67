package nats

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// consumer returns the durable consumer, which is made where it is not there.
func (p *puller) consumer(ctx context.Context, conn *nats.Conn) (jetstream.Consumer, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("use JetStream: %w", err)
	}
	name := p.config.Consumer
	consumer, err := js.Consumer(ctx, p.config.Stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = js.CreateConsumer(ctx, p.config.Stream, jetstream.ConsumerConfig{
			Durable: name, Description: "alerts for Stanch", FilterSubject: p.config.Subject,
			DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: ackWait, MaxDeliver: -1, MaxAckPending: ackPending,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("use consumer %q of stream %q: %w", name, p.config.Stream, err)
	}
	if err := loses(consumer.CachedInfo().Config); err != nil {
		return nil, fmt.Errorf("consumer %q of stream %q would lose alerts: %w", name, p.config.Stream, err)
	}
	return consumer, nil
}

// loses returns why a consumer loses what was not taken; nil where it does not.
func loses(c jetstream.ConsumerConfig) error {
	switch {
	case c.AckPolicy != jetstream.AckExplicitPolicy:
		return errors.New("its ack policy is not explicit")
	case c.MaxDeliver > 0:
		return fmt.Errorf("it gives a message up after %d deliveries, however long the engine takes nothing: set max deliver to -1", c.MaxDeliver)
	case c.Durable == "":
		return errors.New("it is not durable")
	}
	return nil
}

// Lag implements [alerts.Puller]: what the consumer has not been sent, and what is sent and not
// acknowledged. It makes no consumer.
func (p *puller) Lag(ctx context.Context) (int64, error) {
	const op = "ask how many messages wait"
	conn, ctx, err := p.connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	consumer, err := js.Consumer(ctx, p.config.Stream, p.config.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return p.waiting(ctx, js)
	}
	if err != nil {
		return 0, fmt.Errorf("%s for consumer %q of stream %q: %w", op, p.config.Consumer, p.config.Stream, err)
	}
	info := consumer.CachedInfo()
	if err := loses(info.Config); err != nil {
		return 0, fmt.Errorf("consumer %q of stream %q would lose alerts: %w", p.config.Consumer, p.config.Stream, err)
	}
	return int64(info.NumPending) + int64(info.NumAckPending), nil //nolint:gosec // No stream has 2^63 messages.
}

// waiting is how many messages a consumer that is to be made will find.
func (p *puller) waiting(ctx context.Context, js jetstream.JetStream) (int64, error) {
	stream, err := js.Stream(ctx, p.config.Stream)
	if err != nil {
		return 0, fmt.Errorf("ask stream %q how many messages it has: %w", p.config.Stream, err)
	}
	if p.config.Subject == "" {
		return int64(stream.CachedInfo().State.Msgs), nil //nolint:gosec // No stream has 2^63 messages.
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(p.config.Subject))
	if err != nil {
		return 0, fmt.Errorf("ask stream %q how many messages it has: %w", p.config.Stream, err)
	}
	var sum int64
	for _, n := range info.State.Subjects {
		sum += int64(n) //nolint:gosec // No stream has 2^63 messages.
	}
	return sum, nil
}

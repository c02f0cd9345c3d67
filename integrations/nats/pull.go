package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

const (
	connectWithin = 5 * time.Second
	confirmWithin = 10 * time.Second
	// fetchWait is how long the server holds a question for messages that come, and
	// heartbeat how often it shows meanwhile that it is there.
	fetchWait = 10 * time.Second
	heartbeat = 2 * time.Second
	// mostAtOnce bounds the messages of one question. They are held for this process while
	// they wait for their turn, which ackWait bounds: where taking is slow, fewer are asked
	// for.
	mostAtOnce = 64
	fast, slow = time.Second, 5 * time.Second
	ackWait    = time.Minute
	ackPending = 1000
)

// puller implements [alerts.Puller] on a consumer.
type puller struct {
	config  *Config
	options []nats.Option
}

func newPuller(c *Config) (*puller, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	return &puller{config: c, options: options}, nil
}

// Close implements [alerts.Puller]: each call closes its own connection.
func (p *puller) Close() error { return nil }

// connect returns a connection, and a context that ends with it.
func (p *puller) connect(ctx context.Context) (*nats.Conn, context.Context, error) {
	ctx, lost := context.WithCancelCause(ctx)
	options := append(p.options[:len(p.options):len(p.options)], nats.ClosedHandler(func(c *nats.Conn) {
		lost(fmt.Errorf("the connection is lost: %w", errors.Join(nats.ErrConnectionClosed, c.LastError())))
	}))
	conn, err := nats.Connect(strings.Join(p.config.Servers, ","), options...)
	if err != nil {
		lost(err)
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	return conn, ctx, nil
}

// Pull implements [alerts.Puller].
func (p *puller) Pull(ctx context.Context, take alerts.Take) error {
	conn, connected, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	consumer, err := p.consumer(connected, conn)
	if err != nil {
		return err
	}
	for atOnce := 1; ; {
		began := time.Now()
		err := p.fetch(ctx, connected, consumer, atOnce, take)
		switch took := time.Since(began); {
		case ctx.Err() != nil:
			return ctx.Err()
		case connected.Err() != nil:
			return errors.Join(err, context.Cause(connected))
		case err != nil:
			return err
		case took < fast:
			atOnce = min(2*atOnce, mostAtOnce)
		case took > slow:
			atOnce = max(1, atOnce/2)
		}
	}
}

// fetch asks for so many messages and takes them as they come. What is not taken is given
// back at once, so that it need not be waited for.
func (p *puller) fetch(ctx, connected context.Context, consumer jetstream.Consumer, atOnce int, take alerts.Take) error {
	within, cancel := context.WithTimeout(connected, fetchWait)
	defer cancel()
	batch, err := consumer.Fetch(atOnce, jetstream.FetchContext(within), jetstream.FetchHeartbeat(heartbeat))
	if err != nil {
		return fmt.Errorf("fetch from stream %q: %w", p.config.Stream, err)
	}
	var failed error
	for msg := range batch.Messages() {
		came := append([]jetstream.Msg{msg}, here(batch.Messages())...)
		if failed != nil || ctx.Err() != nil {
			giveBack(came)
			continue
		}
		if failed = p.takeAll(ctx, came, take); failed != nil {
			cancel()
		}
	}
	if failed != nil {
		return failed
	}
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) && ctx.Err() == nil {
		return fmt.Errorf("fetch from stream %q: %w", p.config.Stream, err)
	}
	return nil
}

// here are the messages that have come by now.
func here(messages <-chan jetstream.Msg) (came []jetstream.Msg) {
	for {
		select {
		case msg, ok := <-messages:
			if !ok {
				return came
			}
			came = append(came, msg)
		default:
			return came
		}
	}
}

// giveBack has messages come again at once. Where that is lost, they come when their time is
// over.
func giveBack(messages []jetstream.Msg) {
	for _, msg := range messages {
		_ = msg.Nak()
	}
}

// takeAll takes messages and acknowledges those that were taken, also after the context has
// ended. While they are being taken the server is told so.
func (p *puller) takeAll(ctx context.Context, messages []jetstream.Msg, take alerts.Take) error {
	done := make(chan struct{})
	held := make(chan struct{})
	go func() {
		defer close(held)
		hold(messages, done)
	}()
	var bodies [][]byte
	for _, msg := range messages {
		bodies = append(bodies, msg.Data())
	}
	taken, err := take(ctx, bodies)
	close(done)
	<-held
	giveBack(messages[taken:])
	if err != nil {
		err = fmt.Errorf("take a message of stream %q: %w", p.config.Stream, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	for _, msg := range messages[:taken] {
		if lost := msg.DoubleAck(ctx); lost != nil {
			return errors.Join(err, fmt.Errorf("acknowledge a message of stream %q: %w", p.config.Stream, lost))
		}
	}
	return err
}

// hold tells the server, until done, that messages are being taken.
func hold(messages []jetstream.Msg, done <-chan struct{}) {
	tick := time.NewTicker(ackWait / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, msg := range messages {
				_ = msg.InProgress() // Where that is lost, the message may come twice.
			}
		case <-done:
			return
		}
	}
}

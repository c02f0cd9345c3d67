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
		if failed != nil || ctx.Err() != nil {
			_ = msg.Nak() // Where that is lost, it comes when its time is over.
			continue
		}
		if failed = p.takeOne(ctx, msg, take); failed != nil {
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

// takeOne takes a message and acknowledges it, also after the context has ended. While it is
// being taken the server is told so.
func (p *puller) takeOne(ctx context.Context, msg jetstream.Msg, take alerts.Take) error {
	done := make(chan struct{})
	held := make(chan struct{})
	go func() {
		defer close(held)
		hold(msg, done)
	}()
	err := take(ctx, msg.Data())
	close(done)
	<-held
	if err != nil {
		_ = msg.Nak() // Where that is lost, it comes when its time is over.
		return fmt.Errorf("take a message of stream %q: %w", p.config.Stream, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmWithin)
	defer cancel()
	if err := msg.DoubleAck(ctx); err != nil {
		return fmt.Errorf("acknowledge a message of stream %q: %w", p.config.Stream, err)
	}
	return nil
}

// hold tells the server, until done, that a message is being taken.
func hold(msg jetstream.Msg, done <-chan struct{}) {
	tick := time.NewTicker(ackWait / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = msg.InProgress() // Where that is lost, the message may come twice.
		case <-done:
			return
		}
	}
}

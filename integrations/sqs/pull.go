package sqs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

const (
	// receiveMost and receiveWait are the most that SQS gives and waits for.
	receiveMost  = 10
	receiveWait  = 20 * time.Second
	answerWithin = 10 * time.Second
	// mostRefused is after how many messages that are not taken no other is tried.
	mostRefused = 3
)

// puller implements [alerts.Puller] on a queue.
type puller struct {
	client  *sqs.Client
	idle    func()
	url     string
	hidden  time.Duration
	ordered bool
}

func newPuller(ctx context.Context, c *Config) (*puller, error) {
	client, idle, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	return &puller{client: client, idle: idle, url: c.QueueURL, hidden: c.Hidden, ordered: c.ordered()}, nil
}

// Close implements [alerts.Puller].
func (p *puller) Close() error {
	p.idle()
	return nil
}

// Pull implements [alerts.Puller].
func (p *puller) Pull(ctx context.Context, take alerts.Take) error {
	for {
		received, err := p.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &p.url, MaxNumberOfMessages: receiveMost, WaitTimeSeconds: int32(receiveWait.Seconds()), VisibilityTimeout: int32(p.hidden.Seconds()),
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameMessageGroupId},
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("receive from the queue: %w", err)
		}
		if err := p.takeAll(ctx, received.Messages, take); err != nil {
			return err
		}
	}
}

// batch is what one call received.
type batch struct {
	mu sync.Mutex
	// open are those that are not done with, by their place.
	open map[int]types.Message
	// taken are those to delete.
	taken map[int]types.Message
	errs  []error
}

// takeAll takes the messages, deletes those that were taken, and gives the others back at once.
func (p *puller) takeAll(ctx context.Context, received []types.Message, take alerts.Take) error {
	b := &batch{open: map[int]types.Message{}, taken: map[int]types.Message{}}
	for i, m := range received {
		b.open[i] = m
	}
	done, held := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(held)
		p.hide(ctx, b, done)
	}()
	var working sync.WaitGroup
	for _, lane := range p.lanes(received) {
		working.Go(func() {
			p.takeLane(ctx, b, received, lane, take)
		})
	}
	working.Wait()
	close(done)
	<-held
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancel()
	err := errors.Join(errors.Join(b.errs...), p.remove(within, b.taken))
	if len(b.open) > 0 {
		// Where that fails, they come when their time is over.
		p.visible(within, b.open, 0)
	}
	return errors.Join(err, ctx.Err())
}

// takeLane takes messages that came together. Of a queue that keeps no order, one that is not
// taken does not hold up those behind it: SQS counts how often each comes, and moves it to the
// dead-letter queue in the end. Where several are not taken, the engine is down.
func (p *puller) takeLane(ctx context.Context, b *batch, received []types.Message, lane []int, take alerts.Take) {
	for refused := 0; len(lane) > 0 && ctx.Err() == nil; refused++ {
		if p.ordered && refused > 0 || refused == mostRefused {
			return
		}
		var bodies [][]byte
		for _, i := range lane {
			bodies = append(bodies, []byte(aws.ToString(received[i].Body)))
		}
		taken, err := take(ctx, bodies)
		b.took(lane, taken, err)
		lane = lane[min(taken+1, len(lane)):]
	}
}

// lanes are the places of messages that are taken together, in their order.
func (p *puller) lanes(received []types.Message) [][]int {
	var lanes [][]int
	group := map[string]int{}
	for i, m := range received {
		name := ""
		if p.ordered {
			name = m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)]
		}
		if at, ok := group[name]; ok {
			lanes[at] = append(lanes[at], i)
			continue
		}
		group[name] = len(lanes)
		lanes = append(lanes, []int{i})
	}
	return lanes
}

// took notes what became of the messages of a lane.
func (b *batch) took(lane []int, taken int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		// All may be taken, and something else may have failed.
		first := b.open[lane[min(taken, len(lane)-1)]]
		b.errs = append(b.errs, fmt.Errorf("take message %s: %w", aws.ToString(first.MessageId), err))
	}
	for _, i := range lane[:taken] {
		b.taken[i] = b.open[i]
		delete(b.open, i)
	}
}

// all are the messages that are to stay hidden.
func (b *batch) all() map[int]types.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[int]types.Message{}
	for _, of := range []map[int]types.Message{b.open, b.taken} {
		for i, m := range of {
			all[i] = m
		}
	}
	return all
}

// remove deletes messages.
func (p *puller) remove(ctx context.Context, messages map[int]types.Message) error {
	if len(messages) == 0 {
		return nil
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &p.url}
	for i, m := range messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	out, err := p.client.DeleteMessageBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("delete messages that were taken: %w", err)
	}
	if len(out.Failed) > 0 {
		return fmt.Errorf("delete messages that were taken: %d of %d were not: %s", len(out.Failed), len(messages), aws.ToString(out.Failed[0].Code))
	}
	return nil
}

// hide keeps the messages hidden until done.
func (p *puller) hide(ctx context.Context, b *batch, done <-chan struct{}) {
	tick := time.NewTicker(p.hidden / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// Where that fails, a message may come twice.
			p.visible(context.WithoutCancel(ctx), b.all(), p.hidden)
		case <-done:
			return
		}
	}
}

// visible has messages come again after a time.
func (p *puller) visible(ctx context.Context, messages map[int]types.Message, after time.Duration) {
	in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &p.url}
	for i, m := range messages {
		in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: int32(after.Seconds()),
		})
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	_, _ = p.client.ChangeMessageVisibilityBatch(ctx, in)
}

// Lag implements [alerts.Puller]: messages that wait, that were received and not deleted, and
// that are delayed. SQS says each approximately.
func (p *puller) Lag(ctx context.Context) (int64, error) {
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := p.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &p.url, AttributeNames: names})
	if err != nil {
		return 0, fmt.Errorf("ask how many messages wait: %w", err)
	}
	var sum int64
	for _, name := range names {
		n, err := strconv.ParseInt(out.Attributes[string(name)], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("ask how many messages wait: the attribute %s is no number", name)
		}
		sum += n
	}
	return sum, nil
}

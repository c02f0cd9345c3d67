package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

const (
	// mostAtOnce bounds the records of one poll. All of them are taken before the group may
	// give a partition to another member, which waits a minute for that: where taking is
	// slow, fewer are polled.
	mostAtOnce     = 256
	fast, slow     = time.Second, 5 * time.Second
	partitionsBusy = 8

	// What is fetched ahead, and what a batch may expand to.
	fetchBytes     = 8 << 20
	partitionBytes = 1 << 20
	expandedBytes  = 64 << 20

	// fetchWait is how long a broker holds a question for records that come.
	fetchWait    = 500 * time.Millisecond
	commitWithin = 10 * time.Second
)

// puller implements [alerts.Puller] on a topic.
type puller struct {
	settings
	// asker asks how much waits.
	asker *kgo.Client
}

func newPuller(s settings) (*puller, error) {
	s.options = append(s.options, kgo.ClientID("stanch"), kgo.DisableClientMetrics())
	asker, err := kgo.NewClient(append(s.options[:len(s.options):len(s.options)], kgo.RequestRetries(1), kgo.RetryTimeout(askWithin))...)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return &puller{settings: s, asker: asker}, nil
}

// Close implements [alerts.Puller].
func (p *puller) Close() error {
	p.asker.Close()
	return nil
}

// Pull implements [alerts.Puller]. Each call is a member of the group of its own, which leaves
// at the end: what it has not committed goes to the next member.
func (p *puller) Pull(ctx context.Context, take alerts.Take) error {
	member, err := kgo.NewClient(append(p.options[:len(p.options):len(p.options)],
		kgo.ConsumerGroup(p.group), kgo.ConsumeTopics(p.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.FetchMaxWait(fetchWait), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(partitionBytes), kgo.MaxDecompressBatchBytes(expandedBytes),
	)...)
	if err != nil {
		return fmt.Errorf("join group %q: %w", p.group, err)
	}
	defer member.CloseAllowingRebalance()
	for atOnce := 1; ; {
		fetched := member.PollRecords(ctx, atOnce)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("fetch from topic %q: %w", p.topic, err)
		}
		began := time.Now()
		taken, err := takeAll(ctx, fetched, take)
		if err := errors.Join(err, p.commit(ctx, member, taken)); err != nil {
			return err
		}
		member.AllowRebalance()
		switch took := time.Since(began); {
		case took < fast:
			atOnce = min(2*atOnce, mostAtOnce)
		case took > slow:
			atOnce = max(1, atOnce/2)
		}
	}
}

// takeAll takes the records of each partition in their order, those of several partitions at
// once, and returns of each the last that was taken. At an error nothing further is begun.
func takeAll(ctx context.Context, fetched kgo.Fetches, take alerts.Take) ([]*kgo.Record, error) {
	var stop atomic.Bool
	var mu sync.Mutex
	var taken []*kgo.Record
	var errs []error
	busy := make(chan struct{}, partitionsBusy)
	var working sync.WaitGroup
	fetched.EachPartition(func(of kgo.FetchTopicPartition) {
		busy <- struct{}{}
		working.Go(func() {
			defer func() { <-busy }()
			last, err := takeInOrder(ctx, of.Records, take, &stop)
			mu.Lock()
			defer mu.Unlock()
			if last != nil {
				taken = append(taken, last)
			}
			if err != nil {
				errs = append(errs, err)
			}
		})
	})
	working.Wait()
	return taken, errors.Join(errs...)
}

// takeInOrder takes the records of a partition, and returns the last that was taken with all
// before it.
func takeInOrder(ctx context.Context, records []*kgo.Record, take alerts.Take, stop *atomic.Bool) (last *kgo.Record, err error) {
	if stop.Load() || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var bodies [][]byte
	for _, record := range records {
		if record.Value != nil {
			bodies = append(bodies, record.Value)
		}
	}
	taken := 0
	if len(bodies) > 0 {
		taken, err = take(ctx, bodies)
	}
	for _, record := range records {
		if record.Value != nil {
			if taken == 0 {
				stop.Store(true)
				return last, fmt.Errorf("take the record at offset %d of partition %d: %w", record.Offset, record.Partition, err)
			}
			taken--
		}
		last = record
	}
	return last, nil
}

// commit notes at the broker what was taken, also after the context has ended.
func (p *puller) commit(ctx context.Context, member *kgo.Client, taken []*kgo.Record) error {
	if len(taken) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWithin)
	defer cancel()
	if err := member.CommitRecords(ctx, taken...); err != nil {
		return fmt.Errorf("commit to group %q: %w", p.group, err)
	}
	return nil
}

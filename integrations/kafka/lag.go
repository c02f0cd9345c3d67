package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askWithin bounds the retries of one question.
const askWithin = 5 * time.Second

// Times that stand for the ends of a partition.
const (
	oldest int64 = -2
	newest int64 = -1
)

// Lag implements [alerts.Puller]: how many records the group has not committed, over all
// partitions.
func (p *puller) Lag(ctx context.Context) (int64, error) {
	const op = "ask how many records wait"
	partitions, err := p.partitions(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	committed, err := p.committed(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	first, err := p.offsets(ctx, partitions, oldest)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	next, err := p.offsets(ctx, partitions, newest)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	var lag int64
	for _, partition := range partitions {
		from := first[partition]
		if at, ok := committed[partition]; ok {
			from = max(from, at)
		}
		lag += max(0, next[partition]-from)
	}
	return lag, nil
}

// partitions lists those of the topic.
func (p *puller) partitions(ctx context.Context) ([]int32, error) {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(p.topic)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, p.asker)
	if err != nil {
		return nil, err
	}
	var partitions []int32
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("topic %q: %w", p.topic, err)
		}
		for _, partition := range t.Partitions {
			partitions = append(partitions, partition.Partition)
		}
	}
	if len(partitions) == 0 {
		return nil, fmt.Errorf("topic %q has no partitions", p.topic)
	}
	return partitions, nil
}

// committed is what the group has of each partition; one of which it has nothing is missing.
func (p *puller) committed(ctx context.Context) (map[int32]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = p.group
	resp, err := req.RequestWith(ctx, p.asker)
	if err != nil {
		return nil, err
	}
	committed := map[int32]int64{}
	if err := kerr.ErrorForCode(resp.ErrorCode); errors.Is(err, kerr.GroupIDNotFound) {
		return committed, nil // Nobody has joined it yet.
	} else if err != nil {
		return nil, fmt.Errorf("group %q: %w", p.group, err)
	}
	for _, t := range resp.Topics {
		if t.Topic != p.topic {
			continue
		}
		for _, partition := range t.Partitions {
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				return nil, fmt.Errorf("group %q, partition %d: %w", p.group, partition.Partition, err)
			}
			if partition.Offset >= 0 {
				committed[partition.Partition] = partition.Offset
			}
		}
	}
	return committed, nil
}

// offsets are those of one end of the partitions.
func (p *puller) offsets(ctx context.Context, partitions []int32, end int64) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = p.topic
	for _, partition := range partitions {
		of := kmsg.NewListOffsetsRequestTopicPartition()
		of.Partition, of.Timestamp = partition, end
		topic.Partitions = append(topic.Partitions, of)
	}
	req.Topics = append(req.Topics, topic)
	offsets := map[int32]int64{}
	// Each broker is asked for the partitions that it leads.
	for _, shard := range p.asker.RequestSharded(ctx, req) {
		if err := read(shard, offsets); err != nil {
			return nil, err
		}
	}
	if len(offsets) < len(partitions) {
		return nil, fmt.Errorf("topic %q: offsets of %d of %d partitions are known", p.topic, len(offsets), len(partitions))
	}
	return offsets, nil
}

// read adds the offsets of one broker's answer.
func read(shard kgo.ResponseShard, to map[int32]int64) error {
	if shard.Err != nil {
		return shard.Err
	}
	resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
	if !ok {
		return errors.New("the broker answered something else than offsets")
	}
	for _, t := range resp.Topics {
		for _, partition := range t.Partitions {
			if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", partition.Partition, err)
			}
			to[partition.Partition] = partition.Offset
		}
	}
	return nil
}

package engine

import (
	"context"
	"fmt"
	"net/url"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// KeptAs is why something that started nothing is kept.
type KeptAs string

// What is rejected waits to be read again, what is recorded asks for no response.
const (
	AsRejected KeptAs = "rejected"
	AsRecorded KeptAs = "recorded"
)

// Kept is how much is kept of a source.
type Kept struct {
	Number int
	// Bytes are those of the bodies; of what is recorded they are not counted, as each is
	// short.
	Bytes int64
}

// MostKept is how much of a source is kept as that at most, in records and in bytes.
func MostKept(as KeptAs) (number int, bytes int64) {
	if as == AsRecorded {
		return 10_000, 1 << 62
	}
	return maxListed, 64 << 20
}

// bytesMemo is the memo in which a record has how long its body is.
const bytesMemo = "bytes"

// keptAttributes are the search attributes of what is kept of a source.
func keptAttributes(source string, as KeptAs) map[string]string {
	return map[string]string{protocol.AttrKind: protocol.RejectedWorkflow, protocol.AttrSubject: url.PathEscape(source), protocol.AttrStatus: string(as)}
}

// Kept counts what is kept of a source. What an earlier version kept is not in it.
func (c *Client) Kept(ctx context.Context, source string, as KeptAs) (Kept, error) {
	query := fmt.Sprintf("%s = '%s' AND %s = '%s' AND %s = '%s' AND ExecutionStatus = 'Running'",
		protocol.AttrKind, protocol.RejectedWorkflow, protocol.AttrSubject, url.PathEscape(source), protocol.AttrStatus, as)
	if as == AsRecorded {
		got, err := c.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: c.namespace, Query: query})
		if err != nil {
			return Kept{}, fmt.Errorf("count %s: %w", query, err)
		}
		return Kept{Number: int(got.GetCount())}, nil
	}
	infos, _, err := c.list(ctx, query, maxListed)
	if err != nil {
		return Kept{}, err
	}
	kept := Kept{Number: len(infos)}
	for _, info := range infos {
		var bytes int64
		if payload, ok := info.GetMemo().GetFields()[bytesMemo]; ok {
			if err := c.payloads.FromPayload(payload, &bytes); err != nil {
				return Kept{}, fmt.Errorf("decode how long the body of %s is: %w", info.GetExecution().GetWorkflowId(), err)
			}
		}
		kept.Bytes += bytes
	}
	return kept, nil
}

package engine

import (
	"context"
	"fmt"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/report"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxReported bounds the cases of a report. reportPage is how many are listed and
	// read at a time, and so held in memory.
	maxReported = 100_000
	reportPage  = 100
)

// Report adds up the cases that were open between two times. Their records are read
// until a deadline: of those that are left then, the list alone is counted.
func (c *Client) Report(ctx context.Context, since, until, readUntil time.Time) (api.Report, error) {
	b := report.New(since, until)
	reading, cancel := context.WithDeadline(ctx, readUntil)
	defer cancel()
	standing, err := c.Leases(reading)
	if err != nil {
		return api.Report{}, err
	}
	// A case that ends between the two lists is in both.
	const cases = protocol.AttrKind + " = 'case' AND ExecutionStatus "
	seen, left := map[string]bool{}, maxReported
	for _, query := range []string{
		cases + "= 'Running'",
		cases + "!= 'Running' AND ExecutionStatus != 'ContinuedAsNew' AND CloseTime >= '" + since.UTC().Format(time.RFC3339Nano) + "'",
	} {
		if err := c.addCases(ctx, reading, b, query, seen, &left); err != nil {
			return api.Report{}, err
		}
	}
	out := b.Report(standing)
	out.More = left < 0
	kept, err := c.retention(ctx)
	if err != nil {
		return api.Report{}, err
	}
	if keptSince := until.Add(-kept); keptSince.After(since) {
		out.KeptSince = keptSince
	}
	return out, nil
}

// addCases adds all cases that a query selects. Left counts down how many are still
// taken, and is below zero when there were more.
func (c *Client) addCases(ctx, reading context.Context, b *report.Builder, query string, seen map[string]bool, left *int) error {
	var token []byte
	for {
		page, err := c.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: reportPage, NextPageToken: token})
		if err != nil {
			return fmt.Errorf("list %s: %w", query, err)
		}
		var infos []*workflowpb.WorkflowExecutionInfo
		for _, info := range page.GetExecutions() {
			if run := summaryOf(info).Run; !seen[run] {
				seen[run] = true
				infos = append(infos, info)
			}
		}
		if *left -= len(infos); *left < 0 {
			infos = infos[:len(infos)+*left]
		}
		records := make([]*incident.Case, len(infos))
		SideBySide(len(infos), func(i int) {
			if reading.Err() != nil {
				return
			}
			if record, err := c.record(reading, infos[i]); err == nil {
				records[i] = &record
			}
		})
		for i, info := range infos {
			b.Add(summaryOf(info), records[i])
		}
		if token = page.GetNextPageToken(); len(token) == 0 || *left < 0 {
			return nil
		}
	}
}

// retention is how long the engine keeps closed cases.
func (c *Client) retention(ctx context.Context) (time.Duration, error) {
	d, err := c.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.namespace})
	if err != nil {
		return 0, fmt.Errorf("describe namespace %q: %w", c.namespace, err)
	}
	return d.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration(), nil
}

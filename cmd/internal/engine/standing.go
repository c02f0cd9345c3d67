package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// askedAtMost bounds the cases that are asked since when their approvals wait: the oldest.
const askedAtMost = 200

// OtherPlaybook stands for those that are not in force any more.
const OtherPlaybook = "other"

// Standing is what stands now, as numbers.
type Standing struct {
	Cases  map[CasesOf]int64
	Leases map[LeasesOf]int64
	// Problems counts, by action, the leases with a problem, and those that did not answer.
	Problems map[incident.Action]int64
	// Asked is since when approvals wait for people. Unread counts the cases that wait and
	// were not asked, or did not answer.
	Asked  []time.Time
	Unread int64
	// Rejected counts the alerts that wait to be retried.
	Rejected int64
	Paused   bool
}

// CasesOf are the open cases of a playbook in one status.
type CasesOf struct {
	Playbook string
	Status   incident.CaseStatus
}

// LeasesOf are the leases of an action in one phase.
type LeasesOf struct {
	Action incident.Action
	Phase  incident.LeasePhase
}

// Standing counts what stands, of the playbooks by name. It is bounded whatever stands: most are
// counted by the engine's own lists, which lag behind by a moment.
func (c *Client) Standing(ctx context.Context, playbooks []string) (Standing, error) {
	out := Standing{Cases: map[CasesOf]int64{}, Leases: map[LeasesOf]int64{}, Problems: map[incident.Action]int64{}}
	for _, count := range []func(context.Context, *Standing) error{
		func(ctx context.Context, s *Standing) error { return c.countCases(ctx, playbooks, s) },
		c.countLeases, c.readApprovals, c.readProblems,
	} {
		if err := count(ctx, &out); err != nil {
			return out, err
		}
	}
	var err error
	if out.Rejected, err = c.running(ctx, protocol.RejectedWorkflow, "", ""); err != nil {
		return out, err
	}
	budget, err := c.Budget(ctx)
	out.Paused = budget.Paused != nil
	return out, err
}

// running counts the running workflows of a kind, with two search attributes' values.
func (c *Client) running(ctx context.Context, kind, status, more string) (int64, error) {
	query := protocol.AttrKind + " = '" + kind + "' AND ExecutionStatus = 'Running'"
	if status != "" {
		query += " AND " + protocol.AttrStatus + " = '" + status + "'"
	}
	query += more
	got, err := c.temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: c.namespace, Query: query})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", query, err)
	}
	return got.GetCount(), nil
}

func (c *Client) countCases(ctx context.Context, playbooks []string, s *Standing) error {
	for _, status := range []incident.CaseStatus{incident.Working, incident.Awaiting, incident.Contained, incident.Watching} {
		all, err := c.running(ctx, "case", string(status), "")
		if err != nil {
			return err
		}
		for _, name := range playbooks {
			n, err := c.running(ctx, "case", string(status), " AND "+protocol.AttrPlaybook+" = '"+name+"'")
			if err != nil {
				return err
			}
			s.Cases[CasesOf{name, status}] = n
			all -= n
		}
		s.Cases[CasesOf{OtherPlaybook, status}] = max(0, all)
	}
	return nil
}

func (c *Client) countLeases(ctx context.Context, s *Standing) error {
	for _, action := range incident.ActionsWhere(incident.Action.Leased) {
		for _, phase := range []incident.LeasePhase{incident.Applying, incident.Holding, incident.Confirmed, incident.Undoing} {
			n, err := c.running(ctx, "lease", string(phase), " AND "+protocol.AttrAction+" = '"+string(action)+"'")
			if err != nil {
				return err
			}
			s.Leases[LeasesOf{action, phase}] = n
		}
		s.Problems[action] = 0
	}
	return nil
}

// readApprovals asks the cases that wait for people since when they do, the oldest first.
func (c *Client) readApprovals(ctx context.Context, s *Standing) error {
	waiting, err := c.running(ctx, "case", string(incident.Awaiting), "")
	if err != nil || waiting == 0 {
		return err
	}
	list, err := c.Cases(ctx, api.CaseFilter{Status: string(incident.Awaiting), Limit: maxListed})
	if err != nil {
		return err
	}
	oldest := list.Cases[max(0, len(list.Cases)-askedAtMost):]
	var mu sync.Mutex
	read := 0
	SideBySide(len(oldest), func(i int) {
		one, err := c.Case(ctx, oldest[i].ID, oldest[i].Run)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		read++
		for _, a := range one.Approvals {
			if a.State == incident.Pending {
				s.Asked = append(s.Asked, a.AskedAt)
			}
		}
	})
	s.Unread = max(0, waiting-int64(read))
	return nil
}

func (c *Client) readProblems(ctx context.Context, s *Standing) error {
	list, err := c.Leases(ctx)
	if err != nil {
		return err
	}
	for _, l := range list.Leases {
		if l.Problem != "" {
			s.Problems[l.Order.Action]++
		}
	}
	for _, id := range list.Unread {
		s.Problems[actionOf(id)]++
	}
	return nil
}

// actionOf is the action in the id of a lease; see [protocol.LeaseID].
func actionOf(lease string) incident.Action {
	parts := strings.SplitN(lease, "/", 3)
	return incident.Action(parts[min(1, len(parts)-1)])
}

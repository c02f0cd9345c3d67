package wazuh

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// pollEvery is how often a line is looked for, and waitsFor for how long at most.
	pollEvery = 5 * time.Second
	waitsFor  = 90 * time.Second
)

// answered waits for the line of an order with a key and a number.
func (c *Client) answered(ctx context.Context, op string, id agentID, script, key string, number int64) (line, error) {
	end := time.NewTimer(waitsFor)
	defer end.Stop()
	for {
		l, ok, err := c.byKey(ctx, op, id, script, key)
		if err != nil || ok && l.order >= number {
			return l, err
		}
		again := time.NewTimer(c.poll)
		select {
		case <-again.C:
			continue
		case <-end.C:
			err = integrations.Errorf(integrations.Unavailable, op, "the order was sent to the agent, and its script has not reported within %s", waitsFor)
		case <-ctx.Done():
			err = integrations.Errorf(integrations.Unavailable, op, "wait for the script's report: %w", ctx.Err())
		}
		again.Stop()
		return line{}, err
	}
}

// byKey is the newest line of a script with a key. The key is one that was checked.
func (c *Client) byKey(ctx context.Context, op string, id agentID, script, key string) (line, bool, error) {
	lines, err := c.reports(ctx, op, id, script, term("data.stanch.key", key))
	if err != nil {
		return line{}, false, err
	}
	for _, l := range lines {
		if l.key == key {
			return l, true, nil
		}
	}
	return line{}, false, nil
}

// underWay is the newest order of a kind on an agent that may still be carried out, and has
// no line.
func (c *Client) underWay(id agentID, verb string, lines []line) (sentOrder, bool) {
	all := c.sent.unanswered(id, lines, verb)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].open(c.now()) {
			return all[i], true
		}
	}
	return sentOrder{}, false
}

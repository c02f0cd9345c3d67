package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// crowd is how many messages may wait for a channel, or may have been posted
	// in it within crowdWindow, before a digest replaces the others.
	crowd       = 5
	crowdPosted = 10
	crowdWindow = 10 * time.Minute
	// digestEvery bounds how often a digest is brought up to date, digestLines
	// how many messages it names.
	digestEvery = 5 * time.Second
	digestLines = 15
	// maxEntries bounds the messages that a channel holds. A further one is
	// refused, and its case asks elsewhere.
	maxEntries = 2000
	// showWithin is how long one message is tried before its case is told that
	// it does not arrive; the attempts go on.
	showWithin = 30 * time.Second
	// retryFirst and retryLongest bound the pause before a message that did not
	// arrive is tried again; the others go on meanwhile.
	retryFirst   = 2 * time.Second
	retryLongest = time.Minute
	// channelIdle is after how long a channel without messages ends. The next
	// message starts it again.
	channelIdle = time.Hour
)

// channel is one place in a messenger while it runs. It is the place's only
// writer: it keeps to the product's pace, lets what waits for people go first,
// and makes a storm one digest with a thread.
type channel struct {
	in    protocol.ChannelInput
	state *protocol.ChannelState
	// rest is until when the product asks to wait.
	rest time.Time
}

// Channel shows the messages of one place, and keeps them up to date.
func Channel(ctx workflow.Context, in protocol.ChannelInput) error {
	c := &channel{in: in, state: in.State}
	if c.state == nil {
		c.state = &protocol.ChannelState{}
	}
	requests := inbox{hear(ctx, protocol.ShowSignal, c.take)}
	requests.open(ctx)
	for {
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			requests.drain(ctx)
			in.State = c.state
			return workflow.NewContinueAsNewError(ctx, Channel, in)
		}
		idle, err := await(ctx, c.patience(ctx), func() bool { return c.busy(ctx) })
		if err != nil {
			return err
		}
		if !idle && len(c.state.Entries) == 0 {
			requests.drain(ctx)
			if len(c.state.Entries) == 0 {
				return nil
			}
		}
		c.next(ctx)
	}
}

// patience is how long the channel waits for something to do.
func (c *channel) patience(ctx workflow.Context) time.Duration {
	left := channelIdle
	if c.state.Digest != nil && c.state.Digest.Dirty {
		left = digestEvery
	}
	for _, e := range c.state.Entries {
		if due := e.NotBefore.Sub(workflow.Now(ctx)); due > 0 {
			left = min(left, due)
		}
	}
	return left
}

// take notes what a case wants shown.
func (c *channel) take(ctx workflow.Context, req protocol.ShowRequest) {
	at := slices.IndexFunc(c.state.Entries, func(e protocol.ChannelEntry) bool { return e.Key == req.Key })
	if at >= 0 {
		e := &c.state.Entries[at]
		e.Open, e.Last, e.Title, e.Severity, e.Dirty = req.Open, req.Last, req.Title, req.Severity, true
		if req.Chart && !e.Chart {
			e.Chart = true
		}
		c.listChanged(e)
		return
	}
	if !req.Open && req.Kind == incident.ShownQuestion {
		// What is over and was never shown, or will not change any more, needs no
		// message.
		return
	}
	if len(c.state.Entries) >= maxEntries {
		c.tell(ctx, req, protocol.ShownChange{Problem: fmt.Sprintf("the channel holds %d messages already", maxEntries)})
		return
	}
	c.state.Entries = append(c.state.Entries, protocol.ChannelEntry{ShowRequest: req})
}

func (c *channel) listChanged(e *protocol.ChannelEntry) {
	if e.Listed && c.state.Digest != nil {
		c.state.Digest.Dirty = true
	}
}

// busy reports whether there is something to do now.
func (c *channel) busy(ctx workflow.Context) bool {
	return c.digestDue(ctx) || c.pick(ctx) >= 0
}

// next does what is most urgent, and then waits for as
// long as the product asked.
func (c *channel) next(ctx workflow.Context) {
	if left := c.rest.Sub(workflow.Now(ctx)); left > 0 {
		_ = workflow.Sleep(ctx, left)
	}
	if c.crowded(ctx) {
		c.open(ctx)
	}
	if c.digestDue(ctx) {
		c.summarise(ctx)
		return
	}
	at := c.pick(ctx)
	if at < 0 {
		return
	}
	e := &c.state.Entries[at]
	if e.Receipt != nil && !e.Dirty {
		c.illustrate(ctx, e.Key)
		return
	}
	c.show(ctx, e.Key)
}

// pick returns the entry that goes next: what waits for people and was never
// shown, the severest first; then what has changed; then notices; then
// charts. -1 when there is none.
func (c *channel) pick(ctx workflow.Context) int {
	best, bestRank := -1, 0
	for i, e := range c.state.Entries {
		if rank := rankOf(e); rank > bestRank && !workflow.Now(ctx).Before(e.NotBefore) {
			best, bestRank = i, rank
		}
	}
	return best
}

func rankOf(e protocol.ChannelEntry) int {
	severity := 1 + slices.Index([]string{"low", "medium", "high", "critical"}, e.Severity)
	switch {
	case e.Receipt == nil && (e.Open || e.Kind == incident.ShownPage):
		return 300 + severity
	case e.Receipt != nil && e.Dirty:
		return 200 + severity
	case e.Receipt == nil:
		return 100 + severity
	case e.Chart && !e.Drawn:
		return 1
	}
	return 0
}

// crowded reports whether a digest should replace what waits.
func (c *channel) crowded(ctx workflow.Context) bool {
	since := workflow.Now(ctx).Add(-crowdWindow)
	c.state.Posted = slices.DeleteFunc(c.state.Posted, func(t time.Time) bool { return t.Before(since) })
	waiting := 0
	for _, e := range c.state.Entries {
		if alone(e) {
			waiting++
		}
	}
	if waiting == 0 {
		return false
	}
	return waiting > crowd || len(c.state.Posted) >= crowdPosted || c.state.Digest != nil && c.state.Digest.At.After(since)
}

// open lists what waits in the digest, which is begun when there is none that
// is recent.
func (c *channel) open(ctx workflow.Context) {
	since := workflow.Now(ctx).Add(-crowdWindow)
	if c.state.Digest == nil || !c.state.Digest.At.After(since) && !c.listing() {
		c.state.Digests++
		info := workflow.GetInfo(ctx)
		c.state.Digest = &protocol.Digest{
			Key: fmt.Sprintf("%s/%s/digest-%d", info.WorkflowExecution.ID, info.OriginalRunID, c.state.Digests),
		}
	}
	for i := range c.state.Entries {
		if e := &c.state.Entries[i]; alone(*e) {
			e.Listed, c.state.Digest.Dirty = true, true
		}
	}
}

// alone reports whether an entry would be a message of its own in the channel.
func alone(e protocol.ChannelEntry) bool { return e.Receipt == nil && !e.Listed && e.Under == "" }

// listing reports whether the digest still lists a message.
func (c *channel) listing() bool {
	return slices.ContainsFunc(c.state.Entries, func(e protocol.ChannelEntry) bool { return e.Listed })
}

func (c *channel) digestDue(ctx workflow.Context) bool {
	d := c.state.Digest
	return d != nil && d.Dirty && !workflow.Now(ctx).Before(d.At.Add(digestEvery))
}

// summarise sends the digest, and tells the cases in it that they are shown.
func (c *channel) summarise(ctx workflow.Context) {
	d := c.state.Digest
	in := activities.SummariseIn{Use: c.in.Use, Channel: c.in.Channel, Key: d.Key, Receipt: d.Receipt}
	listed := slices.DeleteFunc(slices.Clone(c.state.Entries), func(e protocol.ChannelEntry) bool { return !e.Listed })
	slices.SortStableFunc(listed, func(a, b protocol.ChannelEntry) int { return rankOf(b) - rankOf(a) })
	for _, e := range listed {
		if !e.Open {
			in.Over++
			continue
		}
		in.Waiting++
		if in.Mention == "" {
			in.Mention = e.Mention
		}
		if len(in.First) < digestLines {
			in.First = append(in.First, strings.ToUpper(e.Severity)+" "+e.Title+" · stanch case show "+e.Case)
		}
	}
	if more := in.Waiting - len(in.First); more > 0 {
		in.First = append(in.First, fmt.Sprintf("and %d more: stanch case list --status awaiting", more))
	}
	d.Dirty, d.At = false, workflow.Now(ctx)
	receipt, err := do(ctx, c.in.Queue, showWithin, activities.Summarise, in)
	if err != nil {
		d.Dirty = true
		workflow.GetLogger(ctx).Warn("a digest was not sent", "use", c.in.Use, "channel", c.in.Channel, "error", err)
		for _, e := range listed {
			if e.Receipt == nil {
				c.tell(ctx, e.ShowRequest, protocol.ShownChange{Problem: activities.Reason(err)})
			}
		}
		return
	}
	d.Receipt = &receipt
	c.rest = workflow.Now(ctx).Add(receipt.Rest)
	for _, e := range listed {
		if e.Receipt == nil {
			c.tell(ctx, e.ShowRequest, protocol.ShownChange{At: workflow.Now(ctx), Link: receipt.Detail, Digest: true})
		}
	}
}

// show posts a message or brings it up to date. One that cannot be delivered
// now is tried again later, after the others.
func (c *channel) show(ctx workflow.Context, key string) {
	e := c.entry(key)
	in := activities.ShowIn{
		Use: c.in.Use, Channel: c.in.Channel, Request: e.ShowRequest, Receipt: e.Receipt, Rendered: e.Rendered, Thread: c.thread(*e),
	}
	first := e.Receipt == nil
	e.Dirty = false
	out, err := do(ctx, c.in.Queue, showWithin, activities.Show, in)
	// The list may have grown in the meantime: entries move.
	if e = c.entry(key); e == nil {
		return
	}
	if err != nil {
		c.failed(ctx, e, err)
		return
	}
	c.rest = workflow.Now(ctx).Add(out.Receipt.Rest)
	e.Receipt, e.Rendered, e.Failures, e.NotBefore = &out.Receipt, out.Rendered, 0, time.Time{}
	if first {
		if in.Thread == "" {
			c.state.Posted = append(c.state.Posted, workflow.Now(ctx))
		}
		c.tell(ctx, e.ShowRequest, protocol.ShownChange{At: workflow.Now(ctx), Link: out.Receipt.Detail})
	}
	c.drop(key)
}

// failed tells the case of a message that does not arrive. Where trying again
// is futile the message is given up.
func (c *channel) failed(ctx workflow.Context, e *protocol.ChannelEntry, err error) {
	kind, known := activities.ErrorKind(err)
	futile := known && !kind.Retryable()
	if e.Receipt == nil {
		c.tell(ctx, e.ShowRequest, protocol.ShownChange{Problem: activities.Reason(err), GivenUp: futile})
	}
	if futile {
		c.remove(e.Key)
		return
	}
	e.Dirty = e.Receipt != nil
	e.Failures++
	e.NotBefore = workflow.Now(ctx).Add(min(retryLongest, retryFirst<<min(e.Failures, 10)))
}

// thread is the message under which an entry goes: the one that it names, or
// the digest that lists it.
func (c *channel) thread(e protocol.ChannelEntry) string {
	if under := c.entry(e.Under); under != nil && under.Receipt != nil {
		return under.Receipt.Ref
	}
	if e.Listed && c.state.Digest != nil && c.state.Digest.Receipt != nil {
		return c.state.Digest.Receipt.Ref
	}
	return ""
}

// illustrate puts the chart under a message. Its absence delays nothing.
func (c *channel) illustrate(ctx workflow.Context, key string) {
	e := c.entry(key)
	e.Drawn = true
	receipt, err := do(ctx, c.in.Queue, showWithin, activities.Illustrate,
		activities.IllustrateIn{Use: c.in.Use, Request: e.ShowRequest, Receipt: *e.Receipt})
	if err != nil {
		workflow.GetLogger(ctx).Warn("a chart was not sent", "case", e.Case, "error", err)
		return
	}
	c.rest = workflow.Now(ctx).Add(receipt.Rest)
	c.drop(key)
}

func (c *channel) entry(key string) *protocol.ChannelEntry {
	for i := range c.state.Entries {
		if c.state.Entries[i].Key == key {
			return &c.state.Entries[i]
		}
	}
	return nil
}

// drop forgets a message that will not change any more.
func (c *channel) drop(key string) {
	e := c.entry(key)
	if e == nil || e.Dirty || e.Receipt == nil || e.Chart && !e.Drawn {
		return
	}
	if e.Last || e.Kind != incident.ShownQuestion {
		c.remove(key)
	}
}

func (c *channel) remove(key string) {
	c.state.Entries = slices.DeleteFunc(c.state.Entries, func(e protocol.ChannelEntry) bool {
		if e.Key == key {
			c.listChanged(&e)
		}
		return e.Key == key
	})
}

// tell reports a change of a message to its case. A case that has closed
// need not know.
func (c *channel) tell(ctx workflow.Context, req protocol.ShowRequest, change protocol.ShownChange) {
	change.Key = req.Key
	_ = workflow.SignalExternalWorkflow(ctx, protocol.CaseWorkflowID(req.Case), "", protocol.ShownSignal, change)
}

package slack

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// restAfterPost: one message a second to a channel, and no promise beyond
	// (docs.slack.dev/apis/web-api/rate-limits, "Posting messages").
	restAfterPost = 1100 * time.Millisecond
	// restAfterUpdate: chat.update is of tier 3, fifty a minute for the whole
	// workspace (same page).
	restAfterUpdate = 1200 * time.Millisecond

	maxSent = 2048
	// lookWithin bounds what a message is not held up for.
	lookWithin = 3 * time.Second
)

// delivery is what is known of a message by its key.
type delivery struct {
	turn
	// receipt is set once it was delivered.
	receipt incident.Receipt
	// unsure is since when it may have been delivered without that.
	unsure time.Time
}

func newDelivery() *delivery { return &delivery{turn: newTurn()} }

// Post implements [integrations.Messenger]. A message is recognised by the
// digest of its key, which it carries: before it is posted, the recent messages
// of the place are searched for it. Where the app may not read them, a message
// whose answer was lost is posted twice.
func (a *App) Post(ctx context.Context, m integrations.Message) (incident.Receipt, error) {
	r := writing("post to %s", m.Channel)
	if m.Key == "" || strings.TrimSpace(m.Channel) == "" {
		return incident.Receipt{}, r.invalid("the message needs a key and a channel")
	}
	d := a.sent.of(m.Key, newDelivery)
	if err := d.take(ctx); err != nil {
		return incident.Receipt{}, r.failed(err)
	}
	defer d.give()
	if d.receipt.Ref != "" {
		again := d.receipt
		again.Rest = 0
		return again, nil
	}
	channel, err := a.place(ctx, m.Channel)
	if err != nil {
		return incident.Receipt{}, err
	}
	shown, err := a.render(ctx, m)
	if err != nil {
		return incident.Receipt{}, err
	}
	thread, err := threadOf(r, m.Thread, channel)
	if err != nil {
		return incident.Receipt{}, err
	}
	ts, err := a.lost(ctx, d, channel, thread, shown.Metadata)
	if err != nil {
		return incident.Receipt{}, err
	}
	var rest time.Duration
	if ts == "" {
		if ts, err = a.postOnce(ctx, r, d, m.Channel, channel, thread, append(content(shown), quietly())); err != nil {
			return incident.Receipt{}, err
		}
		rest = restAfterPost
	}
	d.receipt = incident.Receipt{Ref: channel + "/" + ts, At: moment(ts), Detail: a.link(ctx, channel, ts), Rest: rest}
	a.threads.set(d.receipt.Ref, thread)
	return d.receipt, nil
}

// lost searches for a message that was posted without our knowing it. When that
// is only possible, and not known to have happened, failing to search does not
// hold the message up.
func (a *App) lost(ctx context.Context, d *delivery, channel, thread string, mark slack.SlackMetadata) (string, error) {
	s := search{channel: channel, thread: thread, since: d.unsure.Add(-skew), pages: maxSearch}
	if d.unsure.IsZero() {
		s.since, s.pages = a.now().Add(-lookBack), 1
		within, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		ctx = within
	}
	ts, err := a.find(ctx, s, func(m slack.Message) bool { return carries(m, mark) })
	if err != nil && !d.unsure.IsZero() && !is(err, integrations.Denied) {
		return "", err
	}
	return ts, nil
}

// postOnce posts, and notes when that may have happened without an answer.
func (a *App) postOnce(
	ctx context.Context, r request, d *delivery, name, channel, thread string, options []slack.MsgOption,
) (string, error) {
	if thread != "" {
		options = append(options, slack.MsgOptionTS(thread))
	}
	began := a.now()
	_, ts, err := a.api.PostMessageContext(ctx, channel, options...)
	if err == nil && ts == "" {
		err = integrations.Errorf(integrations.Ambiguous, r.op, "the answer names no message")
	}
	if err = r.failed(err); err == nil {
		return ts, nil
	}
	if is(err, integrations.Ambiguous) && d.unsure.IsZero() {
		d.unsure = began
	}
	if is(err, integrations.NotFound) {
		// The name may be another channel's by now.
		a.places.forget(strings.TrimSpace(name))
	}
	return "", err
}

// Update implements [integrations.Updater].
func (a *App) Update(ctx context.Context, at incident.Receipt, m integrations.Message) (incident.Receipt, error) {
	r := writing("update the message %s", at.Ref)
	channel, ts, err := splitRef(r, at.Ref)
	if err != nil {
		return incident.Receipt{}, err
	}
	if m.Key == "" {
		return incident.Receipt{}, r.invalid("the message needs a key")
	}
	shown, err := a.render(ctx, m)
	if err != nil {
		return incident.Receipt{}, err
	}
	_, got, _, err := a.api.UpdateMessageContext(ctx, channel, ts, content(shown)...)
	if err == nil && got == "" {
		err = integrations.Errorf(integrations.Ambiguous, r.op, "the answer names no message")
	}
	if err != nil {
		return incident.Receipt{}, r.failed(err)
	}
	at.At, at.Rest = a.now().UTC(), restAfterUpdate
	return at, nil
}

// render is a message as people see it. Whom it should call and cannot, it says.
func (a *App) render(ctx context.Context, m integrations.Message) (blocks.Rendered, error) {
	mention, missing, err := a.mention(ctx, m.Mention)
	if err != nil {
		return blocks.Rendered{}, err
	}
	shown := blocks.Render(m, mention)
	if len(missing) > 0 {
		text := cut("Could not be called: "+strings.Join(missing, ", ")+".", maxReply)
		note := slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, text, false, false), nil, nil)
		shown.Blocks = slices.Insert(shown.Blocks, min(1, len(shown.Blocks)), slack.Block(note))
	}
	return shown, nil
}

// content is what posting and updating have in common. Nothing in the text is
// made a link or a call: Slack reads only the markup that is there.
func content(shown blocks.Rendered) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(shown.Text, false), slack.MsgOptionBlocks(shown.Blocks...), slack.MsgOptionParse(false),
		slack.MsgOptionMetadata(shown.Metadata),
	}
}

// quietly has Slack make nothing of a text: no previews, no formatting.
func quietly() slack.MsgOption {
	return slack.MsgOptionCompose(
		slack.MsgOptionParse(false), slack.MsgOptionLinkNames(false), slack.MsgOptionDisableMarkdown(),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	)
}

// link is the address of a message. Without it people find it all the same.
func (a *App) link(ctx context.Context, channel, ts string) string {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	link, err := a.api.GetPermalinkContext(ctx, &slack.PermalinkParameters{Channel: channel, Ts: ts})
	if err != nil {
		return ""
	}
	return link
}

// splitRef reads a receipt's ref, CHANNEL/TS.
func splitRef(r request, ref string) (channel, ts string, err error) {
	channel, ts, _ = strings.Cut(ref, "/")
	if !isID(channel, "CGD") || moment(ts).IsZero() {
		return "", "", r.invalid("the receipt %q is not of a Slack message", ref)
	}
	return channel, ts, nil
}

// threadOf is the timestamp of the message under which another goes. It must be
// in the same conversation, for Slack would take any other for none.
func threadOf(r request, ref, channel string) (string, error) {
	if ref == "" {
		return "", nil
	}
	where, ts, err := splitRef(r, ref)
	if err != nil {
		return "", err
	}
	if where != channel {
		return "", r.invalid("the thread %q is in another conversation", ref)
	}
	return ts, nil
}

// moment is the time of a message's timestamp, or zero when it is invalid.
func moment(ts string) time.Time {
	seconds, micros, ok := strings.Cut(ts, ".")
	s, err := strconv.ParseUint(seconds, 10, 40)
	us, bad := strconv.ParseUint(micros, 10, 20)
	if !ok || err != nil || bad != nil || len(micros) != 6 {
		return time.Time{}
	}
	return time.Unix(int64(s), int64(us)*int64(time.Microsecond)).UTC()
}

// timestamp is a time as Slack compares messages with it.
func timestamp(t time.Time) string { return fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000) }

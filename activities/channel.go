package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/account"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ChannelInput starts the workflow of one place in a messenger, or goes on with
// it. It is the place's only writer.
type ChannelInput struct {
	Use     string `json:"use"`
	Channel string `json:"channel"`
	// Queue is the task queue of the integration, if it has one of its own.
	Queue string        `json:"queue,omitempty"`
	State *ChannelState `json:"state,omitempty"`
}

// ChannelWorkflowID is the workflow id of a place in a messenger.
func ChannelWorkflowID(use, channel string) string { return "channel/" + use + "/" + channel }

// ShowRequest asks a channel to show a message about a case, or to show it
// again as the case stands now.
type ShowRequest struct {
	// Key identifies the message: the same again brings it up to date.
	Key string `json:"key"`
	// Case and Run are the case that it is about.
	Case     string             `json:"case"`
	Run      string             `json:"run"`
	Kind     incident.ShownKind `json:"kind"`
	Approval int                `json:"approval,omitempty"`
	Mention  string             `json:"mention,omitempty"`
	Severity string             `json:"severity,omitempty"`
	// Title is the message in one line, as a digest lists it.
	Title string `json:"title"`
	// Under is the message of the same channel under which it goes.
	Under string `json:"under,omitempty"`
	// Open tells that it waits for people, Last that the case will not ask
	// again, Chart that the case has a chart for it.
	Open  bool `json:"open,omitempty"`
	Last  bool `json:"last,omitempty"`
	Chart bool `json:"chart,omitempty"`
}

// ShownChange tells a case what became of a message.
type ShownChange struct {
	Key     string    `json:"key"`
	At      time.Time `json:"at,omitzero"`
	Link    string    `json:"link,omitempty"`
	Digest  bool      `json:"digest,omitempty"`
	Problem string    `json:"problem,omitempty"`
	// GivenUp tells that it is not tried any more.
	GivenUp bool `json:"given_up,omitempty"`
}

// ChannelState is what a channel carries into its next run.
type ChannelState struct {
	Entries []ChannelEntry `json:"entries,omitempty"`
	// Posted are the times of the last messages in the channel itself, by which
	// a storm is told.
	Posted []time.Time `json:"posted,omitempty"`
	Digest *Digest     `json:"digest,omitempty"`
	// Digests counts them, for their keys.
	Digests int `json:"digests,omitempty"`
}

// ChannelEntry is one message of a channel.
type ChannelEntry struct {
	ShowRequest
	// Receipt is set once it was posted; Rendered is the digest of what it shows.
	Receipt  *incident.Receipt `json:"receipt,omitempty"`
	Rendered string            `json:"rendered,omitempty"`
	// Dirty tells that the case has changed since, Listed that it stands in the
	// digest, Drawn that its chart was sent or cannot be.
	Dirty  bool `json:"dirty,omitempty"`
	Listed bool `json:"listed,omitempty"`
	Drawn  bool `json:"drawn,omitempty"`
	// Failures counts the tries that failed, NotBefore is when the next is due.
	Failures  int       `json:"failures,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

// Digest is the one message that stands for many in a storm.
type Digest struct {
	Key     string            `json:"key"`
	Receipt *incident.Receipt `json:"receipt,omitempty"`
	// Dirty tells that its list has changed, At when it was last sent.
	Dirty bool      `json:"dirty,omitempty"`
	At    time.Time `json:"at"`
}

// The activities of a channel, and the one by which a case speaks to it.
var (
	Send       = Ref[SendIn, struct{}]{"send"}
	Show       = Ref[ShowIn, ShowOut]{"show"}
	Illustrate = Ref[IllustrateIn, incident.Receipt]{"illustrate"}
	Summarise  = Ref[SummariseIn, incident.Receipt]{"digest"}
)

// SendIn hands a request to a channel, which is started when it does not run.
type SendIn struct {
	Channel ChannelInput `json:"channel"`
	Request ShowRequest  `json:"request"`
}

func (a *Activities) send(ctx context.Context, in SendIn) (struct{}, error) {
	return struct{}{}, a.Engine.SignalWithStart(ctx, Call{
		Workflow: ChannelWorkflow, ID: ChannelWorkflowID(in.Channel.Use, in.Channel.Channel), Input: in.Channel,
		Attributes: map[string]string{AttrKind: ChannelWorkflow}, Signal: ShowSignal, Arg: in.Request,
	})
}

// ShowIn is a message as the channel knows it.
type ShowIn struct {
	Use     string      `json:"use"`
	Channel string      `json:"channel"`
	Request ShowRequest `json:"request"`
	// Thread is the message under which it is posted.
	Thread string `json:"thread,omitempty"`
	// Receipt is set when it was posted before; then it is brought up to date,
	// unless it shows Rendered and still would.
	Receipt  *incident.Receipt `json:"receipt,omitempty"`
	Rendered string            `json:"rendered,omitempty"`
}

// ShowOut is where the message stands and the digest of what it shows.
type ShowOut struct {
	Receipt  incident.Receipt `json:"receipt"`
	Rendered string           `json:"rendered"`
}

// show reads the case as it stands now and posts its message, or brings it up
// to date: what is shown is a pure function of the case.
func (a *Activities) show(ctx context.Context, in ShowIn) (ShowOut, error) {
	messenger, err := use[integrations.Messenger](a, in.Use)
	if err != nil {
		return ShowOut{}, err
	}
	c, err := a.Engine.Case(ctx, in.Request.Case, in.Request.Run)
	if err != nil {
		return ShowOut{}, err
	}
	m := MessageOf(c, in.Request)
	m.Channel, m.Thread = in.Channel, in.Thread
	if a.PublicURL != "" {
		m.URL = a.PublicURL + m.URL
		if m.Card != nil {
			m.Card.URL = m.URL
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return ShowOut{}, fmt.Errorf("encode the message %s: %w", m.Key, err)
	}
	out := ShowOut{Rendered: incident.DigestOf(text)}
	if in.Receipt == nil {
		out.Receipt, err = messenger.Post(ctx, m)
		return out, err
	}
	updater, ok := messenger.(integrations.Updater)
	if !ok || out.Rendered == in.Rendered {
		// Nothing was sent: the place needs no rest.
		out.Receipt = *in.Receipt
		out.Receipt.Rest = 0
		return out, nil
	}
	out.Receipt, err = updater.Update(ctx, *in.Receipt, m)
	return out, err
}

// MessageOf is what people are told of a case as it stands.
func MessageOf(c incident.Case, req ShowRequest) integrations.Message {
	m := integrations.Message{
		Key: req.Key, Mention: req.Mention, Severity: req.Severity, Title: req.Title, URL: "/v1/cases/" + c.ID,
	}
	switch {
	case req.Kind == incident.ShownReminder:
		return m
	case req.Kind == incident.ShownQuestion && req.Approval < len(c.Approvals):
		card := CardOf(c, req.Approval)
		m.Card, m.Title = &card, card.Title
	case req.Kind == incident.ShownNotice:
		card := CardOf(c, -1)
		m.Card = &card
	}
	m.Lines = lines(c)
	if m.Card != nil {
		m.Lines = append(m.Lines, m.Card.Commands...)
	}
	return m
}

// lines are a case in short, for a messenger without cards.
func lines(c incident.Case) []string {
	var out []string
	if c.Shadow {
		out = append(out, "Shadow mode: nothing was or will be done.")
	}
	if d := c.Decision; d != nil && d.Because != "" {
		out = append(out, "Why: "+d.Because)
	}
	if text := account.PauseOf(c); text != "" {
		out = append(out, text)
	}
	for _, f := range factsOf(c) {
		out = append(out, f.Label+": "+f.Value+" ("+f.How+")")
	}
	for _, s := range c.Steps {
		out = append(out, fmt.Sprintf("%s: %s", s.PlannedStep, s.Status))
	}
	if c.TargetProblem != "" {
		out = append(out, "No exact target: "+c.TargetProblem)
	}
	return out
}

// IllustrateIn asks for the chart of a case under its message.
type IllustrateIn struct {
	Use     string           `json:"use"`
	Request ShowRequest      `json:"request"`
	Receipt incident.Receipt `json:"receipt"`
}

func (a *Activities) illustrate(ctx context.Context, in IllustrateIn) (incident.Receipt, error) {
	messenger, err := use[integrations.Messenger](a, in.Use)
	if err != nil {
		return incident.Receipt{}, err
	}
	illustrator, ok := messenger.(integrations.Illustrator)
	if !ok {
		return incident.Receipt{}, nil
	}
	c, err := a.Engine.Case(ctx, in.Request.Case, in.Request.Run)
	if err != nil {
		return incident.Receipt{}, err
	}
	chart := ChartOf(c)
	chart.Key = in.Request.Key + "/chart"
	return illustrator.Illustrate(ctx, in.Receipt, chart)
}

// SummariseIn is the digest of a storm: how many messages there are, and the
// first of them.
type SummariseIn struct {
	Use     string            `json:"use"`
	Channel string            `json:"channel"`
	Key     string            `json:"key"`
	Mention string            `json:"mention,omitempty"`
	Waiting int               `json:"waiting"`
	Over    int               `json:"over"`
	First   []string          `json:"first"`
	Receipt *incident.Receipt `json:"receipt,omitempty"`
}

func (a *Activities) summarise(ctx context.Context, in SummariseIn) (incident.Receipt, error) {
	messenger, err := use[integrations.Messenger](a, in.Use)
	if err != nil {
		return incident.Receipt{}, err
	}
	m := integrations.Message{
		Key: in.Key, Channel: in.Channel, Mention: in.Mention, Lines: in.First,
		Title: fmt.Sprintf("Many cases at once: %d wait for an answer, %d need none any more", in.Waiting, in.Over),
		URL:   strings.TrimSuffix(a.PublicURL, "/") + "/v1/cases?status=awaiting",
	}
	if in.Receipt == nil {
		return messenger.Post(ctx, m)
	}
	if updater, ok := messenger.(integrations.Updater); ok {
		return updater.Update(ctx, *in.Receipt, m)
	}
	return *in.Receipt, nil
}

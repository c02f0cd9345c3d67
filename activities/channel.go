package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The activities of a channel, and the one by which a case speaks to it.
var (
	Send       = Ref[SendIn, struct{}]{"send"}
	Show       = Ref[ShowIn, ShowOut]{"show"}
	Illustrate = Ref[IllustrateIn, incident.Receipt]{"illustrate"}
	Summarise  = Ref[SummariseIn, incident.Receipt]{"digest"}
)

// SendIn hands a request to a channel, which is started when it does not run.
type SendIn struct {
	Channel protocol.ChannelInput `json:"channel"`
	Request protocol.ShowRequest  `json:"request"`
}

func (a *Activities) send(ctx context.Context, in SendIn) (struct{}, error) {
	return struct{}{}, a.Workflows.SignalWithStart(ctx, Call{
		Workflow: protocol.ChannelWorkflow, ID: protocol.ChannelWorkflowID(in.Channel.Use, in.Channel.Channel), Input: in.Channel,
		Attributes: map[string]string{protocol.AttrKind: protocol.ChannelWorkflow}, Signal: protocol.ShowSignal, Arg: in.Request,
	})
}

// ShowIn is a message as the channel knows it.
type ShowIn struct {
	Use     string               `json:"use"`
	Channel string               `json:"channel"`
	Request protocol.ShowRequest `json:"request"`
	// Thread is the message under which it is posted.
	Thread string `json:"thread,omitempty"`
	// Receipt is set when it was posted before; then it is brought up to date,
	// unless it shows Rendered and still would.
	Receipt  *incident.Receipt `json:"receipt,omitempty"`
	Rendered string            `json:"rendered,omitempty"`
}

// ShowOut is where the message was posted and the digest of what it shows.
type ShowOut struct {
	Receipt  incident.Receipt `json:"receipt"`
	Rendered string           `json:"rendered"`
}

// show reads the current state of the case and posts its message, or brings it up
// to date: what is shown is a pure function of the case.
func (a *Activities) show(ctx context.Context, in ShowIn) (ShowOut, error) {
	messenger, err := use[integrations.Messenger](a, in.Use)
	if err != nil {
		return ShowOut{}, err
	}
	c, err := a.Workflows.Case(ctx, in.Request.Case, in.Request.Run)
	if err != nil {
		return ShowOut{}, err
	}
	m := MessageOf(c, in.Request)
	m.Channel, m.Thread = in.Channel, in.Thread
	m.API = a.apiAddress("/v1/cases/" + c.ID)
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

// MessageOf is the message about a case in its current state.
func MessageOf(c incident.Case, req protocol.ShowRequest) integrations.Message {
	m := integrations.Message{
		Key: req.Key, Mention: req.Mention, Severity: req.Severity, Title: req.Title,
	}
	switch req.Kind {
	case incident.ShownReminder:
		return m
	case incident.ShownQuestion:
		if req.Approval < len(c.Approvals) {
			card := CardOf(c, req.Approval)
			m.Card, m.Title = &card, card.Title
		}
	case incident.ShownNotice:
		card := CardOf(c, -1)
		m.Card = &card
	case incident.ShownPage:
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
	if text := wording.PauseOf(c); text != "" {
		out = append(out, text)
	}
	for _, f := range factsOf(c) {
		out = append(out, f.Label+": "+f.Value+" ("+f.How+")")
	}
	for _, s := range c.Steps {
		word, _ := wording.StatusOf(c, s)
		out = append(out, fmt.Sprintf("%s: %s", s.PlannedStep, word))
	}
	if c.TargetProblem != "" {
		out = append(out, "No exact target: "+c.TargetProblem)
	}
	return out
}

// IllustrateIn asks for the chart of a case under its message.
type IllustrateIn struct {
	Use     string               `json:"use"`
	Request protocol.ShowRequest `json:"request"`
	Receipt incident.Receipt     `json:"receipt"`
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
	c, err := a.Workflows.Case(ctx, in.Request.Case, in.Request.Run)
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
	m := digestOf(in)
	m.API = a.apiAddress("/v1/cases?status=awaiting")
	if in.Receipt == nil {
		return messenger.Post(ctx, m)
	}
	if updater, ok := messenger.(integrations.Updater); ok {
		return updater.Update(ctx, *in.Receipt, m)
	}
	return *in.Receipt, nil
}

// digestOf is the message that stands for many.
func digestOf(in SummariseIn) integrations.Message {
	return integrations.Message{
		Key: in.Key, Channel: in.Channel, Mention: in.Mention, Lines: in.First,
		Title: fmt.Sprintf("Many cases at once: %d wait for an answer, %d need none any more", in.Waiting, in.Over),
	}
}

// apiAddress is where the API has a path, or nothing where people have not said by
// which address it is reached: a path alone leads nowhere.
func (a *Activities) apiAddress(path string) string {
	if a.PublicURL == "" {
		return ""
	}
	return strings.TrimSuffix(a.PublicURL, "/") + path
}

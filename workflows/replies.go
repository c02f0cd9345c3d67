package workflows

import (
	"cmp"
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
	// maxRecords bounds the alerts of a case that are answered, maxNotes what each is told: a
	// storm joins one case a thousand times, and their senders are people's lists.
	maxRecords = 20
	maxNotes   = 50
)

// replyState is what a case has told the senders of its alerts. A case whose pin answers no
// source has none, and asks the engine for nothing more than it did before there were replies:
// the pin is what distinguishes the runs.
type replyState struct {
	// Notes are what is told, in order. Each record is told all of them.
	Notes   []note        `json:"notes,omitempty"`
	Records []replyRecord `json:"records,omitempty"`
	// Failing are the integrations through which nothing arrives now.
	Failing []string `json:"failing,omitempty"`
}

// note is one thing that is told, to each record.
type note struct {
	Kind incident.EventKind `json:"kind"`
	Step string             `json:"step,omitempty"`
	Use  string             `json:"use,omitempty"`
	Text string             `json:"text"`
	At   time.Time          `json:"at"`
}

// replyRecord is an alert that is answered. Told is how many of the notes were handed over.
type replyRecord struct {
	incident.AlertRecord
	Use      string    `json:"use"`
	Received time.Time `json:"received,omitzero"`
	Told     int       `json:"told"`
}

// answer notes that an alert which joined is answered, where its source says so. Newer
// content and another occurrence of one that is answered change nothing.
func (r *responder) answer(a incident.Alert) {
	use := r.in.Pin.Answers(a.Source)
	if use == "" || a.Status != incident.Firing {
		return
	}
	if r.state.Replies == nil {
		r.state.Replies = &replyState{}
	}
	s := r.state.Replies
	at := slices.IndexFunc(s.Records, func(t replyRecord) bool { return sameRecord(t.AlertRecord, a.Record()) })
	switch {
	case at >= 0:
		s.Records[at].Reference = cmp.Or(s.Records[at].Reference, a.Reference)
	case len(s.Records) < maxRecords:
		s.Records = append(s.Records, replyRecord{AlertRecord: a.Record(), Use: use, Received: a.ReceivedAt})
	}
}

// keepReplying hands over what the senders of the case's alerts are to be told, whenever there
// is more of it. Nothing of the response waits for it.
func (r *responder) keepReplying(ctx workflow.Context) {
	if len(r.in.Pin.Replies) == 0 {
		return
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for !r.yield {
			_ = workflow.Await(ctx, func() bool { return r.yield || !r.final && r.owesReplies() })
			if r.yield || r.final {
				continue
			}
			r.busy++
			handed := r.handReplies(ctx, sendWithin)
			r.busy--
			if !handed {
				_, _ = await(ctx, reconsiderEvery, func() bool { return r.yield })
			}
		}
	})
}

// owesReplies reports whether there is something that the sender of an alert was not told.
func (r *responder) owesReplies() bool {
	s := r.state.Replies
	return s != nil && (len(r.news()) > 0 ||
		slices.ContainsFunc(s.Records, func(t replyRecord) bool { return t.Told < len(s.Notes) }))
}

// news are what there is to tell and was not noted: that the case is open, and the levels of
// proof that its steps have reached, each once. An effect is told again where another round
// found another.
func (r *responder) news() (news []note) {
	s := r.state.Replies
	if len(s.Notes) == 0 {
		news = append(news, note{Kind: incident.EvOpened, Text: openedText(r.state.Case)})
	}
	steps := r.state.Case.Steps
	for i, step := range steps {
		if slices.ContainsFunc(steps[i+1:], func(s incident.StepState) bool { return s.Name == step.Name }) {
			// The last of a name is the one that counts.
			continue
		}
		for _, level := range levelsOf(step) {
			if !s.said(step, level) {
				news = append(news, note{Kind: level, Step: step.Name, Use: step.Use, Text: levelText(step, level)})
			}
		}
	}
	return news[:min(len(news), max(0, maxNotes-len(s.Notes)))]
}

// say notes what is told.
func (r *responder) say(ctx workflow.Context, news ...note) {
	for _, n := range news {
		n.At = workflow.Now(ctx)
		r.state.Replies.Notes = append(r.state.Replies.Notes, n)
	}
}

// levelsOf are the levels of proof that a step has reached.
func levelsOf(s incident.StepState) (levels []incident.EventKind) {
	if !s.Action.Containing() || s.AcceptedAt.IsZero() {
		return nil
	}
	levels = append(levels, incident.EvAccepted)
	if !s.ConfirmedAt.IsZero() {
		levels = append(levels, incident.EvConfirmed)
	}
	if s.Proof != incident.NoProof {
		_, kind := proofWords(s.Proof)
		levels = append(levels, kind)
	}
	return levels
}

// said reports whether a level of a step was told, and no other of those that say the same
// thing about it since. What a step does after the case had closed is told anew.
func (s *replyState) said(step incident.StepState, level incident.EventKind) bool {
	effects := []incident.EventKind{incident.EvVerified, incident.EvNotEffective, incident.EvCannotTell}
	for _, n := range slices.Backward(s.Notes) {
		switch {
		case n.Kind == incident.EvClosed:
			return !step.AcceptedAt.After(n.At)
		case n.Step != step.Name:
		case n.Kind == level:
			return true
		case slices.Contains(effects, level) && slices.Contains(effects, n.Kind):
			return false
		}
	}
	return false
}

func levelText(s incident.StepState, level incident.EventKind) string {
	if level == incident.EvConfirmed {
		return s.Name + ": confirmed, read back from the device"
	}
	if level != incident.EvAccepted {
		words, _ := proofWords(s.Proof)
		return fmt.Sprintf("%s: %s, %s", s.Name, words, s.ProofDetail)
	}
	text := fmt.Sprintf("%s: accepted by %s", s.PlannedStep, s.Use)
	if !s.Until.IsZero() {
		text += ", until " + s.Until.UTC().Format(time.RFC3339)
	}
	return text
}

func openedText(c incident.Case) string {
	if c.PlaybookDigest == "" {
		return fmt.Sprintf("Stanch took this alert about %s: %s", c.Subject, incident.NoPlaybook)
	}
	text := fmt.Sprintf("Stanch opened case %s for %s by playbook %s", c.ID, c.Subject, c.Playbook)
	if c.Shadow {
		text += ", which is in shadow mode: nothing will be done"
	}
	return text
}

// closedText is how a case ended, and what became of its steps.
func closedText(c incident.Case) string {
	lines := []string{"Case closed: " + strings.ReplaceAll(string(c.Outcome), "_", " ")}
	if c.MergedInto != nil {
		lines[0] += ", it goes on in case " + c.MergedInto.ID
	}
	if c.Verdict != incident.NoVerdict {
		lines = append(lines, "Verdict: "+strings.ReplaceAll(string(c.Verdict), "_", " "))
	}
	for _, s := range c.Steps {
		if s.Action.Containing() {
			lines = append(lines, fmt.Sprintf("%s: %s", s.PlannedStep, endWord(s)))
		}
	}
	return strings.Join(lines, "\n")
}

// endWord is what became of a step of a case that has closed.
func endWord(s incident.StepState) string {
	why := ""
	if s.Problem != "" {
		why = ", " + bounded(s.Problem, maxForeign)
	}
	switch s.Status {
	case incident.StepEnded:
		return "given back"
	case incident.StepShadowed:
		return "would have run"
	case incident.StepWaiting, incident.StepRunning, incident.StepDone, incident.StepStanding, incident.StepFailed, incident.StepSkipped:
	}
	return string(s.Status) + why
}

// closesRecord reports whether nothing is left to do about an alert when its case has closed:
// what was contained was given back, or a person said so. In all other cases the sender's
// record stays open for people.
func closesRecord(o incident.CaseOutcome) bool {
	return o == incident.OutcomeGivenBack || o == incident.OutcomeClosedByHand
}

// handReplies hands what the records were not told to the outboxes, in order. It reports
// whether they all took it; what one did not is handed over another time.
func (r *responder) handReplies(ctx workflow.Context, within time.Duration) bool {
	r.say(ctx, r.news()...)
	s, handed := r.state.Replies, true
	var uses []string
	for _, t := range s.Records {
		if !slices.Contains(uses, t.Use) {
			uses = append(uses, t.Use)
		}
	}
	for _, use := range uses {
		handed = r.handTo(ctx, use, within) && handed
	}
	return handed
}

// handTo hands the outbox of an integration what its records were not told.
func (r *responder) handTo(ctx workflow.Context, use string, within time.Duration) bool {
	s := r.state.Replies
	notes, records, first := len(s.Notes), len(s.Records), 0
	in := activities.HandRepliesIn{Outbox: protocol.OutboxInput{Use: use, Queue: r.in.Pin.Queue(use, protocol.ReplySignal)}}
	for _, t := range s.Records {
		if t.Use == use {
			in.Replies = append(in.Replies, r.repliesTo(t)...)
		}
	}
	if len(in.Replies) == 0 {
		return true
	}
	if _, err := do(ctx, "", within, activities.HandReplies, in); err != nil {
		r.notReplied(ctx, use, activities.Reason(err))
		return false
	}
	// More may have joined in the meantime.
	for i := range s.Records[:records] {
		if t := &s.Records[i]; t.Use == use {
			if t.Told == 0 {
				first++
			}
			t.Told = max(t.Told, notes)
		}
	}
	if first > 0 {
		r.event(ctx, incident.EvReplied, "", "What becomes of the case is told at its alerts through %s: %d", use, first)
	}
	return true
}

// repliesTo are the notes that a record was not told, as replies.
func (r *responder) repliesTo(t replyRecord) (out []incident.Reply) {
	c := r.state.Case
	for i, n := range r.state.Replies.Notes[t.Told:] {
		reply := incident.Reply{
			Key: fmt.Sprintf("%s/%d/%s", c.Run, t.Told+i, printOf(t.AlertRecord)), To: t.AlertRecord, Kind: n.Kind, Case: r.ref(),
			Step: n.Step, Use: n.Use, Text: n.Text, At: n.At, Received: t.Received,
		}
		if n.Kind == incident.EvClosed {
			reply.Outcome, reply.Verdict, reply.Close = c.Outcome, c.Verdict, closesRecord(c.Outcome)
		}
		out = append(out, reply)
	}
	return out
}

// replyLast tells the senders that the case has closed. It is the last that the case asks of
// the engine.
func (r *responder) replyLast(ctx workflow.Context) {
	if r.state.Replies == nil {
		return
	}
	r.say(ctx, r.news()...)
	r.say(ctx, note{Kind: incident.EvClosed, Text: closedText(r.state.Case)})
	r.handReplies(ctx, notifyTimeout)
}

// replyChanged takes in how the replies of the case fare.
func (r *responder) replyChanged(ctx workflow.Context, change protocol.ReplyChange) {
	s := r.state.Replies
	if s == nil || change.Run != r.state.Case.Run {
		return
	}
	failing := slices.Contains(s.Failing, change.Use)
	switch {
	case change.GivenUp:
		r.event(ctx, incident.EvNotReplied, "", "The sender of alert %s was not told through %s: %s", foreign(change.Alert), change.Use, bounded(change.Problem, maxReason))
	case change.Problem != "" && !failing:
		r.notReplied(ctx, change.Use, change.Problem)
	case change.Problem == "" && failing:
		s.Failing = slices.DeleteFunc(s.Failing, func(use string) bool { return use == change.Use })
		r.event(ctx, incident.EvReplied, "", "The senders are told again through %s", change.Use)
	}
}

// notReplied notes that nothing arrives through an integration, once until something does.
func (r *responder) notReplied(ctx workflow.Context, use, why string) {
	s := r.state.Replies
	if slices.Contains(s.Failing, use) {
		return
	}
	s.Failing = append(s.Failing, use)
	r.event(ctx, incident.EvNotReplied, "", "The sender was not told through %s: %s", use, bounded(why, maxReason))
}

package activities

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// CardOf is a case as people see it in a messenger, a pure function of the
// case. At is the index of the approval that the card asks for; -1 makes a
// notice, which asks nothing.
func CardOf(c incident.Case, at int) integrations.Card {
	told := wording.Of(c)
	card := integrations.Card{
		State: integrations.CardTold, Case: c.ID, Subject: told.Subject, Severity: told.Severity,
		Title: told.Subject + ": " + told.Standing, Shadow: c.Shadow, Facts: factsOf(c), Impact: impact(c),
		Rule: told.Rule, Playbook: told.Playbook, PlaybookDigest: c.PlaybookDigest,
		Commands: []string{"stanch case show " + c.ID},
	}
	if into := c.MergedInto; into != nil {
		card.Commands = []string{"stanch case show " + into.ID}
	}
	if d := c.Decision; d != nil {
		card.Because = d.Because
		card.Missing = incident.MissingTexts(d.Unsure)
	}
	if at < 0 || at >= len(c.Approvals) {
		for _, s := range c.Steps {
			card.Steps = append(card.Steps, cardStep(c, s))
		}
		return card
	}
	a := c.Approvals[at]
	gated := c.Behind(a)
	card.State = stateOf(a, gated)
	card.Because, card.Missing = cmp.Or(a.Because, card.Because), incident.MissingTexts(a.Missing)
	card.Question = questionOf(c, a, gated, told.Approvals[at].Who)
	card.Title = TitleOf(c, at)
	card.Effect, card.Undo = effects(c, gated), undo(gated)
	if a.Extends != nil {
		card.Effect = []string{title(longer(c, a))}
	}
	if c.Plan != nil && c.Plan.Target == nil && a.State == incident.Pending {
		card.Effect = append([]string{"Nothing can be done to the host: no exact target, " + c.TargetProblem}, card.Effect...)
	}
	for _, s := range gated {
		card.Steps = append(card.Steps, cardStep(c, s))
	}
	if card.State == integrations.CardPaused {
		card.Commands = append(card.Commands, "stanch resume --reason …")
	}
	if a.State == incident.Pending {
		card.Commands = []string{
			fmt.Sprintf("stanch case approve %s --plan %s", c.ID, a.PlanDigest),
			fmt.Sprintf("stanch case deny %s --plan %s --reason …", c.ID, a.PlanDigest),
		}
	}
	return card
}

// factsOf are who, what and where, each with how sure.
func factsOf(c incident.Case) []integrations.CardFact {
	var out []integrations.CardFact
	for _, l := range wording.Of(c).Headline {
		if l.Label == "What" || l.Label == "Unsure" {
			continue
		}
		how := cmp.Or(l.From, "worked out by Stanch")
		if l.Unknown {
			how = wording.From(incident.Unknown)
		}
		out = append(out, integrations.CardFact{Label: l.Label, Value: l.Text, How: how})
	}
	return out
}

// impact is the blast radius, as the inventory states it.
func impact(c incident.Case) []string {
	var out []string
	add := func(label string, v incident.Value[string]) {
		if text, ok := v.Get(); ok {
			out = append(out, label+" "+text)
			return
		}
		out = append(out, label+" unknown")
	}
	asset := c.Facts.Asset
	add("role", asset.Role)
	add("criticality", asset.Criticality)
	add("owner", asset.Owner)
	add("site", asset.Site)
	if tags, ok := asset.Tags.Get(); ok && len(tags) > 0 {
		out = append(out, "tags "+strings.Join(tags, ", "))
	}
	return out
}

// stateOf is the approval's state until it is approved, and then how far the
// steps behind it have come: the least that holds for all that contain.
func stateOf(a incident.Approval, gated []incident.StepState) integrations.CardState {
	switch a.State {
	case incident.Pending:
		return integrations.CardAsking
	case incident.ApprovalDenied:
		return integrations.CardDenied
	case incident.ApprovalExpired:
		return integrations.CardExpired
	case incident.Superseded:
		return integrations.CardSuperseded
	case incident.Approved:
	}
	order := []integrations.CardState{
		integrations.CardFailed, integrations.CardNotEffective, integrations.CardHeldBack, integrations.CardPaused,
		integrations.CardRunning, integrations.CardApproved,
		integrations.CardAccepted, integrations.CardConfirmed, integrations.CardCannotTell, integrations.CardEffective,
		integrations.CardGivenBack,
	}
	worst := len(order)
	for _, s := range gated {
		if s.Action.Containing() {
			worst = min(worst, slices.Index(order, stepState(a, s)))
		}
	}
	if worst == len(order) {
		return integrations.CardApproved
	}
	return order[worst]
}

func stepState(a incident.Approval, s incident.StepState) integrations.CardState {
	switch s.Status {
	case incident.StepWaiting, incident.StepShadowed:
		if a.Paused != nil {
			return integrations.CardPaused
		}
		return integrations.CardApproved
	case incident.StepRunning:
		return integrations.CardRunning
	case incident.StepFailed, incident.StepSkipped:
		if s.HeldBack {
			return integrations.CardHeldBack
		}
		return integrations.CardFailed
	case incident.StepEnded:
		return integrations.CardGivenBack
	case incident.StepDone, incident.StepStanding:
	}
	switch s.Proof {
	case incident.Verified:
		return integrations.CardEffective
	case incident.NotEffective:
		return integrations.CardNotEffective
	case incident.CannotTell:
		return integrations.CardCannotTell
	case incident.NoProof:
	}
	if !s.ConfirmedAt.IsZero() {
		return integrations.CardConfirmed
	}
	return integrations.CardAccepted
}

func questionOf(c incident.Case, a incident.Approval, gated []incident.StepState, who string) *integrations.CardQuestion {
	severity := ""
	if c.Decision != nil {
		_, severity = c.Decision.AtStake()
	}
	q := &integrations.CardQuestion{
		Approval: a.Name, PlanDigest: a.PlanDigest, State: a.State, Approve: title(effectOf(c, a, gated)),
		Critical:      severity == "critical",
		ApproveReason: slices.Contains(a.ReasonRequired, "approve"), DenyReason: slices.Contains(a.ReasonRequired, "deny"),
		Quorum: a.Quorum, Approvers: who, AskedAt: a.AskedAt, ExpiresAt: a.ExpiresAt, EndedAt: a.EndedAt, Notes: a.Notes,
		Paused: a.Paused,
	}
	if group := a.Approvers.DirectoryGroup(); group != "" {
		q.Groups = []string{group}
	}
	for _, v := range a.Votes {
		q.Votes = append(q.Votes, integrations.CardVote{Person: v.Person.ID, Via: v.Person.Via, Approve: v.Approve, Reason: v.Reason, At: v.At})
	}
	return q
}

// TitleOf is the card of an approval in one line.
func TitleOf(c incident.Case, at int) string {
	a := c.Approvals[at]
	gated := c.Behind(a)
	return titleOf(c, a, stateOf(a, gated), gated)
}

// titleOf is the question while it waits, and afterwards what became of it.
func titleOf(c incident.Case, a incident.Approval, state integrations.CardState, gated []incident.StepState) string {
	what := title(effectOf(c, a, gated))
	switch state {
	case integrations.CardAsking:
		return what + "?"
	case integrations.CardDenied:
		return "Denied: " + what
	case integrations.CardExpired:
		return "Expired, not approved: " + what
	case integrations.CardSuperseded:
		return "No longer asked: " + what
	case integrations.CardGivenBack:
		return "Given back: " + what
	case integrations.CardApproved, integrations.CardRunning, integrations.CardPaused, integrations.CardHeldBack,
		integrations.CardAccepted, integrations.CardConfirmed, integrations.CardEffective, integrations.CardNotEffective,
		integrations.CardCannotTell, integrations.CardFailed, integrations.CardTold:
	}
	return strings.ReplaceAll(title(string(state)), "_", " ") + ": " + what
}

// effectOf is what approving a question does, in one line.
func effectOf(c incident.Case, a incident.Approval, gated []incident.StepState) string {
	if a.Extends != nil {
		return longer(c, a)
	}
	return effect(c, gated)
}

// longer is what approving an extension does.
func longer(c incident.Case, a incident.Approval) string {
	text := "keep " + a.Extends.Step
	if at := c.Holding(a.Extends.Lease, a.Extends.Step); at >= 0 {
		s := c.Steps[at].PlannedStep
		s.TTL = 0
		text = "go on to " + does(c, s)
	}
	return text + " until " + a.Extends.Until.UTC().Format("Jan 2 15:04 UTC")
}

// effect is what the steps behind a gate do, in one line.
func effect(c incident.Case, gated []incident.StepState) string {
	var parts []string
	for _, s := range gated {
		if s.Action.Containing() {
			parts = append(parts, does(c, s.PlannedStep))
		}
	}
	if len(parts) == 0 {
		for _, s := range gated {
			parts = append(parts, does(c, s.PlannedStep))
		}
	}
	if len(parts) == 0 {
		return "go on with " + c.Subject
	}
	return strings.Join(parts, ", ")
}

// effects is what approving does, one line a step.
func effects(c incident.Case, gated []incident.StepState) []string {
	out := make([]string, 0, len(gated))
	for _, s := range gated {
		line := title(does(c, s.PlannedStep))
		if s.Action.Leased() {
			line += ", then undone by itself"
		}
		out = append(out, line)
		if unkept := s.Unkept(); unkept != "" {
			out = append(out, title(unkept))
		}
	}
	return out
}

func does(c incident.Case, s incident.PlannedStep) string {
	host := c.Subject
	if c.Target != nil {
		host = c.Target.Name()
	}
	text := s.Does(host)
	if lasts := s.Lasts(spoken); lasts != "" {
		text += " " + lasts
	}
	return text
}

// spoken is a duration as people say it: 4 h, 30 min.
func spoken(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return incident.FormatDuration(d)
}

// undo says how the effects of the steps end, each line once.
func undo(gated []incident.StepState) string {
	var said []string
	for _, s := range gated {
		if undone := s.Action.Spec().Undone; undone != "" && !slices.Contains(said, undone) {
			said = append(said, undone)
		}
	}
	return strings.Join(said, " ")
}

func cardStep(c incident.Case, s incident.StepState) integrations.CardStep {
	step := integrations.CardStep{Text: s.PlannedStep.String(), Status: s.Status, Until: s.Until, Problem: s.Problem}
	if s.Approve != "" {
		step.Word, _ = wording.StatusOf(c, s)
	}
	if s.UndoPending {
		step.Word = incident.UndoPending
	}
	if !s.Action.Containing() {
		step.At = s.AcceptedAt
		return step
	}
	if s.Proof == incident.NotEffective || s.Proof == incident.CannotTell {
		step.Problem = cmp.Or(s.Problem, s.ProofDetail)
	}
	if s.Counted != nil && step.Problem != s.ProofDetail {
		step.Counted = s.Counted.Text(s.Use)
	}
	switch {
	case s.Proof != incident.NoProof:
		step.Proof, step.At = string(s.Proof), s.ProvenAt
	case !s.ConfirmedAt.IsZero():
		step.Proof, step.At = "confirmed", s.ConfirmedAt
	case !s.AcceptedAt.IsZero():
		step.Proof, step.At = "accepted", s.AcceptedAt
	}
	if !s.EndedAt.IsZero() {
		step.At = s.EndedAt
	}
	return step
}

// ChartOf is the egress of a case with what is normal and what was done.
func ChartOf(c incident.Case) integrations.Chart {
	chart := integrations.Chart{Title: "Egress of " + c.Subject, Series: c.Series}
	window, ok := c.Facts.Traffic.Window.Get()
	if p95, known := c.Facts.Baseline.P95.Get(); known && ok && window > 0 {
		chart.Normal = incident.Known(int64(float64(p95)*8/window.Seconds()), c.Facts.Baseline.P95.From())
	}
	marks := map[incident.EventKind]string{
		incident.EvOpened: "alert", incident.EvAsked: "asked", incident.EvAccepted: "contained", incident.EvGivenBack: "given back",
	}
	for _, e := range c.Timeline {
		if label, ok := marks[e.Kind]; ok {
			chart.Marks = append(chart.Marks, integrations.ChartMark{At: e.At, Label: label})
		}
	}
	var most int64
	for _, p := range c.Series {
		most = max(most, p.BytesOut*8/60)
	}
	chart.Alt = fmt.Sprintf("Egress of %s over the last hour: at most %s", c.Subject, incident.FormatRate(most))
	if normal, ok := chart.Normal.Get(); ok {
		chart.Alt += ", normally below " + incident.FormatRate(normal)
	}
	return chart
}

// title begins a line with a capital.
func title(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

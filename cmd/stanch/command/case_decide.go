package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// caseDecideOptions are the flags of case approve and case deny.
type caseDecideOptions struct {
	streams
	caseFlags
	output  outputFlag
	approve bool
	plan    string
	reason  string
	yes     bool
}

// word is the answer that the command gives.
func (o *caseDecideOptions) word() string {
	if o.approve {
		return "approve"
	}
	return "deny"
}

func newCaseDecide(s streams, approve bool) *cobra.Command {
	o := &caseDecideOptions{streams: s, approve: approve}
	word := o.word()
	c := &cobra.Command{
		Use: word + " CASE", Short: "Answer the approval that a case waits for: " + word,
		Long: `The answer is bound to the exact plan. On a terminal the case is shown and you
are asked; elsewhere give the digest of the plan that you were shown with
--plan, or --yes for whatever the case waits for now.`,
		Example: fmt.Sprintf("  stanch case %s ws-042\n  stanch case %s high-egress-windows/ws-042 --plan sha256:… --reason \"seen on call\"", word, word),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.decide(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	o.output.addTo(c)
	f := c.Flags()
	f.StringVar(&o.plan, "plan", "", "`digest` of the plan that you were shown")
	f.StringVar(&o.reason, "reason", "", "why, for the record")
	f.BoolVar(&o.yes, "yes", false, "do not ask: take the plan that the case waits for now")
	return c
}

func (o *caseDecideOptions) decide(ctx context.Context, name string) error {
	if o.plan != "" && o.yes {
		return usagef("--plan and --yes exclude each other: give one")
	}
	client, c, err := o.get(ctx, name)
	if refused, ok := errors.AsType[*apiclient.Error](err); ok && refused.Status == http.StatusForbidden && o.plan != "" && strings.Contains(name, "/") {
		// An approver need not be able to read the case: the card has the plan.
		c, err = incident.Case{ID: name}, nil
	}
	if err != nil {
		return err
	}
	in := api.DecideRequest{Approve: o.approve, Plan: o.plan, Reason: o.reason, Via: "cli"}
	at := slices.IndexFunc(c.Approvals, func(a incident.Approval) bool { return a.State == incident.Pending })
	switch {
	case o.plan != "":
		// The server checks that it still is the plan.
	case at < 0:
		return usagef("case %s waits for no approval: it is %s%s", c.ID, c.Status, because(ending(c)))
	case o.yes:
		in.Plan = c.Approvals[at].PlanDigest
	default:
		if in.Plan, err = o.ask(c, c.Approvals[at], &in.Reason); err != nil {
			return err
		}
	}
	if at >= 0 && c.Approvals[at].PlanDigest == in.Plan {
		in.Approval = c.Approvals[at].Name
	}
	a, err := client.Decide(ctx, c.ID, in)
	if err != nil {
		return answered(err)
	}
	return o.output.print(o.streams, a, func(*term.Printer) error {
		if err := o.say("%s of case %s is %s, with %d of %d answers", a.Name, c.ID, a.State, len(a.Votes), a.Quorum); err != nil || a.Paused == nil {
			return err
		}
		return o.say("containment is paused by %s: %s", a.Paused.By, a.Paused.Reason)
	})
}

// ask returns the digest of the plan that the user at the terminal confirmed.
func (o *caseDecideOptions) ask(c incident.Case, a incident.Approval, reason *string) (string, error) {
	if !isTerminal(o.in) || !isTerminal(o.out) {
		return "", usagef("give --plan with the digest of the plan that you were shown, or --yes: there is no terminal to ask at")
	}
	return o.question(c, a, reason)
}

// question shows the case, next to the prompt the effect of the answer, and
// accepts only a clear yes.
func (o *caseDecideOptions) question(c incident.Case, a incident.Approval, reason *string) (string, error) {
	p := o.printer()
	if err := p.Case(c); err != nil {
		return "", err
	}
	lines := bufio.NewReader(o.in)
	said, err := o.line(lines, fmt.Sprintf("\n%s %s of case %s? [y/N] ", o.word(), a.Name, c.ID))
	if err != nil {
		return "", err
	}
	if answer := strings.ToLower(said); answer != "y" && answer != "yes" {
		return "", usagef("nothing was answered")
	}
	if *reason == "" && slices.Contains(a.ReasonRequired, o.word()) {
		if *reason, err = o.line(lines, "reason: "); err != nil {
			return "", err
		}
	}
	return a.PlanDigest, nil
}

func (o *caseDecideOptions) line(from *bufio.Reader, prompt string) (string, error) {
	fmt.Fprint(o.out, prompt)
	text, err := from.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(text), nil
}

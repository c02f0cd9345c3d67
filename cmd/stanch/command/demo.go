package command

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stanch-soar/stanch/cmd/internal/demo"
	"github.com/stanch-soar/stanch/cmd/internal/lab"
	terminal "github.com/stanch-soar/stanch/cmd/internal/term"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	streams
	root    *cobra.Command
	data    string
	real    bool
	approve bool
	deny    bool
	reason  string
}

func newDemo(s streams) *cobra.Command {
	o := &demoOptions{streams: s}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show one case from alert to evidence, on a simulated estate",
		Long: `Shows one case in about a minute, and ends by itself: a workstation floods the
Internet, policy throttles it at once and asks you before it is cut off, the
flow store proves that egress fell, and the lease gives the network back.

The engine, the receiver, the worker, the policy and the flow store are those of
stanch serve; the company around them is simulated. Nothing else is needed, and
nothing is reached beyond this machine.

With --real there are packets: in network namespaces of its own a host floods,
FastNetMon raises the alert, the limit is one of nftables at a real gateway, and a
chart shows what left it. Only the EDR and Slack are simulated then. It needs root
on Linux, and says which programs are missing. The network of this machine is not
touched, and nothing is left when the demo ends. What one leaves that was killed,
the next removes.

The question is asked at the terminal. With --approve or --deny nobody is asked;
without a terminal the demo approves by itself, and says so.`,
		Example: "  stanch demo\n  stanch demo --deny --reason \"it is a load test\"\n  stanch demo --data ./demo\n  sudo stanch demo --real",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.root = cmd.Root()
			return o.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.BoolVar(&o.approve, "approve", false, "answer the question with approve")
	f.BoolVar(&o.deny, "deny", false, "answer the question with deny")
	f.StringVar(&o.reason, "reason", "", "`text` that goes with --approve or --deny")
	f.BoolVar(&o.real, "real", false, "show it with real packets and a real gateway; as root on Linux")
	f.StringVar(&o.data, "data", "", "empty `folder` to keep everything in (when not given nothing is kept)")
	return c
}

func (o *demoOptions) run(ctx context.Context) error {
	shown := terminal.Detect(o.out, os.Getenv)
	d := demo.Options{
		Dir: o.data, Real: o.real, Reason: o.reason, In: o.in, Printer: terminal.New(o.out, shown), Overwrites: shown.TTY, Next: o.next,
	}
	switch {
	case o.real && o.data != "":
		return usagef("--data does not go with --real: its case is about a network that ends with the demo")
	case o.approve && o.deny:
		return usagef("--approve and --deny are two answers to one question: give one")
	case o.reason != "" && !o.approve && !o.deny:
		return usagef("--reason goes with --approve or --deny")
	case o.approve:
		d.Answer, d.Because = demo.Approve, "--approve is given"
	case o.deny:
		d.Answer, d.Because = demo.Deny, "--deny is given"
		d.Reason = cmp.Or(o.reason, "--deny was given to the demo")
	case isTerminal(o.in) && shown.TTY:
		d.Answer = demo.AskPerson
	default:
		d.Answer, d.Because = demo.Approve, "There is no terminal to ask at, so this is a demo with --approve"
		d.Reason = "no terminal to ask at"
	}
	if o.real {
		if err := lab.Ready(); err != nil {
			return usagef("demo --real: %w", err)
		}
	}
	err := demo.Run(ctx, d)
	if errors.Is(err, demo.ErrFolder) {
		return usage(err)
	}
	return err
}

func isTerminal(r any) bool {
	f, ok := r.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// suggestion is a command to try after a demo.
type suggestion struct {
	does, before string
	path         []string
	after        string
}

// suggestions are what can be tried with what a demo has left, and after one with real
// packets.
func suggestions(k demo.Kept, real bool) []suggestion {
	rehearse := suggestion{"rehearse the library's playbooks on the real engine", "", []string{"playbook", "test"}, "library --verbose"}
	if k.Dir == "" {
		keep := "keep everything, and look into it afterwards"
		if real {
			keep = "see a host cut off that an EDR knows all of, on a simulated estate, and keep everything"
		}
		return []suggestion{
			{keep, "", []string{"demo"}, "--data ./demo"},
			{"copy the library's playbook and its tests, and change a line of it", "", []string{"playbook", "copy"}, "high-egress-windows ./playbooks"},
			rehearse,
		}
	}
	return []suggestion{
		{"check the playbook that decided, then change a line of it", "", []string{"playbook", "lint"}, k.Playbook},
		rehearse,
		{"serve what the demo has left, with its case", "", []string{"serve"}, "--config " + k.Config + " --listen 127.0.0.1:8080"},
		{"and look at the case from another terminal", "STANCH_TOKEN_FILE=" + k.Token + " ", []string{"case", "show"}, k.Case},
	}
}

// next returns the commands to try after a demo, of those that this build has.
func (o *demoOptions) next(k demo.Kept) []demo.Command {
	var found []demo.Command
	self := "stanch"
	if strings.Contains(os.Args[0], "go-build") {
		self = "go run ./cmd/stanch"
	}
	for _, c := range suggestions(k, o.real) {
		if cmd, rest, err := o.root.Find(c.path); err == nil && len(rest) == 0 && cmd != o.root {
			found = append(found, demo.Command{Does: c.does, Line: c.before + self + " " + strings.Join(c.path, " ") + " " + c.after})
		}
	}
	return found
}

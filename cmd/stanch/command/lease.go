package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func newLease(s streams) *cobra.Command {
	return group("lease", "Look at the containments that stand, extend and release them",
		"  stanch lease list\n  stanch lease release lease/isolate/edr/ws-042 --reason \"cleaned\"",
		newLeaseList(s), newLeaseDrift(s), newLeaseExtend(s), newLeaseRelease(s))
}

// durationFlag is a flag that takes a Go duration, or days such as 14d.
type durationFlag struct{ d time.Duration }

func (f *durationFlag) String() string {
	if f.d == 0 {
		return ""
	}
	return incident.FormatDuration(f.d)
}

// or returns the duration, or another when none was given.
func (f *durationFlag) or(other time.Duration) time.Duration { return cmp.Or(f.d, other) }

// Type is what the usage shows for the value.
func (f *durationFlag) Type() string { return "duration" }

// Set takes a duration above zero.
func (f *durationFlag) Set(value string) error {
	d, err := incident.ParseDuration(value)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration such as 90s, 30m, 4h or 14d", value)
	}
	f.d = d
	return nil
}

// leaseFlags select the lease of a command, with the reason.
type leaseFlags struct {
	serverFlags
	output outputFlag
	reason reasonFlag
}

func (f *leaseFlags) addTo(c *cobra.Command) {
	f.serverFlags.addTo(c)
	f.output.addTo(c)
	f.reason.addTo(c)
	c.Args = cobra.ExactArgs(1)
	c.ValidArgsFunction = f.completer(func(ctx context.Context, client *apiclient.Client) ([]string, error) {
		list, err := client.Leases(ctx)
		var ids []string
		for _, l := range list.Leases {
			ends := l.State()
			if !l.Until.IsZero() {
				ends = "until " + moment(l.Until)
			}
			ids = append(ids, cobra.CompletionWithDesc(l.ID, ends))
		}
		return ids, err
	})
}

// check returns the client and the request for a lease.
func (f *leaseFlags) check(id string) (*apiclient.Client, api.LeaseRequest, error) {
	if err := f.reason.check(); err != nil {
		return nil, api.LeaseRequest{}, err
	}
	if !strings.HasPrefix(id, "lease/") {
		return nil, api.LeaseRequest{}, usagef("%q is not the id of a lease, such as lease/isolate/edr/ws-042: `stanch lease list` shows them", id)
	}
	client, err := f.client()
	return client, api.LeaseRequest{ID: id, Reason: f.reason.text}, err
}

// leaseListOptions are the flags of lease list.
type leaseListOptions struct {
	streams
	serverFlags
	output outputFlag
}

func newLeaseList(s streams) *cobra.Command {
	o := &leaseListOptions{streams: s}
	c := &cobra.Command{
		Use: "list", Short: "List active leases, soonest to end first", Args: cobra.NoArgs,
		Example: "  stanch lease list --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	o.output.addTo(c)
	return c
}

func (o *leaseListOptions) run(ctx context.Context) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	list, err := client.Leases(ctx)
	if err != nil {
		return answered(err)
	}
	err = o.output.print(o.streams, list, func(p *term.Printer) error { return p.Table(leaseHeaders(), leaseRows(p, list.Leases)) })
	if err != nil {
		return err
	}
	if len(list.Unread) > 0 || list.More {
		return fmt.Errorf("the list is not complete: %d leases did not answer: %s", len(list.Unread), strings.Join(list.Unread, ", "))
	}
	return nil
}

func leaseHeaders() []string { return []string{"LEASE", "HOST", "PHASE", "UNTIL", "LEFT", "HELD BY"} }

func leaseRows(p *term.Printer, leases []incident.Lease) [][]string {
	var rows [][]string
	for _, l := range leases {
		phase, left := l.State(), ""
		if l.Adopted {
			phase += ", adopted"
		}
		if len(l.Holders) > 0 {
			left = p.Countdown(l.Until)
		}
		var held []string
		for _, h := range l.Holders {
			held = append(held, strings.TrimPrefix(h.Case, "case/"))
		}
		rows = append(rows, []string{l.ID, l.Order.Target.Name(), phase, moment(l.Until), left, strings.Join(held, ", ")})
	}
	return rows
}

// leaseExtendOptions are the flags of lease extend.
type leaseExtendOptions struct {
	streams
	leaseFlags
	length durationFlag
}

func newLeaseExtend(s streams) *cobra.Command {
	o := &leaseExtendOptions{streams: s}
	c := &cobra.Command{
		Use: "extend LEASE", Short: "Ask the approvers of a lease to extend it",
		Long: `Asks, in each open case that holds the lease, the approval by which it stands,
else the one that the playbook asks when it is unsure. Whoever approves has it
stand longer for their case; without an answer it ends as before. A lease stands
for at most 14 days from now.`,
		Example: "  stanch lease extend lease/isolate/edr/ws-042 --for 8h --reason \"forensics at work\"",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.extend(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	c.Flags().Var(&o.length, "for", "how long from now (required)")
	return c
}

func (o *leaseExtendOptions) extend(ctx context.Context, id string) error {
	if o.length.d == 0 {
		return usagef("--for is required: how long from now the lease lasts")
	}
	client, in, err := o.check(id)
	if err != nil {
		return err
	}
	in.For = o.length.d
	got, err := client.ExtendLease(ctx, in)
	if err != nil {
		return answered(err)
	}
	return o.output.print(o.streams, got, func(*term.Printer) error { return o.asked(got) })
}

// asked shows who is asked. The lease is unchanged until they have approved.
func (o *leaseExtendOptions) asked(got api.Extending) error {
	var errs []error
	for _, a := range got.Asked {
		errs = append(errs, o.say("%s of case %s is asked until %s whether %s stands until %s: stanch case approve %s --plan %s",
			a.Approval.Name, a.Case, moment(a.Approval.ExpiresAt), a.Step, moment(a.Approval.Extends.Until), a.Case, a.Approval.PlanDigest))
	}
	for _, id := range slices.Sorted(maps.Keys(got.NotAsked)) {
		errs = append(errs, o.say("case %s asks nobody: %s", id, got.NotAsked[id]))
	}
	errs = append(errs, o.say("until then %s stands until %s, as before", got.ID, moment(got.Until)))
	return errors.Join(errs...)
}

// leaseReleaseOptions are the flags of lease release.
type leaseReleaseOptions struct {
	streams
	leaseFlags
}

func newLeaseRelease(s streams) *cobra.Command {
	o := &leaseReleaseOptions{streams: s}
	c := &cobra.Command{
		Use: "release LEASE", Short: "Release one containment now, even if cases still hold it",
		Example: "  stanch lease release lease/isolate/edr/ws-042 --reason \"cleaned\"",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.release(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	return c
}

func (o *leaseReleaseOptions) release(ctx context.Context, id string) error {
	client, in, err := o.check(id)
	if err != nil {
		return err
	}
	l, err := client.ReleaseLease(ctx, in)
	if err != nil {
		return answered(err)
	}
	return o.output.print(o.streams, l, func(*term.Printer) error {
		return o.say("%s", releasedText(l))
	})
}

// releasedText describes the state of a lease after a request to release it.
func releasedText(l incident.Lease) string {
	switch l.Phase {
	case incident.GivenBack:
		if l.Adopted {
			return l.ID + " is released; it stood before Stanch and was left as it was"
		}
		return l.ID + " is given back"
	case incident.LeaseFailed:
		return l.ID + " is given back"
	case incident.Undoing:
		if !l.UndoPendingSince.IsZero() {
			return l.ID + ": " + l.State() + " since " + moment(l.UndoPendingSince) + because(l.Problem) + "; it is tried until the device says so"
		}
	case incident.Applying, incident.Holding, incident.Confirmed:
	}
	return l.ID + " is being given back, and is tried until the device says so" + because(l.Problem)
}

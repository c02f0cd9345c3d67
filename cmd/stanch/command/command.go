// Package command is the command line of Stanch: one file per subcommand, each
// an options struct, a constructor of its command, and a run method.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes: a fault of the product or its surroundings, and a mistake of
// the user, after which nothing was changed.
const (
	exitOK    = 0
	exitFault = 1
	exitUsage = 2
)

// UsageError marks a user's mistake: only its message is shown, and nothing was
// changed.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

func usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// usage marks an error as the user's mistake.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
}

func run(ctx context.Context, args []string, s streams) int {
	root := New(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(s.err, "stanch: %v\n", err)
	if _, ok := errors.AsType[*UsageError](err); ok {
		return exitUsage
	}
	return exitFault
}

// New returns the whole command line.
func New(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "stanch",
		Short: "Respond to high-egress detections: contain, prove, give back",
		Long: `Stanch opens a durable case for a SIEM's alert of large outbound traffic, asks
who sends what, evaluates the team's policy, contains the host with a lease,
proves that egress fell, and gives the network back.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	for _, c := range []*cobra.Command{
		newServe(s),
		newAlert(s),
		newCase(s),
		newLease(s),
		newRelease(s),
		newPause(s),
		newResume(s),
		newBudget(s),
		newFlows(s),
		newDoctor(s),
		newHealth(s),
		newSlack(s),
		newToken(s),
		newVersion(s),
		newPlaybook(s),
		newDocs(s),
		newDemo(s),
		newBench(s),
	} {
		root.AddCommand(c)
	}
	mistakes(root)
	return root
}

// mistakes makes wrong arguments of every command the user's mistake.
func mistakes(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error { return usage(check(cmd, args)) }
	}
	for _, sub := range c.Commands() {
		mistakes(sub)
	}
}

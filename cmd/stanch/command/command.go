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
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stanch-soar/stanch/playbooks/policy"
)

// The exit codes: a fault of the product or its surroundings, and a mistake of
// the user, after which nothing was changed.
//
// A command that a signal ended before it was done exits with 128 and the signal's
// number, as shells do: 130 after Ctrl-C.
const (
	exitOK     = 0
	exitFault  = 1
	exitUsage  = 2
	exitSignal = 128
)

// signalError is the cause of a context that a signal ended.
type signalError syscall.Signal

func (e signalError) Error() string { return "stopped by signal: " + syscall.Signal(e).String() }

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
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		got := <-signals
		// A second signal ends the process at once.
		signal.Stop(signals)
		if number, ok := got.(syscall.Signal); ok {
			cancel(signalError(number))
		}
	}()
	return run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
}

func run(ctx context.Context, args []string, s streams) int {
	root := New(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if stopped, ok := errors.AsType[signalError](context.Cause(ctx)); ok {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, stopped) {
			fmt.Fprintf(s.err, "stanch: %v\n", err)
		}
		return exitSignal + int(stopped)
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
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(meantFlag(c, err)) })
	for _, c := range []*cobra.Command{
		newServe(s),
		newAlert(s),
		newSource(s),
		newCase(s),
		newLease(s),
		newRelease(s),
		newPause(s),
		newResume(s),
		newBudget(s),
		newReport(s),
		newFlows(s),
		newDoctor(s),
		newUpgradeCheck(s),
		newCodec(s),
		newHealth(s),
		newSlack(s),
		newToken(s),
		newScript(s),
		newVersion(s),
		newPlaybook(s),
		newDocs(s),
		newDemo(s),
		newBench(s),
		newGatewayHelper(s),
	} {
		root.AddCommand(c)
	}
	mistakes(root)
	return root
}

// mistakes makes wrong arguments of every command the user's mistake.
func mistakes(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if cmd.HasAvailableSubCommands() && len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return usage(check(cmd, args))
		}
	}
	for _, sub := range c.Commands() {
		mistakes(sub)
	}
}

// unknownCommand says which command was probably meant, or which there are.
func unknownCommand(c *cobra.Command, word string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if near := policy.Nearest(word, names); near != "" {
		return usagef("unknown command %q for %q: did you mean '%s'?", word, c.CommandPath(), near)
	}
	return usagef("unknown command %q for %q: there are %s", word, c.CommandPath(), strings.Join(names, ", "))
}

// meantFlag adds to the error about an unknown flag which one was probably meant.
func meantFlag(c *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := policy.Nearest(unknown.GetSpecifiedName(), names)
	if near == "" {
		return err
	}
	return fmt.Errorf("%w: did you mean '--%s'?", err, near)
}

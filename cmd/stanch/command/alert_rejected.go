package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/term"
)

func newAlertRejected(s streams) *cobra.Command {
	return group("rejected", "Look at alerts that were not understood, and have them read again",
		"  stanch alert rejected list\n  stanch alert rejected retry siem/0123456789abcdef",
		newRejectedList(s), newRejectedShow(s), newRejectedRetry(s))
}

// rejectedFlags select the rejected alert of a command.
type rejectedFlags struct {
	serverFlags
	output outputFlag
}

func (f *rejectedFlags) addTo(c *cobra.Command) {
	f.serverFlags.addTo(c)
	f.output.addTo(c)
	c.Args = cobra.ExactArgs(1)
	c.ValidArgsFunction = f.completer(func(ctx context.Context, client *apiclient.Client) ([]string, error) {
		list, err := client.Rejected(ctx)
		var ids []string
		for _, r := range list.Rejected {
			ids = append(ids, cobra.CompletionWithDesc(r.ID, r.Problem))
		}
		return ids, err
	})
}

func (f *rejectedFlags) check(id string) (*apiclient.Client, error) {
	if source, rest, ok := strings.Cut(id, "/"); !ok || source == "" || rest == "" || strings.Contains(rest, "/") {
		return nil, usagef("%q is not the id of a rejected alert: `stanch alert rejected list` shows them", id)
	}
	return f.client()
}

// rejectedListOptions are the flags of alert rejected list.
type rejectedListOptions struct {
	streams
	serverFlags
	output outputFlag
}

func newRejectedList(s streams) *cobra.Command {
	o := &rejectedListOptions{streams: s}
	c := &cobra.Command{
		Use: "list", Short: "List the rejected alerts that wait, newest first", Args: cobra.NoArgs,
		Example: "  stanch alert rejected list",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.addTo(c)
	o.output.addTo(c)
	return c
}

func (o *rejectedListOptions) run(ctx context.Context) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	list, err := client.Rejected(ctx)
	if err != nil {
		return answered(err)
	}
	if list.More {
		fmt.Fprintf(o.err, "stanch: there are more than these %d\n", len(list.Rejected))
	}
	err = o.output.print(o.streams, list, func(p *term.Printer) error {
		var rows [][]string
		for _, r := range list.Rejected {
			rows = append(rows, []string{r.ID, moment(r.At), or(r.Pointer, r.Field), r.Problem})
		}
		return p.Table([]string{"ID", "AT", "FIELD", "PROBLEM"}, rows)
	})
	if err == nil && len(list.Unread) > 0 {
		return fmt.Errorf("the list is not complete: %s did not answer", strings.Join(list.Unread, ", "))
	}
	return err
}

// rejectedShowOptions are the flags of alert rejected show.
type rejectedShowOptions struct {
	streams
	rejectedFlags
}

func newRejectedShow(s streams) *cobra.Command {
	o := &rejectedShowOptions{streams: s}
	c := &cobra.Command{
		Use: "show ID", Short: "Show a rejected alert as it came, and what is wrong with it",
		Example: "  stanch alert rejected show siem/0123456789abcdef",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.show(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	return c
}

// shownRejected is a rejected alert whose body is readable, where it is JSON.
type shownRejected struct {
	ID       string          `json:"id"`
	Source   string          `json:"source"`
	At       time.Time       `json:"at"`
	Field    string          `json:"field,omitempty"`
	Pointer  string          `json:"pointer,omitempty"`
	Problem  string          `json:"problem"`
	Resolved string          `json:"resolved,omitempty"`
	Body     json.RawMessage `json:"body"`
	// Size is how many bytes it had, where only the first are kept.
	Size int `json:"size,omitempty"`
}

func shown(r protocol.RejectedAlert) shownRejected {
	body := json.RawMessage(r.Body)
	if !json.Valid(r.Body) {
		// Encoding a text cannot fail.
		body, _ = json.Marshal(string(r.Body))
	}
	return shownRejected{r.ID, r.Source, r.At, r.Field, r.Pointer, r.Problem, r.Resolved, body, r.Size}
}

func (o *rejectedShowOptions) show(ctx context.Context, id string) error {
	client, err := o.check(id)
	if err != nil {
		return err
	}
	r, err := client.RejectedAlert(ctx, id)
	if err != nil {
		return answered(err)
	}
	return o.output.print(o.streams, shown(r), func(*term.Printer) error {
		errs := []error{o.say("%s, %s", r.ID, moment(r.At))}
		if r.Field != "" {
			errs = append(errs, o.say("field:    %s", r.Field))
		}
		if r.Pointer != "" {
			errs = append(errs, o.say("pointer:  %s", r.Pointer))
		}
		errs = append(errs, o.say("problem:  %s", r.Problem))
		if r.Resolved != "" {
			errs = append(errs, o.say("resolved: %s", r.Resolved))
		}
		if r.Size > 0 {
			errs = append(errs, o.say("cut:      the first %d of %d bytes are kept", len(r.Body), r.Size))
		}
		for line := range strings.Lines(string(r.Body)) {
			errs = append(errs, o.say("%s", strings.TrimRight(line, "\r\n")))
		}
		return errors.Join(errs...)
	})
}

// rejectedRetryOptions are the flags of alert rejected retry.
type rejectedRetryOptions struct {
	streams
	rejectedFlags
}

func newRejectedRetry(s streams) *cobra.Command {
	o := &rejectedRetryOptions{streams: s}
	c := &cobra.Command{
		Use: "retry ID", Short: "Read a rejected alert again, with the sources and playbooks as they are now",
		Example: "  stanch alert rejected retry siem/0123456789abcdef",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.retry(cmd.Context(), args[0]) },
	}
	o.addTo(c)
	return c
}

func (o *rejectedRetryOptions) retry(ctx context.Context, id string) error {
	client, err := o.check(id)
	if err != nil {
		return err
	}
	got, err := client.Retry(ctx, id)
	if err != nil {
		return answered(err)
	}
	return o.accepted(o.output, got)
}

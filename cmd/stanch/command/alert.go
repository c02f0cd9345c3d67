package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// The environment of alert send: the credential of the source.
const (
	envSourceToken = "STANCH_SOURCE_TOKEN"
	envSourceHMAC  = "STANCH_SOURCE_HMAC"
)

func newAlert(s streams) *cobra.Command {
	return group("alert", "Send alerts, and look after rejected ones",
		"  stanch alert send alert.json --source siem\n  stanch alert rejected list",
		newAlertSend(s), newAlertRejected(s))
}

// alertSendOptions are the flags of alert send.
type alertSendOptions struct {
	streams
	serverFlags
	output   outputFlag
	source   string
	authFile string
	hmacFile string
	try      bool
}

func newAlertSend(s streams) *cobra.Command {
	o := &alertSendOptions{streams: s}
	c := &cobra.Command{
		Use: "send FILE|-", Short: "Send what a SIEM would send, and say which cases it went to", Args: cobra.ExactArgs(1),
		Long: `Sends a file as the source does, to try a source or to send again what was lost.
A repeated alert has no second effect. The source's credential comes from a file
or the environment: a bearer token with --auth-file or $` + envSourceToken + `, a secret
that signs with --hmac-file or $` + envSourceHMAC + `.`,
		Example: "  stanch alert send alert.json --source siem --auth-file siem.token\n  jq -c . alert.json | stanch alert send - --source signed --hmac-file siem.secret",
		RunE:    func(cmd *cobra.Command, args []string) error { return o.send(cmd.Context(), args[0]) },
	}
	o.addURL(c)
	o.output.addTo(c)
	f := c.Flags()
	f.StringVar(&o.source, "source", "", "`name` of the source in stanch.yaml (required)")
	f.StringVar(&o.authFile, "auth-file", "", "`file` that holds the source's bearer token")
	f.BoolVar(&o.try, "try", false, "only say what it would become: nothing is kept or started")
	f.StringVar(&o.hmacFile, "hmac-file", "", "`file` that holds the secret with which the source signs")
	return c
}

func (o *alertSendOptions) send(ctx context.Context, file string) error {
	if o.source == "" {
		return usagef("--source is needed: the name of the source in stanch.yaml")
	}
	body, err := o.body(file, api.MaxBody)
	if err != nil {
		return err
	}
	prove, err := o.prove(body)
	if err != nil {
		return err
	}
	client, err := o.dial("")
	if err != nil {
		return err
	}
	if o.try {
		return o.tried(ctx, client, file, body, prove)
	}
	got, err := client.Send(ctx, o.source, body, prove)
	if err != nil {
		return o.unsent(client, file, err)
	}
	return o.accepted(o.output, got)
}

// unsent is why a body was not taken.
func (o *alertSendOptions) unsent(client *apiclient.Client, file string, err error) error {
	if e, ok := errors.AsType[*apiclient.Error](err); ok && e.Status == http.StatusUnauthorized {
		return usagef("source %q does not exist at %s, or the credential is not its own", o.source, client.URL())
	}
	return answered(fmt.Errorf("send %q: %w", file, err))
}

// tried shows what the server says that a body would become.
func (o *alertSendOptions) tried(ctx context.Context, client *apiclient.Client, file string, body []byte, prove func(*http.Request)) error {
	preview, err := client.Try(ctx, o.source, body, prove)
	if err != nil {
		return o.unsent(client, file, err)
	}
	if err := o.output.print(o.streams, preview, func(p *term.Printer) error { return showPreview(p, preview) }); err != nil {
		return err
	}
	return rejections(preview)
}

// accepted shows the results of the alerts of a request. Rejected ones are an
// error, as the sender has to know.
func (s streams) accepted(output outputFlag, got api.Accepted) error {
	err := output.print(s, got, func(p *term.Printer) error { return showAccepted(p, got) })
	if err == nil && len(got.Rejected) > 0 {
		return fmt.Errorf("%d of the alerts could not be taken: `stanch alert rejected show ID` shows each", len(got.Rejected))
	}
	return err
}

func showAccepted(p *term.Printer, got api.Accepted) error {
	var rows [][]string
	for _, c := range got.Cases {
		what := "joined or opened"
		if c.Repeat {
			what = "a repeat: the case is closed and had them"
		}
		rows = append(rows, []string{c.ID, strconv.Itoa(c.Alerts), what, c.URL})
	}
	for _, id := range got.Recorded {
		rows = append(rows, []string{"", "1", "recorded, starts nothing", id})
	}
	if got.Unkept > 0 {
		rows = append(rows, []string{"", strconv.Itoa(got.Unkept), "start nothing, and are only counted: the source has left as many as are kept", ""})
	}
	for _, r := range got.Rejected {
		problem := r.Problem
		if r.Path != "" {
			problem = r.Path + ": " + problem
		}
		rows = append(rows, []string{"", "1", "rejected: " + problem, r.ID})
	}
	return p.Table([]string{"CASE", "ALERTS", "RESULT", "WHERE"}, rows)
}

// prove returns the function that adds the source's credential to the request.
func (o *alertSendOptions) prove(body []byte) (func(*http.Request), error) {
	if o.authFile != "" && o.hmacFile != "" {
		return nil, usagef("--auth-file and --hmac-file exclude each other: give one")
	}
	token, err := credential("the source's token", o.authFile, envSourceToken)
	if err != nil {
		return nil, err
	}
	secret, err := credential("the source's secret", o.hmacFile, envSourceHMAC)
	if err != nil {
		return nil, err
	}
	// A flag takes precedence over the environment.
	if o.authFile != "" {
		secret = ""
	}
	if o.hmacFile != "" {
		token = ""
	}
	switch {
	case token != "" && secret != "":
		return nil, usagef("the environment holds %s and %s: keep one", envSourceToken, envSourceHMAC)
	case token != "":
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Reveal()) }, nil
	case secret != "":
		now := time.Now()
		return func(r *http.Request) {
			r.Header.Set(auth.SignatureHeader, httpx.Signature(secret, now, body))
		}, nil
	}
	return nil, usagef("no credential of the source: give --auth-file or --hmac-file, or set %s or %s", envSourceToken, envSourceHMAC)
}

func credential(what, file, variable string) (integrations.Secret, error) {
	if file == "" {
		return integrations.Secret(os.Getenv(variable)), nil
	}
	return readSecret(what, file)
}

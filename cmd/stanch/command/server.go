package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
)

// The environment of commands that call a server. A token is never passed on the
// command line, where every user of the machine sees it.
const (
	envURL       = "STANCH_URL"
	envToken     = "STANCH_TOKEN"
	envTokenFile = "STANCH_TOKEN_FILE"
)

// serverFlags select the server that a command calls, and the person.
type serverFlags struct {
	url       string
	tokenFile string
}

func (f *serverFlags) addTo(c *cobra.Command) {
	f.addURL(c)
	c.Flags().StringVar(&f.tokenFile, "token-file", "", "`file` that holds your token (else $"+envToken+" or $"+envTokenFile+")")
}

func (f *serverFlags) addURL(c *cobra.Command) {
	c.Flags().StringVar(&f.url, "url", "", "`address` of the server (else $"+envURL+", else "+apiclient.DefaultURL+")")
}

// client returns a client with the configured token of a person.
func (f *serverFlags) client() (*apiclient.Client, error) {
	token, err := f.token()
	if err != nil {
		return nil, err
	}
	return f.dial(token)
}

func (f *serverFlags) dial(token integrations.Secret) (*apiclient.Client, error) {
	c, err := apiclient.New(cmp.Or(f.url, os.Getenv(envURL), apiclient.DefaultURL), token)
	return c, usage(err)
}

func (f *serverFlags) token() (integrations.Secret, error) {
	file := f.tokenFile
	if file == "" {
		if token := os.Getenv(envToken); token != "" {
			return integrations.Secret(strings.TrimSpace(token)), nil
		}
		file = os.Getenv(envTokenFile)
	}
	if file == "" {
		return "", nil
	}
	return readSecret("the token", file)
}

// readSecret reads a secret from its file, without blanks around it. The error
// has nothing of it.
func readSecret(what, file string) (integrations.Secret, error) {
	data, err := readFile(file, 64<<10)
	if err != nil {
		return "", usagef("read %s: %w", what, err)
	}
	data = bytes.Trim(data, " \t\r\n")
	if len(data) == 0 {
		return "", usagef("read %s: %q is empty", what, file)
	}
	text, err := config.SecretText(data)
	if err != nil {
		return "", usagef("read %s: %q: %w", what, file, err)
	}
	return integrations.Secret(text), nil
}

// readFile reads a file of at most the given number of bytes.
func readFile(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(file, f, most)
}

func readAll(name string, r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%q is larger than %d bytes", name, most)
	}
	return data, nil
}

// answered marks an error with which the server refused the request as the user's
// mistake; a fault of the server or of the connection is not.
func answered(err error) error {
	if e, ok := errors.AsType[*apiclient.Error](err); ok && e.Mistake() {
		return usage(err)
	}
	return err
}

// completer completes with data of the server, if it answers; without a token it
// offers nothing.
func (f *serverFlags) completer(list func(context.Context, *apiclient.Client) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := f.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := list(cmd.Context(), c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// say writes one line for people, without terminal escape sequences.
func (s streams) say(format string, args ...any) error {
	return s.write([]byte(wording.Inert(fmt.Sprintf(format, args...), 2000) + "\n"))
}

// words completes a flag with a few words.
func words(list ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

// group is a command that only has subcommands.
func group(use, short, example string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(subs...)
	return c
}

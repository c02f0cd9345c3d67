package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
)

const (
	// codecToken is the least length of a codec server's own token.
	codecToken = 16
	// codecTimeout bounds a request and its answer, and how long the last may take at
	// the end.
	codecTimeout = 30 * time.Second
)

// codecOptions are the flags of codec.
type codecOptions struct {
	streams
	config    string
	listen    string
	origin    string
	tokenFile string
}

func newCodec(s streams) *cobra.Command {
	o := &codecOptions{streams: s}
	c := &cobra.Command{
		Use: "codec", Short: "Show a Temporal cluster's own pages what Stanch compressed and encrypted", Args: cobra.NoArgs,
		Long: `Runs a codec server: Temporal's pages and its command line send it the payloads
that they have, and show what it answers. It decodes only, with the keys of the
configuration, for people who have the right read: a token is sent as a bearer
token, or as a password. A browser is signed in at the server's own address.

It listens on this machine only, unless it is told otherwise, and speaks plain
HTTP: put a proxy with TLS in front of it on any other network.`,
		Example: "  stanch codec --config stanch.yaml --origin http://127.0.0.1:8233",
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration `file`")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8234", "`address` to listen on")
	f.StringVar(&o.origin, "origin", "", "`address` of the pages that may read the answers in a browser (none when not given)")
	f.StringVar(&o.tokenFile, "token-file", "", "`file` with a token that is let in besides those of people")
	return c
}

func (o *codecOptions) run(ctx context.Context) error {
	if o.config == "" {
		return usagef("--config is needed: it has the keys, and who may read")
	}
	if err := checkOrigin(o.origin); err != nil {
		return err
	}
	c, err := loadConfig(o.config, "")
	if err != nil {
		return err
	}
	var own integrations.Secret
	if o.tokenFile != "" {
		if own, err = readSecret("the token", o.tokenFile); err != nil {
			return err
		}
		if len(own.Reveal()) < codecToken {
			return usagef("read the token: %q holds fewer than %d bytes: make one with openssl rand -hex 32", o.tokenFile, codecToken)
		}
	}
	return o.serve(ctx, c, own)
}

// checkOrigin refuses what a browser would never send as an origin.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if origin != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
		return usagef("--origin %q is not an origin such as http://127.0.0.1:8233: scheme, host and port, and nothing after them", origin)
	}
	return nil
}

func (o *codecOptions) serve(ctx context.Context, c *config.Config, own integrations.Secret) error {
	log, err := logger(o.err, c, "", "")
	if err != nil {
		return err
	}
	logs.TakeAll(log)
	handler, err := service.Codec(c, own, o.origin, log)
	if errors.Is(err, service.ErrNoReader) {
		return usage(fmt.Errorf("%w: give somebody a token_sha256 in %s, or give --token-file", err, o.config))
	}
	if err != nil {
		return err
	}
	listener, err := service.Listen(o.listen, "--listen")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: codecTimeout, ReadTimeout: codecTimeout, WriteTimeout: 2 * codecTimeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Info("ready", "url", "http://"+listener.Addr().String(), "origin", o.origin)
	select {
	case err := <-ended:
		return fmt.Errorf("the codec server ended: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), codecTimeout)
	defer cancel()
	return server.Shutdown(last)
}

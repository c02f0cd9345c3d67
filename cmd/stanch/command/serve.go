package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	streams
	config    string
	data      string
	temporal  string
	listen    string
	roles     []string
	logFormat string
	logLevel  string
}

func newServe(s streams) *cobra.Command {
	o := &serveOptions{streams: s}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the receiver, the worker and the speaker",
		Long: `Runs every role in one process, on the embedded engine or on a Temporal cluster.
Without a configuration it runs the defaults: the embedded engine, the simulated
estate, the library's playbooks in shadow mode, and nobody who may send alerts.`,
		Example: "  stanch serve --config stanch.yaml\n  stanch serve --config stanch.yaml --temporal temporal.example:7233 --roles worker",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration `file`")
	f.StringVar(&o.data, "data", "", "`folder` of the embedded engine and of evidence")
	f.StringVar(&o.temporal, "temporal", "", "engine: embedded, or `host:port` of a Temporal frontend")
	f.StringVar(&o.listen, "listen", "", "`address` of the HTTP side")
	f.StringSliceVar(&o.roles, "roles", nil, "roles of this process: "+strings.Join(service.Roles(), ", ")+" (all when not given, but on a cluster no speaker)")
	f.StringVar(&o.logFormat, "log-format", "", "`format` of the log: json, text (the configuration's when not given)")
	f.StringVar(&o.logLevel, "log-level", "", "least `level` that is logged: debug, info, warn, error (the configuration's when not given)")
	return c
}

// loadConfig reads the configuration; without a file it is the defaults. A
// folder given on the command line replaces the configuration's.
func loadConfig(file, data string) (*config.Config, error) {
	override := func(c *config.Config) {
		if data != "" {
			c.Data = data
		}
	}
	var c *config.Config
	var err error
	if file == "" {
		c, err = config.Default(cmp.Or(data, "data"), all.Catalog())
	} else {
		c, err = config.Load(file, all.Catalog(), override)
	}
	return c, usage(err)
}

// logger is the log of a process: as the configuration says, where the command
// line says nothing else.
func logger(w io.Writer, c *config.Config, format, level string) (*slog.Logger, error) {
	written, err := logs.ParseFormat(cmp.Or(format, string(c.Log.Format)))
	if err != nil {
		return nil, usage(err)
	}
	least, err := logs.ParseLevel(cmp.Or(level, c.Log.Level))
	if err != nil {
		return nil, usage(err)
	}
	return logs.New(w, written, least), nil
}

func (o *serveOptions) run(ctx context.Context) error {
	for _, role := range o.roles {
		if !slices.Contains(service.Roles(), role) {
			return usagef("invalid role %q: must be one of %s", role, strings.Join(service.Roles(), ", "))
		}
	}
	c, err := loadConfig(o.config, o.data)
	if err != nil {
		return err
	}
	if o.temporal != "" {
		c.Temporal.Address = o.temporal
	}
	if o.listen != "" {
		c.Listen = o.listen
	}
	if err := o.fit(c); err != nil {
		return err
	}
	log, err := logger(o.err, c, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	logs.TakeAll(log)
	s, err := service.Start(ctx, service.Options{Config: c, Roles: o.roles, Log: log})
	if issues, ok := errors.AsType[playbooks.Issues](err); ok {
		return usage(issues)
	}
	if err != nil {
		return err
	}
	log.Info("ready", "url", s.URL(), "engine", c.Temporal.Address)
	select {
	case <-ctx.Done():
		log.Info("stopping; open cases go on at the next start")
	case err = <-s.Failed():
	}
	if stopErr := s.Stop(); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("stop: %w", stopErr))
	}
	return err
}

// fit refuses to run only some roles with the embedded engine: no other process
// can reach it, so the other roles would not run at all.
func (o *serveOptions) fit(c *config.Config) error {
	if c.Temporal.Address != config.Embedded || len(o.roles) == 0 {
		return nil
	}
	for _, role := range service.Roles() {
		needed := role != service.RoleSpeaker || slices.ContainsFunc(c.Opened, func(i config.Integration) bool { return i.Spec.Role == role })
		if needed && !slices.Contains(o.roles, role) {
			return usagef("roles %s without %s: no other process reaches the embedded engine; leave --roles out, or give --temporal",
				strings.Join(o.roles, ", "), role)
		}
	}
	return nil
}

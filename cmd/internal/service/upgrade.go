package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/upgrade"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
)

// UpgradeOptions configure [CheckUpgrade].
type UpgradeOptions struct {
	Config *config.Config
	// Scratch is the folder for the copy of an embedded engine's data; that of the
	// system for temporary files when empty.
	Scratch string
	// Check replays; its engine, codecs and site are filled in.
	Check upgrade.Check
}

// CheckUpgrade replays the open workflows of the configured namespace on this build.
// Nothing is changed: a cluster is read; an embedded engine, which must not run, is
// started on a copy of its data, without a worker.
func CheckUpgrade(ctx context.Context, o UpgradeOptions) (result upgrade.Result, err error) {
	c := o.Config
	reach, err := reachOf(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return result, err
	}
	if c.Temporal.Address == config.Embedded {
		copied, stop, err := startCopy(ctx, c, o.Scratch)
		if err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		reach.Address, reach.TLS = copied.HostPort(), copied.TLS()
	}
	connection, err := engine.Dial(ctx, reach)
	if err != nil {
		return result, err
	}
	defer connection.Close()
	o.Check.Engine, o.Check.Site = connection, newUpgradeSite(c)
	if o.Check.Codecs, err = reach.Codecs(); err != nil {
		return result, err
	}
	return o.Check.Run(ctx)
}

// startCopy starts an engine on a copy of the configured one's data. Stop removes the
// copy.
func startCopy(ctx context.Context, c *config.Config, scratch string) (s *embedded.Server, stop func() error, err error) {
	dir, err := os.MkdirTemp(scratch, "stanch-upgrade-check-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the copy: %w", err)
	}
	remove := func() error { return os.RemoveAll(dir) }
	if err := embedded.Snapshot(engineDir(c), dir); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	s, err = embedded.Start(ctx, embedded.Options{DataDir: dir, Namespace: c.Temporal.Namespace, SearchAttributes: engine.SearchAttributes()})
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return s, func() error { return errors.Join(s.Stop(), remove()) }, nil
}

// upgradeSite implements [upgrade.Site] on a configuration, without opening an
// integration.
type upgradeSite struct {
	config *config.Config
	set    *integrations.Set
	// pinned are the answers by digest: many cases carry the same playbook.
	pinned map[string][]string
}

func newUpgradeSite(c *config.Config) *upgradeSite {
	s := &upgradeSite{config: c, set: integrations.NewSet(), pinned: map[string][]string{}}
	for _, i := range c.Opened {
		s.set.Add(i.Name, i.Spec, nil)
	}
	return s
}

// Pinned implements [upgrade.Site].
func (s *upgradeSite) Pinned(pin activities.Pin) []string {
	why, known := s.pinned[pin.Digest]
	if !known {
		why = s.misfits(pin)
		s.pinned[pin.Digest] = why
	}
	// Cases with one playbook may have begun under other limits.
	why = slices.Clone(why)
	for _, class := range pin.Classes {
		if unserved := s.Served(protocol.QueueOfClass(class.Use, class.Name)); unserved != "" {
			why = append(why, unserved)
		}
	}
	return why
}

// Served implements [upgrade.Site].
func (s *upgradeSite) Served(queue string) string {
	if _, served := ownQueues(s.config)[queue]; served || queue == "" {
		return ""
	}
	return fmt.Sprintf("nobody works on its task queue %q: no integration has that name, or such a class of operations, any more", queue)
}

func (s *upgradeSite) misfits(pin activities.Pin) []string {
	p, err := pin.Load(s.config.AssetRoles)
	if err != nil {
		return []string{err.Error()}
	}
	var why []string
	for _, i := range p.CheckIntegrations(func(name string, used playbooks.Use) string { return Complaint(s.set, name, used) }) {
		why = append(why, "the case's playbook: "+i.String())
	}
	return why
}

// Used implements [upgrade.Site].
func (s *upgradeSite) Used(name string) string { return Complaint(s.set, name, playbooks.Use{}) }

// engineDir is the folder of the embedded engine.
func engineDir(c *config.Config) string { return filepath.Join(c.Data, "temporal") }

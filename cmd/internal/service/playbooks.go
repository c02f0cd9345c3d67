package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// watchEvery is the interval at which the folders of playbooks are checked.
const watchEvery = 2 * time.Second

// shelf holds the playbooks in force. A folder that does not lint never
// replaces one that did.
type shelf struct {
	dirs    []string
	with    []playbooks.Setting
	set     *integrations.Set
	log     *slog.Logger
	current atomic.Pointer[[]*playbooks.Playbook]
	// failing counts the files that do not load now, or is 1 where the folder as a whole does not; changed is
	// called when that, or what is in force, has changed.
	failing atomic.Int64
	changed func()
	// stamp is the state of the files when they were read last.
	stamp string
}

// newShelf loads the playbooks, as the settings of the site say. At start, what does not lint is an error.
func newShelf(dirs []string, set *integrations.Set, log *slog.Logger, with ...playbooks.Setting) (*shelf, error) {
	s := &shelf{dirs: dirs, with: with, set: set, log: log, changed: func() {}}
	loaded, stamp, err := s.load()
	if err != nil {
		return nil, err
	}
	s.current.Store(&loaded)
	s.stamp = stamp
	s.warn(loaded)
	return s, nil
}

// warn logs the complaints of lint about playbooks that load.
func (s *shelf) warn(loaded []*playbooks.Playbook) {
	for _, p := range loaded {
		for _, w := range p.Warnings() {
			s.log.Warn("a playbook loads, and lint complains", "playbook", p.Name, "complaint", w.String())
		}
	}
}

// playbooks returns the playbooks in force, sorted by name.
func (s *shelf) playbooks() []*playbooks.Playbook { return *s.current.Load() }

// watch loads changes until the context ends.
func (s *shelf) watch(ctx context.Context) {
	if len(s.dirs) == 0 {
		return
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.refresh()
		}
	}
}

func (s *shelf) refresh() {
	files, stamp, err := s.files()
	if err == nil && stamp == s.stamp {
		return
	}
	s.stamp = stamp
	var loaded []*playbooks.Playbook
	if err == nil {
		loaded, err = s.read(files)
	}
	s.failing.Store(failures(err))
	defer s.changed()
	if err != nil {
		s.log.Error("the playbooks were changed and do not load; those before stay in force", "error", err)
		return
	}
	s.current.Store(&loaded)
	for _, p := range loaded {
		s.log.Info("playbook in force", "name", p.Name, "mode", p.Mode, "digest", p.Digest())
	}
}

// failures counts the files that do not load.
func failures(err error) int64 {
	if err == nil {
		return 0
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return int64(len(joined.Unwrap()))
	}
	return 1
}

func (s *shelf) load() ([]*playbooks.Playbook, string, error) {
	if len(s.dirs) == 0 {
		loaded, err := library.Playbooks()
		if err != nil {
			return nil, "", fmt.Errorf("load the library: %w", err)
		}
		return loaded, "", s.fits(loaded)
	}
	files, stamp, err := s.files()
	if err != nil {
		return nil, "", err
	}
	loaded, err := s.read(files)
	return loaded, stamp, err
}

// files lists the playbooks below the folders, and what reports whether one was
// changed.
func (s *shelf) files() (files []string, stamp string, err error) {
	var b strings.Builder
	for _, dir := range s.dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !isPlaybook(d.Name()) {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			files = append(files, path)
			fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
			return nil
		})
		if err != nil {
			return nil, "", fmt.Errorf("look for playbooks: %w", err)
		}
	}
	slices.Sort(files)
	return files, b.String(), nil
}

// isPlaybook reports whether a file is a playbook and not its tests, which are next to it.
func isPlaybook(name string) bool {
	ext := filepath.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && !strings.HasSuffix(strings.TrimSuffix(name, ext), "_test")
}

func (s *shelf) read(files []string) ([]*playbooks.Playbook, error) {
	var loaded []*playbooks.Playbook
	var errs []error
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read playbook: %w", err)
		}
		p, err := playbooks.Load(file, data, s.with...)
		if err == nil && s.differs(p) {
			err = p.Lint().Err()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if at := slices.IndexFunc(loaded, func(o *playbooks.Playbook) bool { return o.Name == p.Name }); at >= 0 {
			errs = append(errs, fmt.Errorf("%s: playbook %s is in %s already", file, p.Name, loaded[at].File()))
			continue
		}
		loaded = append(loaded, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(loaded, func(a, b *playbooks.Playbook) int { return strings.Compare(a.Name, b.Name) })
	return loaded, s.fits(loaded)
}

// differs reports whether a playbook differs from the one of its file that is
// in force. At start there is none: what was deployed then loads with the
// complaints that lint has learnt since.
func (s *shelf) differs(p *playbooks.Playbook) bool {
	before := s.current.Load()
	return before != nil && !slices.ContainsFunc(*before, func(o *playbooks.Playbook) bool {
		return o.File() == p.File() && bytes.Equal(o.Text(), p.Text())
	})
}

// fits reports whether the integrations that the playbooks use exist and can
// do what the playbooks require.
func (s *shelf) fits(loaded []*playbooks.Playbook) error {
	var issues playbooks.Issues
	for _, p := range loaded {
		issues = append(issues, p.CheckIntegrations(func(name string, used playbooks.Use) string {
			return Complaint(s.set, name, used)
		})...)
	}
	return issues.Err()
}

// Complaint returns why an integration cannot do what a playbook requires, or the
// empty string when it can.
func Complaint(set *integrations.Set, name string, used playbooks.Use) string {
	spec, ok := set.Spec(name)
	switch {
	case !ok:
		return fmt.Sprintf("no integration %q is configured; there are %s", name, strings.Join(set.Names(), ", "))
	case used.Fact != "" && !spec.Knows(used.Fact):
		return fmt.Sprintf("integration %s (%s) does not know %s", name, spec.Kind, used.Fact)
	case used.Action != "" && !spec.Does(used.Action):
		return fmt.Sprintf("integration %s (%s) cannot %s", name, spec.Kind, used.Action)
	case used.Messenger && !spec.Can("Messenger"):
		return fmt.Sprintf("integration %s (%s) cannot tell people", name, spec.Kind)
	case used.Directory && !spec.Can("Answerable"):
		return fmt.Sprintf("integration %s (%s) has no directory of people", name, spec.Kind)
	case used.OnCall && !spec.Can("OnCall"):
		return fmt.Sprintf("integration %s (%s) does not know who is on call", name, spec.Kind)
	case used.Heard > 0 && spec.Hearing.Within == 0:
		return fmt.Sprintf("integration %s (%s) does not tell when it heard an agent: leave out heard_within and fallback", name, spec.Kind)
	case used.Heard > 0 && used.Heard < spec.Hearing.Within:
		return fmt.Sprintf("heard_within must be at least %s: integration %s (%s) may not tell sooner that it heard an agent",
			incident.FormatDuration(spec.Hearing.Within), name, spec.Kind)
	}
	return ""
}

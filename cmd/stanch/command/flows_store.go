package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// storeFlags select the flow store of a command.
type storeFlags struct {
	store  string
	config string
	use    string
}

// addTo gives the command the flags. What describes the integrations that --use
// may name.
func (f *storeFlags) addTo(c *cobra.Command, what string) {
	c.Flags().StringVar(&f.store, "store", "", "`file` of the embedded flow store")
	c.Flags().StringVar(&f.config, "config", "", "`stanch.yaml` that names the flow store")
	c.Flags().StringVar(&f.use, "use", "", "`integration` "+what+" in stanch.yaml, where there are several")
}

// load reads the configuration; it is nil when a file is given.
func (f *storeFlags) load() (*config.Config, error) {
	if (f.store == "") == (f.config == "") {
		return nil, usagef("give --store FILE, or --config FILE of a stanch.yaml that names the store")
	}
	switch {
	case f.store == "":
		return loadConfig(f.config, "")
	case f.use != "":
		return nil, usagef("--use names an integration of --config: with --store there is none")
	default:
		return nil, nil
	}
}

// open opens the embedded store, and creates it if it does not exist.
func (f *storeFlags) open(ctx context.Context) (*sqlite.Store, *config.Config, error) {
	c, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	path := f.store
	if c != nil {
		if path, err = f.embedded(c); err != nil {
			return nil, nil, err
		}
	}
	store, err := sqlite.Open(ctx, path)
	return store, c, err
}

// there returns the user's mistake when there is no such store.
func there(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return usagef("there is no flow store %q: stanch flows import makes one", path)
	}
	return nil
}

// embedded finds the file of the embedded store that the configuration names.
func (f *storeFlags) embedded(c *config.Config) (string, error) {
	var names, paths []string
	for _, i := range c.Opened {
		if store, ok := i.Config.(*sqlite.Config); ok && (f.use == "" || f.use == i.Name) {
			names, paths = append(names, i.Name), append(paths, store.Path)
		}
	}
	switch len(paths) {
	case 0:
		return "", usagef("%s has no integration %sof kind sqlite", f.config, strings.TrimPrefix(f.use+" ", " "))
	case 1:
		return paths[0], nil
	default:
		return "", usagef("%s has several flow stores, give --use: %s", f.config, strings.Join(names, ", "))
	}
}

// openAny opens a flow store of any kind, and returns it under its name.
func (f *storeFlags) openAny(ctx context.Context) (*integrations.Set, string, error) {
	c, err := f.load()
	if err != nil {
		return nil, "", err
	}
	chosen := config.Integration{Name: f.store, Spec: sqlite.Spec(), Config: &sqlite.Config{Path: f.store}}
	if c != nil {
		if chosen, err = f.choose(c); err != nil {
			return nil, "", err
		}
	}
	if store, ok := chosen.Config.(*sqlite.Config); ok {
		if err := there(store.Path); err != nil {
			return nil, "", err
		}
	}
	set, err := service.Open(ctx, []config.Integration{chosen})
	return set, chosen.Name, err
}

// choose returns the integration that --use names, or the only one that knows
// traffic.
func (f *storeFlags) choose(c *config.Config) (config.Integration, error) {
	var stores, all []string
	var only config.Integration
	for _, i := range c.Opened {
		if i.Name == f.use {
			return i, nil
		}
		all = append(all, i.Name)
		if i.Spec.Can("Flows") {
			stores, only = append(stores, i.Name), i
		}
	}
	switch {
	case f.use != "":
		return only, usagef("%s has no integration %q; there are %s", f.config, f.use, strings.Join(all, ", "))
	case len(stores) == 0:
		return only, usagef("%s has no flow store; there are %s", f.config, strings.Join(all, ", "))
	case len(stores) > 1:
		return only, usagef("%s has several flow stores, give --use: %s", f.config, strings.Join(stores, ", "))
	}
	return only, nil
}

// capable returns the store as the capability C, or the user's mistake; what
// describes the capability.
func capable[C any](set *integrations.Set, name, what string) (C, error) {
	c, err := integrations.Use[C](set, name)
	if err != nil {
		spec, _ := set.Spec(name)
		return c, usagef("%s is of kind %s, which cannot %s", name, spec.Kind, what)
	}
	return c, nil
}

// timeFlag is a time; the zero one means the newest record of the store.
type timeFlag struct{ at time.Time }

func (f *timeFlag) String() string {
	if f.at.IsZero() {
		return ""
	}
	return f.at.Format(time.RFC3339)
}

// Type is what the usage shows for the value.
func (f *timeFlag) Type() string { return "time" }

// Set takes an RFC 3339 time.
func (f *timeFlag) Set(value string) error {
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return fmt.Errorf("%q is not a time such as 2026-03-01T03:00:00Z", value)
	}
	f.at = at
	return nil
}

// end is the requested time.
func (f *timeFlag) end(ctx context.Context, store *sqlite.Store) (time.Time, error) {
	if !f.at.IsZero() {
		return f.at, nil
	}
	span, err := store.Span(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if span.Records == 0 {
		return time.Time{}, empty(store.Path())
	}
	if span.Newest.IsZero() {
		return time.Now(), nil
	}
	return after(span.Newest), nil
}

// after returns the end of a window that includes records at the given time: the
// end of a window is exclusive.
func after(newest time.Time) time.Time { return newest.Add(time.Nanosecond) }

func empty(store string) error {
	return usagef("the flow store %q is empty: stanch flows import fills it", store)
}

// staleness returns the message that a store is stale at a time, which what
// describes, or an empty text. A store knows nothing of the time after its newest
// record; that does not mean that it was quiet.
func staleness(newest, at time.Time, what string) string {
	switch lag, stale := incident.Lag(newest, at); {
	case newest.IsZero():
		return "stale: it has no record at all"
	case stale:
		return "stale: its newest record is of " + newest.UTC().Format(time.RFC3339) + ", " +
			incident.FormatDuration(lag) + " before " + what + "; nothing is known of what came after it"
	default:
		return ""
	}
}

// The times at which a store may be stale.
const (
	windowsEnd = "the window's end"
	thePresent = "now"
)

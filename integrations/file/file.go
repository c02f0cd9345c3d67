// Package file is the inventory that a team keeps with its playbooks: a YAML
// or CSV file that is read again when it changes.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxFile bounds the file; YAML files are bounded to less, see
// [playbooks.MaxFile].
const maxFile = 64 << 20

// Config is the inventory's part of stanch.yaml.
type Config struct {
	Path string `yaml:"path,required" doc:"The inventory: a .yaml, .yml or .csv file. It is read again when it changes."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "file",
		Summary:    "Inventory in a YAML or CSV file.",
		Implements: (*Inventory)(nil),
		Facts:      []string{"asset"},
		Permissions: []integrations.Permission{
			{Name: "read the file", Why: "it is read again when it changes"},
		},
		Example:   "inventory: { kind: file, path: ./inventory.yaml }",
		Reference: reference,
		NewConfig: func() any { return &Config{} },
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) {
			if c.Path == "" {
				return nil, integrations.Errorf(integrations.Invalid, "open the inventory", "path is empty")
			}
			return New(c.Path)
		}),
	}
}

// Inventory is the assets of one file. It is safe for concurrent use.
type Inventory struct {
	path  string
	parse func(name string, data []byte) ([]asset, playbooks.Issues)

	mu     sync.Mutex
	assets []asset
	loaded bool
	// seen is the state of the file at the last attempt to read it, problem
	// what was wrong then.
	seen    stamp
	problem error
}

// stamp reports whether a file has changed.
type stamp struct {
	modified time.Time
	size     int64
}

// New returns the inventory in the file at path. The file is read by the first
// use; the ending of its name is the format.
func New(path string) (*Inventory, error) {
	i := &Inventory{path: path}
	switch ending := strings.ToLower(filepath.Ext(path)); ending {
	case ".yaml", ".yml":
		i.parse = parseYAML
	case ".csv":
		i.parse = parseCSV
	default:
		return nil, integrations.Errorf(integrations.Invalid, "open the inventory",
			"%q ends in %q: an inventory is a .yaml, .yml or .csv file", path, ending)
	}
	return i, nil
}

// Asset implements [integrations.Inventory]. A host that several entries match
// is a conflict, unless they are equal: none of them is preferred.
func (i *Inventory) Asset(ctx context.Context, q integrations.EndpointQuery) (incident.Asset, error) {
	op := fmt.Sprintf("look up the asset %s", describe(q))
	if err := ctx.Err(); err != nil {
		return incident.Asset{}, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	assets, err := i.current()
	if assets == nil && err != nil {
		return incident.Asset{}, integrations.Errorf(kindOf(err), op, "%w", err)
	}
	found := match(assets, q)
	switch {
	case len(found) == 0:
		return incident.Asset{}, integrations.Errorf(integrations.NotFound, op, "%q has no such host", i.path)
	case alike(found):
		return found[0].fact(), nil
	}
	return incident.Asset{}, integrations.Errorf(integrations.Conflict, op, "%d entries of %q match: %s", len(found), i.path, names(found))
}

// Probe implements [integrations.Prober].
func (i *Inventory) Probe(context.Context) []integrations.Finding {
	assets, err := i.current()
	switch {
	case err != nil && assets != nil:
		return []integrations.Finding{{
			What: fmt.Sprintf("the inventory %q does not load; the %d hosts of its last version are in use: %v", i.path, len(assets), err),
			Fix:  "correct the file; it is read again when it changes",
		}}
	case err != nil:
		return []integrations.Finding{{
			What: fmt.Sprintf("the inventory %q does not load: %v", i.path, err),
			Fix:  "correct the path or the file; it is read again when it changes",
		}}
	}
	findings := []integrations.Finding{{What: fmt.Sprintf("the inventory %q has %d hosts", i.path, len(assets)), OK: true}}
	if again := twice(assets); len(again) > 0 {
		const most = 10
		more := ""
		if len(again) > most {
			more = fmt.Sprintf(" and %d others", len(again)-most)
		}
		findings = append(findings, integrations.Finding{
			What: fmt.Sprintf("the inventory %q has hosts twice: %s%s", i.path, strings.Join(again[:min(len(again), most)], "; "), more),
			Fix:  "keep one entry per host; where two of them differ, the host is unknown",
		})
	}
	return findings
}

// AssetRoles implements [integrations.RoleLister].
func (i *Inventory) AssetRoles(context.Context) ([]string, error) {
	assets, err := i.current()
	if assets == nil && err != nil {
		return nil, integrations.Errorf(kindOf(err), "list the roles of the inventory", "%w", err)
	}
	var roles []string
	for _, a := range assets {
		if a.Role != "" {
			roles = append(roles, a.Role)
		}
	}
	return roles, nil
}

// current returns the assets, read again when the file has changed. A file that
// does not load never replaces one that did: then both are returned, the earlier
// assets and the error.
func (i *Inventory) current() ([]asset, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	info, err := os.Stat(i.path)
	if err != nil {
		i.seen, i.problem = stamp{}, err
		return i.held(), err
	}
	now := stamp{info.ModTime(), info.Size()}
	if now == i.seen {
		return i.held(), i.problem
	}
	i.seen = now
	assets, err := i.read()
	i.problem = err
	if err == nil {
		i.assets, i.loaded = assets, true
	}
	return i.held(), err
}

// held returns the assets that loaded last, or nil if none did.
func (i *Inventory) held() []asset {
	if i.loaded && i.assets == nil {
		return []asset{}
	}
	return i.assets
}

func (i *Inventory) read() ([]asset, error) {
	f, err := os.Open(i.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%q has more than %d bytes", i.path, maxFile)
	}
	assets, issues := i.parse(i.path, data)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	return assets, nil
}

// kindOf distinguishes an invalid file from one that cannot be read.
func kindOf(err error) integrations.Kind {
	if _, wrong := errors.AsType[playbooks.Issues](err); wrong {
		return integrations.Invalid
	}
	return integrations.Unavailable
}

func describe(q integrations.EndpointQuery) string {
	var parts []string
	for _, p := range append([]string{q.ID, q.Name}, q.IPs...) {
		if p != "" {
			parts = append(parts, fmt.Sprintf("%q", p))
		}
	}
	if len(parts) == 0 {
		return "of a host without identifiers"
	}
	return strings.Join(parts, ", ")
}

// Package nfdump reads the flow records that nfcapd collects, by running the
// nfdump program on their folder. It never writes there.
//
// What nfcapd stores has its exporter's sampling applied already: the counters
// are multiplied when they are received, by the rate that the exporter
// announces or that nfcapd's option -s sets. They are not multiplied again;
// the rate is shown, and the answers are marked as sampled.
package nfdump

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const (
	defaultTimeout = time.Minute
	maxTimeout     = 15 * time.Minute
	defaultLongest = time.Hour
	maxLongest     = 24 * time.Hour
	defaultRecords = 1_000_000
	maxRecords     = 20_000_000
	// running bounds the programs that run at once: each takes a core.
	running = 2
	maxName = 100
)

// Config is the configuration of a folder of flow records in stanch.yaml.
type Config struct {
	Folder  string               `yaml:"folder,required" doc:"The folder into which nfcapd writes, absolute. Its subfolders are read, too."`
	Program string               `yaml:"program" doc:"The nfdump program: an absolute path, or a name to look for in PATH when Stanch starts."`
	Longest time.Duration        `yaml:"longest" doc:"The longest time that one record covers: the exporters' active timeout."`
	Sensors map[string]string    `yaml:"sensors" doc:"Names for exporters, by the address from which nfcapd gets their packets."`
	Only    []integrations.Match `yaml:"only" doc:"Records count where each of these has one of its values: in_if, out_if, router, proto, event (of a firewall: ignore, create, delete or deny) or forwarding_status."`
	Without []integrations.Match `yaml:"without" doc:"Records do not count where one of these has one of its values."`
	Records int                  `yaml:"records" doc:"How many flows of one host may be held in memory at once, about 160 bytes each."`
	Timeout time.Duration        `yaml:"timeout" doc:"How long one run of the program may take."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:       "nfdump",
		Summary:    "Flow store of nfcapd's files, read by the nfdump program.",
		Implements: (*Store)(nil),
		Facts:      []string{"traffic", "baseline"},
		Permissions: []integrations.Permission{
			{Name: "read the folder and everything below it", Why: "the records are there; nothing is written"},
			{Name: "run nfdump", Why: "it alone knows the format of its files"},
		},
		Example: "flows: { kind: nfdump, folder: /var/cache/nfdump }",
		NewConfig: func() any {
			return &Config{Program: "nfdump", Longest: defaultLongest, Records: defaultRecords, Timeout: defaultTimeout}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return Open(*c) }),
	}
}

// Store is a folder of flow records. It is safe for concurrent use.
type Store struct {
	config  Config
	program string
	turns   chan struct{}
	now     func() time.Time
	// longer records that there are records longer than the configured maximum.
	longer flowmath.Longer

	mu      sync.Mutex
	release *version
}

// Open returns the store that a configuration describes. It looks for the
// program, and reads nothing.
func Open(c Config) (*Store, error) {
	invalid := func(format string, args ...any) (*Store, error) {
		return nil, integrations.Errorf(integrations.Invalid, "open the flow store", format, args...)
	}
	switch {
	case !filepath.IsAbs(c.Folder):
		return invalid("folder %q is not an absolute path", c.Folder)
	case strings.ContainsFunc(c.Folder, func(r rune) bool { return r == ':' || unicode.IsControl(r) }):
		// To nfdump a colon separates the first and the last of several files.
		return invalid("folder %q contains a colon or a control character, which nfdump cannot read", c.Folder)
	case c.Longest < time.Second || c.Longest > maxLongest:
		return invalid("longest is %s: must be between 1s and %s", c.Longest, maxLongest)
	case c.Records < 1 || c.Records > maxRecords:
		return invalid("records is %d: must be between 1 and %d", c.Records, maxRecords)
	case c.Timeout < time.Second || c.Timeout > maxTimeout:
		return invalid("timeout is %s: must be between 1s and %s", c.Timeout, maxTimeout)
	case c.Program != filepath.Base(c.Program) && !filepath.IsAbs(c.Program):
		return invalid("program %q must be an absolute path or a name", c.Program)
	}
	if err := c.checkMatches(); err != nil {
		return invalid("%w", err)
	}
	program, err := exec.LookPath(c.Program)
	if err != nil {
		return invalid("find the program: %w", err)
	}
	if !filepath.IsAbs(program) {
		return invalid("program %q was found at %q, which is not an absolute path", c.Program, program)
	}
	for address, name := range c.Sensors {
		if a, err := netip.ParseAddr(address); err != nil || a.String() != address {
			return invalid("sensors: %q is not an address as nfdump writes it", address)
		}
		if name == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
			return invalid("sensors: the name of %s is empty, longer than %d bytes or holds a control character", address, maxName)
		}
	}
	c.Folder = filepath.Clean(c.Folder)
	return &Store{config: c, program: program, turns: make(chan struct{}, running), now: time.Now, longer: flowmath.Longer{Limit: c.Longest}}, nil
}

// Probe implements [integrations.Prober].
func (s *Store) Probe(ctx context.Context) []integrations.Finding {
	release, err := s.version(ctx)
	if err != nil {
		return []integrations.Finding{{
			What: fmt.Sprintf("run %q: %v", s.program, err),
			Fix:  fmt.Sprintf("install nfdump %s or newer, or name the program", oldest()),
		}}
	}
	found := []integrations.Finding{{What: fmt.Sprintf("%q is nfdump %s", s.program, release), OK: true}}
	now := s.now()
	span, err := s.span(ctx, now)
	switch {
	case err != nil:
		return append(found, integrations.Finding{
			What: fmt.Sprintf("read the flow records in %q: %v", s.config.Folder, err),
			Fix:  "check that the folder is nfcapd's, and that Stanch may read it and everything below it",
		})
	case span.Records == 0:
		return append(append(found, s.probeMatches(ctx, s.now())...), integrations.Finding{
			What: fmt.Sprintf("%q has no flow records", s.config.Folder),
			Fix:  "check that nfcapd writes there, and that exporters send to it",
		})
	}
	found = append(append(found, s.probeMatches(ctx, span.Newest)...), integrations.Finding{
		What: fmt.Sprintf("%q has %d flow records, the newest of %s", s.config.Folder, span.Records, span.NewestText()), OK: true,
	})
	return append(found, span.Findings(fmt.Sprintf("%q", s.config.Folder), now, "")...)
}

// folder checks that the folder exists: for a file of another format nfdump itself
// reports that nothing matched.
func (s *Store) folder(op string) error {
	info, err := os.Stat(s.config.Folder)
	switch {
	case err != nil:
		return integrations.Errorf(integrations.Unavailable, op, "%w", err)
	case !info.IsDir():
		return integrations.Errorf(integrations.Unavailable, op, "%q is not a folder", s.config.Folder)
	}
	return nil
}

package nftables

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// longest is for how long a limit may stand at a gateway: as long as the ttl of a step
	// may be, and a bit more, since clocks differ.
	longest = playbooks.MaxTTL + time.Hour
	// maxAddresses bounds the addresses of one host.
	maxAddresses = 64
)

// Guard is the configuration of the helper at a gateway. The gateway's administrator
// decides by it what may be asked for at all, whoever asks.
type Guard struct {
	Networks   []netip.Prefix    `yaml:"networks,required" doc:"The networks whose hosts may be limited, such as [10.1.0.0/16]. No other address is taken."`
	Actions    []incident.Action `yaml:"actions" doc:"Which of rate_limit and block may be done. Both where it is left out."`
	Link       int64             `yaml:"link" unit:"rate" doc:"The speed of the uplink, such as 1Gbit. A limit at or above it is refused; none is where it is left out."`
	LowestRate int64             `yaml:"lowest_rate" unit:"rate" doc:"The lowest rate that a host may be limited to, such as 1Mbit."`
	MaxLimits  int               `yaml:"max_limits" doc:"How many limits and blocks may stand at a time."`
}

// ReadGuard reads a guard's file. It must be root's, and nobody else may be able to change
// it or put another one in its place.
func ReadGuard(path string) (Guard, error) {
	text, err := readRooted(path)
	if err != nil {
		return Guard{}, fmt.Errorf("read %s: %w", path, err)
	}
	g := Guard{MaxLimits: defaultMaxLimits, Actions: []incident.Action{incident.RateLimit, incident.Block}}
	if issues := playbooks.DecodeStrict(path, text, &g); len(issues) > 0 {
		return Guard{}, issues
	}
	if err := g.check(); err != nil {
		return Guard{}, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// readRooted reads a file that is root's, in a folder that is root's.
func readRooted(path string) ([]byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find it: %w", err)
	}
	folder, err := os.Lstat(filepath.Dir(path))
	if err != nil {
		return nil, errors.New("its folder is not there")
	}
	if err := rooted(folder); err != nil {
		return nil, fmt.Errorf("its folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file: nothing is done without it")
	case errors.Is(err, syscall.ELOOP):
		return nil, errors.New("it is a link: nothing is done by it")
	case err != nil:
		return nil, errors.New("it cannot be read")
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.New("it cannot be read")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a file")
	}
	if err := rooted(info); err != nil {
		return nil, err
	}
	return readBounded(f, playbooks.MaxFile)
}

// rooted reports as an error that others than root can change a file or folder.
func rooted(info fs.FileInfo) error {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || owner.Uid != 0:
		return errors.New("it is not root's: chown root")
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a link")
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others than root may write it (%04o): chmod go-w", info.Mode().Perm())
	}
	return nil
}

func (g Guard) check() error {
	for _, n := range g.Networks {
		if n != n.Masked() || n.Addr().Is4In6() {
			return fmt.Errorf("invalid network %q: it is an address and not a network, or written in IPv6", n)
		}
	}
	for _, a := range g.Actions {
		if a != incident.RateLimit && a != incident.Block {
			return fmt.Errorf("invalid action %q: there are rate_limit and block", a)
		}
	}
	switch {
	case len(g.Networks) == 0:
		return errors.New("networks is empty: no host could be limited")
	case len(g.Actions) == 0:
		return errors.New("actions is empty: nothing could be done")
	case g.MaxLimits < 1 || g.MaxLimits > mostLimits:
		return fmt.Errorf("invalid max_limits %d: between 1 and %d", g.MaxLimits, mostLimits)
	case g.Link > 0 && g.LowestRate >= g.Link:
		return fmt.Errorf("lowest_rate %s is not below the link's %s: no limit could be put in place", incident.FormatRate(g.LowestRate), incident.FormatRate(g.Link))
	}
	return nil
}

// allows returns why the guard refuses to put a limit in place; a check may lack its key
// and how long it is to stay.
func (g Guard) allows(l Limit, checked bool) error {
	if err := wellFormed(l.Scope); err != nil {
		return err
	}
	if err := keyed(l.Key); err != nil && !(checked && l.Key == "") {
		return err
	}
	for _, a := range l.Addresses {
		if !slices.ContainsFunc(g.Networks, func(n netip.Prefix) bool { return n.Contains(a) }) {
			return refuse(integrations.NotFound, "the gateway does not take %s: it is in none of the helper's networks", a)
		}
	}
	switch {
	case l.Problem != "" || l.Chain != "" || l.Counters != nil:
		return refuse(integrations.Invalid, "a limit that is asked for has neither counters nor a problem")
	case !slices.Contains(g.Actions, actionFor(l.Action)):
		return refuse(integrations.Denied, "the gateway does not take %s: %s is not in the helper's actions", l.Action, actionFor(l.Action))
	case l.Left < 0 || l.Left == 0 && !checked:
		return refuse(integrations.Invalid, "it has ended already")
	case l.Left > mostLeft(l.Action):
		return refuse(integrations.Invalid, "it is to stay for %s, and at most %s are taken", incident.FormatDuration(l.Left), incident.FormatDuration(mostLeft(l.Action)))
	}
	return g.allowsRate(l)
}

func (g Guard) allowsRate(l Limit) error {
	if l.Action != incident.RateLimit {
		if l.Rate != 0 {
			return refuse(integrations.Invalid, "a %s has no rate, and this one has %d", l.Action, l.Rate)
		}
		return nil
	}
	if err := countable(l.Rate); err != nil {
		return refuse(integrations.Invalid, "%w", err)
	}
	switch {
	case l.Rate < g.LowestRate:
		return refuse(integrations.Denied, "the gateway does not take a rate of %s: the helper's lowest_rate is %s", incident.FormatRate(l.Rate), incident.FormatRate(g.LowestRate))
	case g.Link > 0 && l.Rate >= g.Link:
		return refuse(integrations.Invalid, "a rate of %s limits nothing: the helper's link is %s", incident.FormatRate(l.Rate), incident.FormatRate(g.Link))
	}
	return nil
}

package estate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Config is what an estate is made from. A zero field, other than Seed, is the whole
// estate's.
type Config struct {
	Seed uint64
	// Hosts is how many hosts there are, besides proxies and NATs; 2,000, at least MinHosts.
	Hosts int
	// Days is how long the records go back from End; 30, at least MinDays.
	Days int
	// Flows is about how many records of usual traffic there are; 10 million. What is
	// planted comes on top.
	Flows int
	// End is when the records end, by right clocks. In UTC, to the second.
	End time.Time
}

// The least of an estate: fewer hosts have no room for what is planted, fewer days no
// usual traffic to compare it with.
const (
	MinHosts = 100
	MinDays  = 12
	maxHosts = 4000 // the addresses of a role at a site
	maxDays  = 370
)

// Small is a twentieth of the whole estate: 100 hosts, the same 30 days.
func Small(seed uint64) Config {
	return Config{Seed: seed, Hosts: MinHosts, Flows: 500_000}
}

func (c *Config) complete() error {
	if c.Hosts == 0 {
		c.Hosts = 2000
	}
	if c.Days == 0 {
		c.Days = 30
	}
	if c.Flows == 0 {
		c.Flows = 10_000_000
	}
	if c.End.IsZero() {
		c.End = time.Date(2026, 11, 28, 15, 0, 0, 0, time.UTC)
	}
	c.End = c.End.UTC().Truncate(time.Second)
	switch {
	case c.Hosts < MinHosts || c.Hosts > maxHosts:
		return fmt.Errorf("make an estate: %d hosts is out of range, %d to %d", c.Hosts, MinHosts, maxHosts)
	case c.Days < MinDays || c.Days > maxDays:
		return fmt.Errorf("make an estate: %d days is out of range, %d to %d", c.Days, MinDays, maxDays)
	case c.Flows < 0:
		return fmt.Errorf("make an estate: %d flows is out of range", c.Flows)
	}
	return nil
}

// Estate is an invented company. It does not change; its methods may be called from
// several goroutines.
type Estate struct {
	config   Config
	start    int64 // ns since 1970
	hours    int
	hosts    []Host
	sensors  []Sensor
	programs []program
	roles    []profile
	rhythms  [rhythms][]float64 // by hour of the week, Monday first
	rate     float64            // records in an hour of a host with weight 1
	planted  []planted
	plants   []plant
	byHour   [][]int32 // plants that are at work in an hour
	rules    []Rule
	restart  restart
}

// New makes the estate. It makes no records yet.
func New(c Config) (*Estate, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	e := &Estate{
		config: c, hours: c.Days * 24, start: c.End.Add(-time.Duration(c.Days) * 24 * time.Hour).UnixNano(),
		sensors: sensors(), programs: programs(), roles: profiles(),
	}
	e.rhythms = weeks()
	e.settle()
	e.restart = e.whenRestarted()
	e.byHour = make([][]int32, e.hours)
	if err := e.plant(); err != nil {
		return nil, err
	}
	e.rules = rules()
	e.rate = float64(c.Flows) / e.weight()
	return e, nil
}

// Start is when the records begin.
func (e *Estate) Start() time.Time { return time.Unix(0, e.start).UTC() }

// End is when the records end. Those of a sensor whose clock is ahead bear later times.
func (e *Estate) End() time.Time { return e.config.End }

// Hosts returns the hosts, then the proxies and the NATs.
func (e *Estate) Hosts() []Host { return slices.Clone(e.hosts) }

// Host returns the host of that name.
func (e *Estate) Host(name string) (Host, bool) {
	i := slices.IndexFunc(e.hosts, func(h Host) bool { return h.Name == name })
	if i < 0 {
		return Host{}, false
	}
	return e.hosts[i], true
}

// Networks are the company's own addresses.
func (e *Estate) Networks() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:20::/48")}
}

// hour is the beginning of the i-th hour.
func (e *Estate) hour(i int) int64 { return e.start + int64(i)*int64(time.Hour) }

// hourOf is the hour that holds the time, which may be out of range.
func (e *Estate) hourOf(at int64) int {
	return int(math.Floor(float64(at-e.start) / float64(time.Hour)))
}

// dice draws numbers that depend on the seed and on what they are for only.
type dice struct {
	*rand.Rand
	pcg *rand.PCG
}

func newDice() dice {
	pcg := rand.NewPCG(0, 0)
	return dice{rand.New(pcg), pcg}
}

// throw begins the numbers for one purpose.
func (d dice) throw(seed uint64, purpose, a, b uint64) {
	d.pcg.Seed(mix(seed^purpose<<56^a), mix(b+0x51ed270b*purpose))
}

// The purposes of numbers.
const (
	forHosts uint64 = iota + 1
	forHour
	forPlan
	forPlant
	forSensor
	forPeer
	forProcess
)

// mix spreads a number over all bits (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// between draws a whole number between both bounds, inclusive.
func (d dice) between(low, high int64) int64 { return low + d.Int64N(high-low+1) }

// around draws about a median, of whose logarithm sigma is the deviation. What is usual has
// bounds: what is beyond them was planted.
func (d dice) around(median, sigma float64) float64 {
	const most = 2.5
	return median * math.Exp(sigma*max(-most, min(most, d.NormFloat64())))
}

// chance reports true in that share of the cases.
func (d dice) chance(share float64) bool { return d.Float64() < share }

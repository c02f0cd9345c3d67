package integrations

import (
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Limit is how often a product lets itself be asked, as its vendor says.
type Limit struct {
	// Name is the class of calls that it counts, in small letters; empty: all calls. A
	// class has a task queue of its own, in which cases wait: it must not be renamed
	// or left out while cases run that began with it.
	Name string
	// N calls are allowed in each time of Per: N in all, or N of each kind.
	N    int
	Per  time.Duration
	Each bool
	// Facts and Actions are what the calls of a named class are made for.
	Facts   []string
	Actions []incident.Action
	// Requests is how many of the counted calls one operation makes at most, but for what
	// it polls for longer and lists that are cut into pages; 0 is one.
	Requests int
	// Source is where the vendor says so.
	Source string
}

// longestPace is the longest time that sets a pace. Calls that are spread evenly over an
// hour would hold up the first case of the day for what only a storm can use up: such a
// limit is kept by counting.
const longestPace = time.Minute

// SetsPace reports whether operations are spread evenly so that the limit is kept.
func (l Limit) SetsPace() bool { return l.Per <= longestPace }

// Text is the limit for people.
func (l Limit) Text() string {
	text := fmt.Sprintf("%d in %s", l.N, incident.FormatDuration(l.Per))
	if l.Each {
		text += " of each kind"
	}
	if l.Name != "" {
		text += " for " + l.Name
	}
	return text
}

// quickest is how many operations a second may always be begun where a limit is over a minute,
// which the workers share: spread as evenly as a storm needs it, the few operations of a
// single case would wait ten seconds for each other.
const quickest = 0.5

// pace is how many operations a second keep the limit.
func (l Limit) pace() float64 {
	operations, per := float64(l.N)/float64(max(1, l.Requests)), l.Per.Seconds()
	pace := operations / per // The client spreads the calls of one operation.
	if operations >= 2 {
		pace = min(operations/(per+1), (operations-1)/per)
	}
	if l.Per == longestPace {
		return max(pace, min(quickest, float64(l.N)/per/2))
	}
	return pace
}

// Pace is how many operations of a class a second keep all its limits; 0 is no limit. What
// the engine lets begin at once when nothing has begun for a while, a second's worth and at least one,
// counts too.
func (s Spec) Pace(class string) float64 {
	pace := 0.0
	for _, l := range s.Limits {
		if l.Name != class || !l.SetsPace() {
			continue
		}
		own := l.pace()
		if pace == 0 || own < pace {
			pace = own
		}
	}
	return pace
}

// Class is a class of operations of an integration with a pace of its own.
type Class struct {
	Name string
	// Of are the facts and actions that it is about.
	Of []string
}

// Classes lists the named classes that have a pace, in the order of the limits.
func (s Spec) Classes() []Class {
	var all []Class
	for _, l := range s.Limits {
		if l.Name == "" || s.Pace(l.Name) == 0 {
			continue
		}
		at := slices.IndexFunc(all, func(c Class) bool { return c.Name == l.Name })
		if at < 0 {
			all = append(all, Class{Name: l.Name})
			at = len(all) - 1
		}
		all[at].Of = append(all[at].Of, l.Facts...)
		for _, action := range l.Actions {
			all[at].Of = append(all[at].Of, string(action))
		}
	}
	return all
}

// badLimits lists what is wrong with the limits of a Spec.
func (s Spec) badLimits() []string {
	var wrong []string
	bad := func(l Limit, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("kind %s: limit %q: ", s.Kind, l.Text())+fmt.Sprintf(format, args...))
	}
	owner := map[string]string{}
	for _, l := range s.Limits {
		if l.N < 1 || l.Per < time.Second || l.Requests < 0 || l.Source == "" {
			bad(l, "it needs a number, a second or more, and its source")
		}
		if class := len(l.Facts)+len(l.Actions) > 0; class && l.Name == "" {
			bad(l, "one that counts all calls names no facts or actions")
		}
		for i := range len(l.Name) {
			if c := l.Name[i]; (c < 'a' || c > 'z') && c != '_' {
				bad(l, "invalid class name: small letters and underscores are allowed")
				break
			}
		}
		of := slices.Clone(l.Facts)
		for _, action := range l.Actions {
			of = append(of, string(action))
		}
		for _, name := range of {
			if !slices.Contains(s.Facts, name) && !slices.Contains(s.Actions, incident.Action(name)) {
				bad(l, "the kind does not claim %s", name)
			}
			if other, taken := owner[name]; taken && other != l.Name {
				bad(l, "%s is in class %s too", name, other)
			}
			owner[name] = l.Name
		}
	}
	return wrong
}

package integrations_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// edr has all that a limit may name.
type edr struct{}

func (edr) Read(context.Context, incident.Order) (incident.Reading, error) {
	return incident.Reading{}, nil
}

func (edr) Apply(context.Context, incident.Order) (incident.Receipt, error) {
	return incident.Receipt{}, nil
}

func (edr) Undo(context.Context, incident.Order) (incident.Receipt, error) {
	return incident.Receipt{}, nil
}

func (edr) Connections(context.Context, integrations.ConnectionQuery) ([]incident.Connection, error) {
	return nil, nil
}

func limited(limits ...integrations.Limit) integrations.Spec {
	return integrations.Spec{
		Kind: "acme", Implements: (*edr)(nil), Actions: []incident.Action{incident.Isolate, incident.RateLimit}, Facts: []string{"process"}, Limits: limits,
	}
}

func TestPaceIsTheSlowestLimitOfItsClass(t *testing.T) {
	s := limited(
		integrations.Limit{N: 100, Per: time.Minute, Requests: 2, Source: "doc"},
		integrations.Limit{N: 1500, Per: time.Hour, Source: "doc"},
		integrations.Limit{N: 50, Per: time.Second, Source: "doc"},
		integrations.Limit{Name: "script", N: 10, Per: time.Minute, Actions: []incident.Action{incident.RateLimit}, Source: "doc"},
		integrations.Limit{Name: "search", N: 3, Per: time.Second, Requests: 6, Facts: []string{"process"}, Source: "doc"},
		integrations.Limit{Name: "fast", N: 100, Per: time.Second, Source: "doc"},
		integrations.Limit{Name: "daily", N: 1000, Per: 24 * time.Hour, Source: "doc"},
	)
	if lies := s.Lies(); len(lies) > 0 {
		t.Errorf("complaints %q", lies)
	}
	for class, want := range map[string]float64{"": 49.0 / 60, "script": 9.0 / 60, "fast": 100.0 / 2, "search": 0.5, "daily": 0, "other": 0} {
		if got := s.Pace(class); math.Abs(got-want) > 1e-9 {
			t.Errorf("the pace of %q is %v, want %v", class, got, want)
		}
	}
	classes := s.Classes()
	if len(classes) != 3 || classes[0].Name != "script" || !slices.Equal(classes[0].Of, []string{"rate_limit"}) || classes[1].Name != "search" || !slices.Equal(classes[1].Of, []string{"process"}) {
		t.Errorf("the classes are %+v", classes)
	}
	if limited().Pace("") != 0 || limited().Classes() != nil {
		t.Error("a kind without limits has a pace")
	}
}

func TestBadLimitsAreReported(t *testing.T) {
	good := integrations.Limit{Name: "script", N: 10, Per: time.Minute, Actions: []incident.Action{incident.RateLimit}, Source: "doc"}
	change := func(f func(*integrations.Limit)) []integrations.Limit {
		l := good
		f(&l)
		return []integrations.Limit{good, l}
	}
	for want, limits := range map[string][]integrations.Limit{
		"it needs a number":               change(func(l *integrations.Limit) { l.N = 0 }),
		"a second or more":                change(func(l *integrations.Limit) { l.Per = time.Millisecond }),
		"and its source":                  change(func(l *integrations.Limit) { l.Source = "" }),
		"names no facts":                  change(func(l *integrations.Limit) { l.Name = "" }),
		"invalid class name":              change(func(l *integrations.Limit) { l.Name = "live-response" }),
		"does not claim traffic":          change(func(l *integrations.Limit) { l.Facts = []string{"traffic"} }),
		"rate_limit is in class script t": change(func(l *integrations.Limit) { l.Name = "search" }),
	} {
		if lies := limited(limits...).Lies(); len(lies) == 0 || !strings.Contains(strings.Join(lies, "\n"), want) {
			t.Errorf("complaints %q, want %q among them", lies, want)
		}
	}
}

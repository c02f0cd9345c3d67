// Package playbooktest runs the tests of playbooks: each case is a rehearsal of
// the real workflow with the real activities, on a skipped clock, over a
// simulated estate with the given facts.
package playbooktest

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"sync"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Report is the result of one test file.
type Report struct {
	File     string `json:"file"`
	Playbook string `json:"playbook"`
	// Enforced reports whether the playbook is in shadow mode and was tested as
	// if it acted.
	Enforced bool     `json:"enforced,omitempty"`
	Cases    []Result `json:"cases"`
	// Rules is how many rules the playbook has; Uncovered are those that no case
	// expects.
	Rules     int      `json:"rules"`
	Uncovered []string `json:"uncovered,omitempty"`
}

// Failed counts the cases that failed.
func (r Report) Failed() int {
	n := 0
	for _, c := range r.Cases {
		if len(c.Failures) > 0 {
			n++
		}
	}
	return n
}

// Result is the result of one case.
type Result struct {
	Name string `json:"name"`
	Line int    `json:"line"`
	// Failures are the expectations that did not hold; a case without any has
	// passed.
	Failures []Failure `json:"failures,omitempty"`
	// Decision and Timeline explain a failure.
	Decision *incident.Decision `json:"decision,omitempty"`
	Timeline []incident.Event   `json:"timeline,omitempty"`
}

// Failure is one expectation that did not hold.
type Failure struct {
	// What is the key of expect, or the event of the timeline.
	What string `json:"what"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got"`
}

// String returns the expected and the actual value.
func (f Failure) String() string {
	if f.Want == "" {
		return f.What + ": " + f.Got
	}
	return fmt.Sprintf("%s: want %s, got %s", f.What, f.Want, f.Got)
}

// Run runs the cases whose names match, all when match is nil, as many at once
// as there are processors. The error is one of the environment; a failing case is
// not an error. Where the cases do not give the role of the traffic, it is
// derived with the limits; nil means the shipped ones.
func Run(ctx context.Context, p *playbooks.Playbook, tests *playbooks.TestFile, file string, match *regexp.Regexp, limits traffic.LimitsByRole) (Report, error) {
	report := Report{File: file, Playbook: p.Name, Enforced: p.Mode == playbooks.Shadow, Rules: len(p.Decide), Uncovered: tests.Uncovered(p)}
	var cases []playbooks.TestCase
	for _, c := range tests.Cases {
		if match == nil || match.MatchString(c.Name) {
			cases = append(cases, c)
		}
	}
	dir, err := os.MkdirTemp("", "stanch-test-")
	if err != nil {
		return report, fmt.Errorf("make a folder for evidence: %w", err)
	}
	report.Cases = make([]Result, len(cases))
	var running sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, c := range cases {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			report.Cases[i] = runCase(ctx, p, c, dir, limits)
		})
	}
	running.Wait()
	if err := os.RemoveAll(dir); err != nil {
		return report, fmt.Errorf("remove the evidence of the tests: %w", err)
	}
	return report, ctx.Err()
}

// runCase rehearses one case and checks its expectations.
func runCase(ctx context.Context, p *playbooks.Playbook, c playbooks.TestCase, dir string, limits traffic.LimitsByRole) (result Result) {
	result = Result{Name: c.Name, Line: c.Line}
	fail := func(format string, args ...any) Result {
		result.Failures = append(result.Failures, Failure{What: "rehearsal", Got: fmt.Sprintf(format, args...)})
		return result
	}
	// The engine's test environment panics when a rehearsal does not end.
	defer func() {
		if fault := recover(); fault != nil {
			fail("the engine gave up: %v", fault)
		}
	}()
	if err := ctx.Err(); err != nil {
		return fail("%v", err)
	}
	r, err := newRehearsal(ctx, p, c, dir, limits)
	if err != nil {
		return fail("%v", err)
	}
	seen, err := r.run()
	if err != nil {
		return fail("%v", err)
	}
	result.Failures = append(seen.mishaps, compare(c.Expect, seen)...)
	if len(result.Failures) > 0 {
		result.Decision, result.Timeline = seen.Decision, seen.Timeline
	}
	return result
}

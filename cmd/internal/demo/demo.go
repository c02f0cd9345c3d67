// Package demo shows one case from alert to evidence: the real engine, receiver,
// worker, policy and flow store, around a simulated estate or a network of real packets.
// It shows what any client can read: the case over HTTP, and what was measured.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Answer is how the demo's question is answered.
type Answer string

// The answers.
const (
	AskPerson Answer = "ask"
	Approve   Answer = "approve"
	Deny      Answer = "deny"
)

// Command is something to try next.
type Command struct{ Does, Line string }

// Options configure the demo.
type Options struct {
	// Dir is the folder of all files of the demo; it must be empty. Without
	// one it is a temporary folder that is removed at the end, unless the demo
	// fails.
	Dir string
	// Real has a network of real packets in the place of the simulated estate. It takes
	// what [lab.Ready] asks for. All of it is temporary: there is no Dir.
	Real bool
	// Answer is given to the approval, with the Reason; AskPerson reads both
	// from In.
	Answer Answer
	Reason string
	// Because is why no person is asked, if none is.
	Because string
	In      io.Reader
	Printer *term.Printer
	// Overwrites reports whether lines can be overwritten, so that progress
	// lines need not be printed.
	Overwrites bool
	// Next returns what to try next, given the folder and its files.
	Next func(Kept) []Command
}

// Kept is what remains of a demo; without a folder of its own nothing does, and
// Dir is empty.
type Kept struct {
	Dir, Config, Playbook, Token, Evidence string
	// Case is its id.
	Case string
}

// errSurprise marks a response that did not go as it must.
var errSurprise = errors.New("this did not go as it must")

// show is a demo while it runs.
type show struct {
	Options
	p       *term.Printer
	begun   time.Time
	folder  *folder
	log     *os.File
	service *service.Service
	api     *apiclient.Client
	// meter measures, and measured says from what, such as "from the flow store".
	meter    meter
	measured string
	// network is that of a demo with real packets.
	network *network
	// ref is the case, c its last state, told how many of its events were shown.
	ref  api.CaseRef
	c    incident.Case
	told int
	// last reports whether only the end of the case is left to be shown.
	last bool
	// beat is when a progress line was last printed.
	beat time.Time
	// held are the leases by step, in their last state.
	held map[string]incident.Lease
	stop []func() error
	// failed reports that the log is to be kept.
	failed bool
}

// Run shows the demo. It ends by itself; when the context ends before, it prints
// what happens to the case, and returns the context's cause.
func Run(ctx context.Context, o Options) error {
	s := &show{Options: o, p: o.Printer, begun: time.Now(), held: map[string]incident.Lease{}}
	story := s.real()
	if !o.Real {
		var err error
		if s.folder, err = layOut(o.Dir); err != nil {
			return err
		}
		story = s.simulated()
	}
	err := play(ctx, story)
	switch {
	case ctx.Err() != nil:
		err = s.interrupted()
	case err == nil:
		err = s.farewell()
	}
	s.failed = err != nil
	if stopErr := s.close(); stopErr != nil {
		err = errors.Join(err, fmt.Errorf("stop the demo: %w", stopErr))
	}
	if err != nil && s.folder != nil {
		return fmt.Errorf("%w; the log is %s", err, s.folder.log)
	}
	if err == nil && s.folder != nil && s.folder.temporary {
		if err := os.RemoveAll(s.folder.dir); err != nil {
			return fmt.Errorf("remove the demo's folder: %w", err)
		}
	}
	if err != nil {
		return err
	}
	return context.Cause(ctx)
}

// simulated is the story on the simulated estate.
func (s *show) simulated() []part {
	return []part{s.introduce, s.start, s.importFlows, s.flood, s.postAlert, s.firstResponse, s.approval, s.containment, s.givenBack, s.closed}
}

// part is one of a story.
type part func(context.Context) error

func play(ctx context.Context, story []part) error {
	for _, p := range story {
		if err := p(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) introduce(context.Context) error {
	files := s.p.Field("kept in", s.folder.dir, "")
	if s.folder.temporary {
		files = s.p.Field("files", s.folder.dir, "removed at the end; --data keeps them")
	}
	return errors.Join(
		s.p.Title("Stanch demo: a workstation floods the Internet, and is stopped"),
		s.p.Field("real", "the embedded Temporal engine, the receiver, the worker, the policy, the flow store, the evidence", ""),
		s.p.Field("simulated", "the company: its hosts, its EDR, its gateway, its Slack, and what they send", ""),
		files,
	)
}

// interrupted prints what happens to a case whose engine stops.
func (s *show) interrupted() error {
	text := "Stopped. "
	if s.ref.ID == "" {
		return errors.Join(s.p.Say(""), s.p.Say(text+"No case was opened."))
	}
	if s.folder.temporary {
		return errors.Join(s.p.Say(""), s.p.Say(text+"The case and its leases were the demo's alone, and are gone with it."))
	}
	text += "The case and its leases are in the engine's database: a deployment that starts again goes on with them, and gives back what has run out. So does this one:"
	return errors.Join(s.p.Say(""), s.p.Say(text), s.p.Command("", "stanch serve --config "+s.folder.path(configFile)))
}

// close stops everything that was started, the last first.
func (s *show) close() error {
	var errs []error
	for i := len(s.stop) - 1; i >= 0; i-- {
		errs = append(errs, s.stop[i]())
	}
	return errors.Join(errs...)
}

// farewell prints where the files are and what to try next.
func (s *show) farewell() error {
	k := Kept{
		Dir: s.folder.dir, Config: s.folder.path(configFile), Playbook: s.folder.path(playbookFile),
		Token: s.folder.path(tokenFile), Evidence: s.c.EvidenceDir, Case: s.ref.ID,
	}
	entries, err := os.ReadDir(k.Evidence)
	if err != nil {
		return fmt.Errorf("look at the evidence: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	held := "the whole case with its alerts, what was collected, the playbook, and digests of it all: " + strings.Join(names, ", ")
	errs := []error{s.p.Title("The evidence bundle")}
	if s.folder.temporary {
		k = Kept{Case: k.Case}
		errs = append(errs, s.p.Say("  "+held+"."))
	} else {
		errs = append(errs, s.p.Command(held, k.Evidence))
	}
	if s.Next != nil {
		errs = append(errs, s.p.Title("Try next"))
		for _, c := range s.Next(k) {
			errs = append(errs, s.p.Command(c.Does, c.Line))
		}
	}
	took := incident.FormatDuration(time.Since(s.begun).Truncate(time.Second))
	return errors.Join(append(errs, s.p.Say(""), s.p.Aside("From nothing to a closed case in "+took+"."))...)
}

package service

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// desk implements [integrations.Desk] on the engine: a click is counted, or kept
// as a workflow of its own, before it is acknowledged, and so survives any crash
// afterwards.
type desk struct {
	engine *engine.Client
	use    string
	queue  string
	// messenger identifies accounts, people maps an account to its person.
	messenger integrations.Answerable
	people    directory
	// answer passes a click to its case at once; nil where this process does not
	// run cases, or has to keep to the pace of the integration.
	answer func(context.Context, protocol.ClickInput) (protocol.Answered, error)
}

// atOnce is how long a click is tried to be counted before it is kept. It leaves
// time for that: Slack waits three seconds for an acknowledgement.
const atOnce = time.Second

// Answer implements [integrations.Desk]. A click that does not count at once
// is handed to the workflow, which retries it and reports a refusal to the person.
func (d desk) Answer(ctx context.Context, c integrations.Click) error {
	c.Use = d.use
	in := protocol.ClickInput{Click: c, Queue: d.queue}
	if d.answer != nil {
		soon, cancel := context.WithTimeout(ctx, atOnce)
		out, err := d.answer(soon, in)
		cancel()
		if err == nil && out.Refused == "" {
			return nil
		}
	}
	return d.engine.KeepClick(ctx, in)
}

// Admit implements [integrations.Desk]: the account must be exactly one person
// of the configuration who may read, as at the API.
func (d desk) Admit(ctx context.Context, c integrations.Click) error {
	c.Use = d.use
	account, err := d.messenger.Identify(ctx, c, nil)
	if err != nil {
		return err
	}
	person, err := d.people.Bind(d.use, account)
	if err != nil {
		return err
	}
	return d.people.mayRead(person.ID)
}

// Case implements [integrations.Desk].
func (d desk) Case(ctx context.Context, c integrations.Click) (incident.Case, error) {
	if err := d.Admit(ctx, c); err != nil {
		return incident.Case{}, err
	}
	return d.engine.Case(ctx, c.Case, "")
}

// listenToMessengers takes answers from every messenger that people answer in.
func (s *Service) listenToMessengers(ctx context.Context, r *httpapi.Receiver) {
	for _, use := range s.set.Names() {
		messenger, err := integrations.Use[integrations.Answerable](s.set, use)
		if err != nil {
			continue
		}
		d := desk{engine: s.engine, use: use, messenger: messenger, people: s.directory()}
		if d.queue = s.queueOf(use); d.queue == "" && s.activities != nil {
			d.answer = s.activities.Answer
		}
		if h := messenger.Handler(d); h != nil {
			r.Interactions(use, h)
		}
		s.running.Go(func() {
			// No one can answer there any more, but everything else works: the
			// terminal and the API take the same answers.
			if err := messenger.Listen(ctx, d); err != nil && ctx.Err() == nil {
				s.options.Log.Error("nobody can answer in a messenger; see stanch doctor", "integration", use, "error", err)
			}
		})
	}
}

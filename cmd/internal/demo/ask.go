package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// approval shows the question and answers it.
func (s *show) approval(ctx context.Context) error {
	err := s.follow(ctx, promptly, "the question to people", func() bool { return len(s.c.Approvals) > 0 })
	if err != nil {
		return err
	}
	if err := s.p.Question(s.c); err != nil {
		return err
	}
	asked := s.c.Approvals[0]
	v := api.DecideRequest{Approve: s.Answer == Approve, Plan: asked.PlanDigest, Reason: s.Reason, Via: "cli"}
	if s.Answer == AskPerson {
		answered, err := s.ask(ctx, &v)
		if err != nil || !answered {
			return err
		}
	} else if err := errors.Join(s.p.Say(""), s.p.Aside(fmt.Sprintf("%s: the analyst of group %s answers %s.", s.Because, asked.Approvers.Group, s.Answer))); err != nil {
		return err
	}
	if err := s.p.Say(""); err != nil {
		return err
	}
	if s.pending() {
		if _, err := s.api.Decide(ctx, s.ref.ID, v); err != nil {
			return err
		}
	}
	return s.follow(ctx, promptly, "the answer", func() bool { return !s.pending() })
}

// pending reports whether the case waits for people.
func (s *show) pending() bool {
	return slices.ContainsFunc(s.c.Approvals, func(a incident.Approval) bool { return a.State == incident.Pending })
}

// errNoInput reports that the input has ended before the answer.
var errNoInput = errors.New("the input ended before the question was answered; --approve and --deny answer it without")

// ask asks the person at the terminal. It reports whether they answered; the
// question can also expire, or be answered elsewhere.
func (s *show) ask(ctx context.Context, v *api.DecideRequest) (bool, error) {
	lines := readLines(ctx, s.In)
	if err := typedAhead(ctx, lines); err != nil {
		return false, err
	}
	for {
		if err := s.p.Say(""); err != nil {
			return false, err
		}
		word, err := s.line(ctx, lines, "[a]pprove, [d]eny, or see all [e]vidence?")
		if err != nil || word == nil {
			return false, err
		}
		switch strings.ToLower(*word) {
		case "a", "approve", "y", "yes":
			v.Approve = true
		case "d", "deny", "n", "no":
			v.Approve = false
		case "e", "evidence":
			if err := s.p.Case(s.c); err != nil {
				return false, err
			}
			continue
		default:
			continue
		}
		reason, err := s.why(ctx, lines, v.Approve)
		if err != nil || reason == nil {
			return false, err
		}
		v.Reason = *reason
		return true, nil
	}
}

// why asks for the reason, until there is one where the playbook wants one.
func (s *show) why(ctx context.Context, lines <-chan string, approve bool) (*string, error) {
	word := "deny"
	if approve {
		word = "approve"
	}
	needed := slices.Contains(s.c.Approvals[0].ReasonRequired, word)
	question := "Why? (Enter for no reason)"
	if needed {
		question = "Why? (the playbook wants a reason)"
	}
	for {
		reason, err := s.line(ctx, lines, question)
		if err != nil || reason == nil || *reason != "" || !needed {
			return reason, err
		}
	}
}

// line asks and returns the typed line, or nothing when the question is over for
// another reason.
func (s *show) line(ctx context.Context, lines <-chan string, question string) (*string, error) {
	if err := s.p.Ask(question); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case text, open := <-lines:
			if !open {
				return nil, errNoInput
			}
			text = strings.TrimSpace(text)
			return &text, nil
		case err := <-s.service.Failed():
			return nil, err
		case err := <-s.meter.broken():
			return nil, err
		case <-ticker.C:
			if err := s.refresh(ctx); err != nil {
				return nil, err
			}
			if !s.pending() {
				return nil, s.p.Say("")
			}
		}
	}
}

// tooSoon is a time in which no person can read and answer a question.
const tooSoon = 200 * time.Millisecond

// typedAhead drops lines that were typed before the question was asked: they are
// not an answer to it.
func typedAhead(ctx context.Context, lines <-chan string) error {
	for over := time.After(tooSoon); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, open := <-lines:
			if !open {
				return errNoInput
			}
		case <-over:
			return nil
		}
	}
}

// maxLine bounds what is read of one answer.
const maxLine = 4 << 10

// readLines reads lines until the input or the context ends. A read that blocks
// outlives the context; it ends with the process.
func readLines(ctx context.Context, in io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

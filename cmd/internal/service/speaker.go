package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
)

const (
	// speakAgain is how often what failed at the start of a speaker is tried again, and how
	// often it is looked for another one.
	speakAgain = 5 * time.Second
	// heardOf is for how long a process counts as working after the engine last heard of
	// it: a worker asks for work at least once a minute.
	heardOf = 90 * time.Second
)

// reserved are the integrations that only a process with a role of their own carries out.
func reserved(c *config.Config) []config.Integration {
	return slices.DeleteFunc(slices.Clone(c.Opened), func(i config.Integration) bool { return i.Spec.Role == "" })
}

// speak carries out the integrations that only one process may: when no other process
// does, and what stands by the leases is restored. It returns when the context ends.
func (s *Service) speak(ctx context.Context) {
	var own []string
	for _, i := range reserved(s.options.Config) {
		if s.has(i.Spec.Role) {
			own = append(own, i.Name)
		} else if s.has(RoleWorker) {
			s.options.Log.Info("only a process with the role of an integration carries it out", "integration", i.Name, "role", i.Spec.Role)
		}
	}
	if len(own) == 0 || !s.alone(ctx, own) {
		return
	}
	whole := true
	for _, use := range own {
		whole = s.restore(ctx, use, true) && whole
	}
	if ctx.Err() != nil {
		return
	}
	for _, use := range own {
		if err := s.work(protocol.QueueOf(use)); err != nil {
			s.fail(err)
			return
		}
	}
	s.speaks.Store(true)
	s.guard(ctx, own, whole)
}

// elsewhere reports whether only another process carries an integration out.
func (s *Service) elsewhere(use string) bool {
	spec, _ := s.set.Spec(use)
	return spec.Role != "" && !s.speaks.Load()
}

// guard goes on to restore what could not be, and says so when another process does the
// same work.
func (s *Service) guard(ctx context.Context, own []string, whole bool) {
	tick := time.NewTicker(speakAgain)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !whole {
			whole = true
			for _, use := range own {
				whole = s.restore(ctx, use, false) && whole
			}
		}
		others := s.others(ctx, own)
		if others != "" && others != told {
			s.options.Log.Error("two processes have a role of which there must be one: stop one of them, as each knows only what it applied itself", "other", others)
		}
		told = others
	}
}

// alone waits until no other process carries the integrations out, and reports whether it
// came to that before the context ended.
func (s *Service) alone(ctx context.Context, own []string) bool {
	tick := time.NewTicker(speakAgain)
	defer tick.Stop()
	told := ""
	for {
		others := s.others(ctx, own)
		if others == "" {
			return ctx.Err() == nil
		}
		if others != told {
			s.options.Log.Warn("another process has the role already, or had it until a minute ago: waiting until the engine does not hear of it any more", "other", others)
			told = others
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// others names another process that works for one of the integrations; empty is none. An
// engine that does not say it may know one.
func (s *Service) others(ctx context.Context, own []string) string {
	for _, use := range own {
		answer, err := s.client.DescribeTaskQueue(ctx, protocol.QueueOf(use), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		if err != nil {
			return "unknown: " + err.Error()
		}
		if other := working(answer.GetPollers(), s.identity, time.Now(), runs); other != "" {
			return other
		}
	}
	return ""
}

// working is the first of the pollers that may still be at work and is not this process.
// One of this machine is asked for by its number.
func working(pollers []*taskqueuepb.PollerInfo, self string, now time.Time, runs func(pid int) bool) string {
	pid, host, _ := splitIdentity(self)
	for _, p := range pollers {
		id := p.GetIdentity()
		if id == self || now.Sub(p.GetLastAccessTime().AsTime()) > heardOf {
			continue
		}
		theirs, at, known := splitIdentity(id)
		if known && at == host && (theirs == pid || !runs(theirs)) {
			continue // It has ended: this machine has no such process, or gave its number to us.
		}
		return id
	}
	return ""
}

// Speakers names, of each integration that only one process may carry out, those that may be
// at work for it, as the engine heard of them.
func Speakers(ctx context.Context, temporal client.Client, c *config.Config) (map[string][]string, error) {
	found := map[string][]string{}
	for _, i := range reserved(c) {
		answer, err := temporal.DescribeTaskQueue(ctx, protocol.QueueOf(i.Name), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
		if err != nil {
			return nil, fmt.Errorf("ask who carries %s out: %w", i.Name, err)
		}
		found[i.Name] = atWork(answer.GetPollers(), time.Now())
	}
	return found, nil
}

// atWork names the processes that the engine heard of lately, each once.
func atWork(pollers []*taskqueuepb.PollerInfo, now time.Time) []string {
	var names []string
	for _, p := range pollers {
		name := p.GetIdentity()
		if pid, host, ok := splitIdentity(name); ok {
			name = fmt.Sprintf("process %d of %s", pid, host)
		}
		if now.Sub(p.GetLastAccessTime().AsTime()) <= heardOf && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// splitIdentity takes what [identity] makes apart.
func splitIdentity(id string) (pid int, host string, ok bool) {
	parts := strings.Split(id, "@")
	if len(parts) != 3 {
		return 0, "", false
	}
	pid, err := strconv.Atoi(parts[0])
	return pid, parts[1], err == nil && parts[1] != ""
}

// runs reports whether this machine has a process, of whomever.
func runs(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// restore has an integration put in place what stands by the leases, and reports whether
// that is all of it. The first time it waits for the engine to tell, as nothing may be
// carried out before.
func (s *Service) restore(ctx context.Context, use string, patient bool) bool {
	restorer, err := integrations.Use[integrations.Restorer](s.set, use)
	if err != nil {
		return true // Nothing of it ends with a process.
	}
	tick := time.NewTicker(speakAgain)
	defer tick.Stop()
	for {
		orders, unread, err := s.engine.StandingOrders(ctx, use)
		if err == nil {
			err = restorer.Restore(ctx, orders)
			if err == nil && len(unread) > 0 {
				err = fmt.Errorf("%d leases do not answer: %s", len(unread), strings.Join(unread, ", "))
			}
			if err == nil {
				s.options.Log.Info("what stands is restored", "integration", use, "containments", len(orders))
				return true
			}
			patient = patient && integrations.KindOf(err) == integrations.Unavailable && len(unread) == 0
		}
		s.options.Log.Error("not all that stands could be restored", "integration", use, "error", err)
		if !patient {
			return len(unread) == 0 && integrations.KindOf(err) == integrations.Invalid
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// work starts a worker for a task queue.
func (s *Service) work(queue string) error {
	w := s.paced(queue, ownQueues(s.options.Config)[queue])
	s.activities.Register(w)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	s.workers = append(s.workers, w)
	return nil
}

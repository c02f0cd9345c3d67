package service

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// spoken is an enforcer whose containments end with its process.
type spoken struct {
	*memory.Estate

	mu sync.Mutex
	// restored are the orders of each start; early counts the orders that came before.
	restored [][]incident.Order
	started  bool
	early    int
	// refused are errors with which restoring begins.
	refused int
}

func (s *spoken) Restore(_ context.Context, orders []incident.Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused > 0 {
		s.refused--
		return integrations.Errorf(integrations.Unavailable, "restore", "the routers are away")
	}
	s.restored, s.started = append(s.restored, orders), true
	return nil
}

func (s *spoken) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	s.mu.Lock()
	if !s.started {
		s.early++
	}
	s.mu.Unlock()
	return s.Estate.Apply(ctx, o)
}

func (s *spoken) starts() [][]incident.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.restored)
}

// end is the end of the process that carried the containments out.
func (s *spoken) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = false
}

// What only one process may carry out is carried out by the one with the role, through a
// queue of its own, and what stands is restored at each start before anything else.
func TestSpeakerRestoresWhatStands(t *testing.T) {
	needsEngine(t)
	estate, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	router := &spoken{Estate: estate, refused: 1}
	for i, id := range []string{"ws-1", "ws-2"} {
		if err := estate.AddHost(memory.Host{ID: id, Name: id, IPs: []string{fmt.Sprintf("10.1.0.%d", i+1)}, OS: "windows", Role: "workstation"}); err != nil {
			t.Fatal(err)
		}
	}
	wire := estate.Spec()
	wire.Kind, wire.Role, wire.StandsFor, wire.Implements = "spoken", integrations.SpeakerRole, nil, (*spoken)(nil)
	wire.Open = func(context.Context, any) (any, error) { return router, nil }
	dir := t.TempDir()
	start := func() (*Service, func()) {
		t.Helper()
		c := overWire(t, dir, estate.Spec(), wire)
		return running(t, c)
	}
	s, stop := start()
	stopped := false
	defer func() {
		if !stopped {
			stop()
		}
	}()
	s.alert(t, "ws-1")
	until(t, "the host is isolated", func() bool { return estate.Count("apply", incident.Isolate) == 1 })
	until(t, "the lease says so", func() bool {
		orders, unread, err := s.engine.StandingOrders(t.Context(), "wire")
		return err == nil && len(unread) == 0 && len(orders) == 1 && orders[0].Target.ID() == "ws-1"
	})
	if orders, _, err := s.engine.StandingOrders(t.Context(), "edr"); err != nil || len(orders) != 0 {
		t.Errorf("another integration has %v, %v", orders, err)
	}
	if workers, err := s.workersOf(t.Context(), protocol.QueueOf("wire")); err != nil || workers != 1 {
		t.Errorf("%d workers at the queue of the integration, %v", workers, err)
	}
	if got := router.starts(); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("at first %v was restored", got)
	}
	stop()
	stopped = true
	router.end()

	again, stopAgain := start()
	defer stopAgain()
	until(t, "what stands is restored", func() bool { return len(router.starts()) == 2 })
	got := router.starts()[1]
	if len(got) != 1 || got[0].Action != incident.Isolate || got[0].Target.ID() != "ws-1" || got[0].Key == "" {
		t.Errorf("restored: %+v", got)
	}
	again.alert(t, "ws-2")
	until(t, "the next host is isolated", func() bool { return estate.Count("apply", incident.Isolate) == 2 })
	if router.early != 0 {
		t.Errorf("%d orders came before what stood was restored", router.early)
	}
}

// A process that has ended is no other speaker, and one that cannot be asked for is one
// until the engine has not heard of it for a while.
func TestAnotherSpeaker(t *testing.T) {
	now := time.Now()
	lives := func(pid int) bool { return pid == 7 }
	const self = "5@here@AAAA"
	for name, tt := range map[string]struct {
		id    string
		heard time.Duration
		other bool
	}{
		"this process":                           {self, 0, false},
		"an earlier one of this machine":         {"6@here@BBBB", time.Second, false},
		"one of the same number, before":         {"5@here@BBBB", time.Second, false},
		"one of this machine that lives":         {"7@here@BBBB", time.Second, true},
		"one of another machine":                 {"6@there@BBBB", time.Second, true},
		"the same number on another machine":     {"5@there@BBBB", time.Minute, true},
		"one that was not heard for a while":     {"7@there@BBBB", 2 * time.Minute, false},
		"one whose name is not of this program":  {"worker", time.Second, true},
		"one of a machine that has no name here": {"6@@BBBB", time.Second, true},
	} {
		p := &taskqueuepb.PollerInfo{Identity: tt.id, LastAccessTime: timestamppb.New(now.Add(-tt.heard))}
		if got := working([]*taskqueuepb.PollerInfo{p}, self, now, lives); (got != "") != tt.other {
			t.Errorf("%s: the other is %q", name, got)
		}
	}
	if !runs(os.Getpid()) || runs(1<<22+1) {
		t.Error("processes of this machine are not told apart from those that are none")
	}
}

// A cluster may have many processes of which nothing is said, and one speaker.
func TestRolesWhereNoneIsNamed(t *testing.T) {
	c := &config.Config{Temporal: config.Temporal{Address: config.Embedded}}
	if got := rolesOf(c); !slices.Contains(got, RoleSpeaker) {
		t.Errorf("with the embedded engine: %v", got)
	}
	c.Temporal.Address = "temporal.example:7233"
	if got := rolesOf(c); slices.Contains(got, RoleSpeaker) || len(got) != 2 {
		t.Errorf("on a cluster: %v", got)
	}
}

// overWire is the configuration of a service whose data is in a folder, and which isolates by
// what only one process may carry out.
func overWire(t *testing.T, dir string, specs ...integrations.Spec) *config.Config {
	t.Helper()
	text := strings.Replace(isolatesAll, "action: isolate, use: edr", "action: isolate, use: wire", 1)
	if err := os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("stanch.yaml", fmt.Appendf(nil, `listen: 127.0.0.1:0
data: %q
playbooks: [%q]
integrations: { edr: { kind: memory }, wire: { kind: spoken } }
sources: { siem: { kind: stanch, auth: { bearer: only-for-this-test } } }
`, filepath.Join(dir, "data"), dir), integrations.NewCatalog(integrations.Vendor{Integrations: specs}, stanch.Vendor()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

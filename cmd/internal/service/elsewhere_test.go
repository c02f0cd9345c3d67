package service

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/drift"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A process that does not carry an integration out says of its leases what the one says that
// does, and never that they are as they should be, or gone, by what it could read itself.
func TestDriftIsToldByTheProcessThatSpeaks(t *testing.T) {
	needsEngine(t)
	estate, err := memory.New(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := estate.AddHost(memory.Host{ID: "ws-1", Name: "ws-1", IPs: []string{"10.1.0.1"}, OS: "windows", Role: "workstation"}); err != nil {
		t.Fatal(err)
	}
	wire := estate.Spec()
	wire.Kind, wire.Role, wire.StandsFor = "spoken", integrations.SpeakerRole, nil
	dir := t.TempDir()
	start := func(roles ...string) (*Service, func()) {
		t.Helper()
		c := overWire(t, dir, estate.Spec(), wire)
		s, err := Start(t.Context(), Options{Config: c, Roles: roles, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return s, func() {
			t.Helper()
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		}
	}
	finds := func(s *Service) api.DriftList {
		t.Helper()
		list, err := drift.Find(t.Context(), s.set, s.engine, s.elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}

	s, stop := start()
	s.alert(t, "ws-1")
	until(t, "the host is isolated", func() bool { return estate.Count("apply", incident.Isolate) == 1 })
	until(t, "the one lease is as it should be", func() bool {
		list := finds(s)
		return list.Read == 1 && len(list.Drift) == 0 && len(list.Elsewhere) == 0
	})
	stop()

	s, stop = start(RoleReceiver, RoleWorker)
	defer stop()
	until(t, "the lease is listed", func() bool { return finds(s).Read == 1 })
	list := finds(s)
	if len(list.Drift) != 1 || list.Drift[0].Kind != incident.DriftUnread || !strings.Contains(list.Drift[0].Detail, "the process with the role speaker was asked: timed out") {
		t.Errorf("without a speaker it finds %+v", list.Drift)
	}
	if !slices.Equal(list.Elsewhere, []string{"wire"}) {
		t.Errorf("elsewhere: %q", list.Elsewhere)
	}

	// The worker of the process that speaks.
	if err := s.work(protocol.QueueOf("wire")); err != nil {
		t.Fatal(err)
	}
	if list = finds(s); len(list.Drift) != 0 || list.Read != 1 {
		t.Errorf("with a speaker it finds %+v", list.Drift)
	}
	target, err := incident.DeviceTarget("ws-1", "ws-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := estate.Lift(incident.Order{Action: incident.Isolate, Target: target}); err != nil {
		t.Fatal(err)
	}
	if list = finds(s); len(list.Drift) != 1 || list.Drift[0].Kind != incident.DriftGone || list.Drift[0].Host != "ws-1" {
		t.Errorf("once it was lifted by hand it finds %+v", list.Drift)
	}
}

func TestSpeakersAreNamed(t *testing.T) {
	now := time.Now()
	poller := func(id string, heard time.Duration) *taskqueuepb.PollerInfo {
		return &taskqueuepb.PollerInfo{Identity: id, LastAccessTime: timestamppb.New(now.Add(-heard))}
	}
	got := atWork([]*taskqueuepb.PollerInfo{
		poller("7@bgp1@AAAA", time.Second), poller("7@bgp1@AAAA", time.Minute), poller("8@bgp2@BBBB", 2*time.Minute), poller("worker", time.Second),
	}, now)
	if want := []string{"process 7 of bgp1", "worker"}; !slices.Equal(got, want) {
		t.Errorf("at work are %q, want %q", got, want)
	}
}

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SourcesOptions are the sizes of the storms in the kinds of sources.
type SourcesOptions struct {
	// Kinds are those that are measured, each in an engine of its own.
	Kinds []alerts.Spec
	// Alerts on Subjects are sent in each kind, and as many small ones of our own. Both are
	// even: they are sent in two turns. There are MostSubjects at most.
	Alerts, Subjects int
	// Senders, Sender, SyncDelay, Dir and Progress are as in [Options].
	Senders   int
	Sender    []string
	SyncDelay time.Duration
	Dir       string
	Progress  func(what string, done, total int)
}

// MostSubjects is how many subjects a storm in a kind of source can have: the cases of it and of
// ours are listed together.
const MostSubjects = 500

// SourceResult is what a storm in a kind of source measured.
type SourceResult struct {
	Kind string `json:"kind"`
	// Bytes is the size of one of its alerts as it is sent.
	Bytes int `json:"bytes"`
	// OwnPerSecond is small alerts of our own kind accepted a second, PerSecond those of
	// this kind in turns with them, and Ratio these to those.
	OwnPerSecond float64 `json:"own_per_second"`
	PerSecond    float64 `json:"per_second"`
	Ratio        float64 `json:"ratio"`
	// OwnProcessor and Processor are the processor time of an alert of both, of the process
	// that has the engine: what the cases do meanwhile is in it.
	OwnProcessor time.Duration `json:"own_processor"`
	Processor    time.Duration `json:"processor"`
	// Again is how many requests of this kind were to be sent again, and were.
	Again int64 `json:"again"`
	// Subjects are the hosts that have cases of this kind, and Recorded the alerts in these. A
	// host has several Cases where one closed during the storm, because nothing could be done.
	Subjects int `json:"subjects"`
	Cases    int `json:"cases"`
	Recorded int `json:"recorded"`
}

// RunSources measures a storm in each kind of source, and one in our own in turns with it.
func RunSources(ctx context.Context, o SourcesOptions) ([]SourceResult, error) {
	var all []SourceResult
	for _, kind := range o.Kinds {
		b := &bench{Options: Options{
			InFlight: 1, StormAlerts: o.Alerts, StormSubjects: 2 * o.Subjects, StormSenders: o.Senders, Sender: o.Sender,
			SyncDelay: o.SyncDelay, Dir: filepath.Join(o.Dir, kind.Kind), Progress: o.Progress,
		}}
		r, err := b.kind(ctx, kind, o.Subjects)
		if err != nil {
			return nil, fmt.Errorf("measure kind %s: %w", kind.Kind, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// sentPath is where the alerts of the kind that is measured are posted.
const sentPath = "/v1/alerts/sent"

// source is the configuration of the source of a kind.
func (b *bench) source(kind alerts.Spec) (string, error) {
	more := ""
	if kind.Map != nil {
		path := filepath.Join(b.Dir, "map.yaml")
		if err := os.WriteFile(path, []byte(kind.Mapped), 0o600); err != nil {
			return "", fmt.Errorf("write the map of kind %s: %w", kind.Kind, err)
		}
		more = fmt.Sprintf(", map: %q", path)
	}
	return fmt.Sprintf("  sent: { kind: %s, auth: { bearer: %s }, rate: 1000000/s, category: high_egress, os: windows%s }\n", kind.Kind, secret, more), nil
}

// kind measures one kind, in an engine that begins empty. Ours is first and last, so that
// neither gains from the order.
func (b *bench) kind(ctx context.Context, kind alerts.Spec, subjects int) (r SourceResult, err error) {
	if err := b.start(ctx, &kind); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.service.Stop()) }()
	another := kind.Another()
	r.Kind, r.Bytes = kind.Kind, len(alerts.Fill(another, 2_000_000, hostID(0), hostIP(0)))
	each := Storm{Address: b.service.Address(), Subjects: subjects / 2, Alerts: b.StormAlerts / 2, Senders: b.StormSenders}
	own, other := each, each
	other.Path, other.Another = sentPath, another
	var ours, theirs spent
	seen := map[string]bool{}
	for turn, storm := range []Storm{own, other, other, own} {
		b.Progress("storm in kind "+kind.Kind, turn, 4)
		storm.First = turn * each.Subjects
		var sent Sent
		cost, err := measure(b.service.Syncs, func() (err error) {
			sent, err = b.sent(ctx, storm)
			return err
		})
		if err != nil {
			return r, err
		}
		opened, err := b.opened(ctx, each.Subjects, seen)
		if err != nil {
			return r, err
		}
		if cost.Took = sent.Took; storm.Another == "" {
			ours = ours.plus(cost)
			continue
		}
		theirs = theirs.plus(cost)
		r.Again, r.Subjects, r.Cases, r.Recorded = r.Again+sent.Again, r.Subjects+opened.subjects, r.Cases+opened.cases, r.Recorded+opened.recorded
	}
	r.OwnPerSecond, r.PerSecond = ours.perSecond(b.StormAlerts), theirs.perSecond(b.StormAlerts)
	r.Ratio = r.PerSecond / r.OwnPerSecond
	r.OwnProcessor, r.Processor = ours.Processor/time.Duration(b.StormAlerts), theirs.Processor/time.Duration(b.StormAlerts)
	return r, nil
}

// opened is what a storm has opened.
type opened struct{ subjects, cases, recorded int }

// opened counts the cases that are not seen yet, and the alerts in them, once as many are there
// as are expected and none is worked on any more.
func (b *bench) opened(ctx context.Context, expected int, seen map[string]bool) (o opened, err error) {
	found, err := b.settled(ctx, expected, seen)
	if err != nil {
		return o, err
	}
	hosts := map[string]bool{}
	for _, s := range found {
		if seen[s.Run] = true; s.Playbook != "bench" {
			return o, fmt.Errorf("case %s is not one of the measurement's playbook", s.ID)
		}
		data, err := b.to.call(ctx, http.MethodGet, "/v1/cases/"+s.ID+"?run="+s.Run, b.token, nil)
		if err != nil {
			return o, err
		}
		var c incident.Case
		if err := json.Unmarshal(data, &c); err != nil {
			return o, fmt.Errorf("read a case: %w", err)
		}
		hosts[s.ID] = true
		o.recorded += c.AlertCount
	}
	o.subjects, o.cases = len(hosts), len(found)
	return o, nil
}

// settled lists the cases that are not seen yet, once as many are there as are expected and none
// is worked on, or the list has had its time for it.
func (b *bench) settled(ctx context.Context, expected int, seen map[string]bool) ([]incident.CaseSummary, error) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for until := time.Now().Add(patience); ; {
		data, err := b.to.call(ctx, http.MethodGet, "/v1/cases?status=all&limit=1000", b.token, nil)
		if err != nil {
			return nil, err
		}
		var list api.CaseList
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, fmt.Errorf("read the list of cases: %w", err)
		}
		if list.More {
			return nil, errors.New("there are more cases than one list holds")
		}
		var found []incident.CaseSummary
		working := 0
		for _, s := range list.Cases {
			if seen[s.Run] {
				continue
			}
			if found = append(found, s); s.Status == incident.Working {
				working++
			}
		}
		if len(found) >= expected && working == 0 || time.Now().After(until) {
			return found, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("list the cases of the storm: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

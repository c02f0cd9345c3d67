package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
)

const (
	// countedFor is how long the count of what is kept counts, together with what this
	// process has added since.
	countedFor = time.Minute
	// maxRecord bounds the stored part of an alert that asks for no response: it is for
	// people, and is never read again.
	maxRecord = 16 << 10
)

// keeper bounds how much each source may leave behind that started nothing: a flood of bodies
// that nobody can read must not fill the engine. Where several processes receive, each adds
// to what all have kept, so for a minute it can be more by as much as each may.
type keeper struct {
	ask func(ctx context.Context, source string, as engine.KeptAs) (engine.Kept, error)
	now func() time.Time
	log *slog.Logger

	mu sync.Mutex
	of map[string]*tally
}

// tally is what is kept of one source.
type tally struct {
	mu   sync.Mutex
	at   time.Time
	kept engine.Kept
	// ids are those that this process added since: the same body is kept once.
	ids map[string]bool
}

func newKeeper(o Options) *keeper {
	return &keeper{ask: o.Engine.Kept, now: o.Now, log: o.Log, of: map[string]*tally{}}
}

func (k *keeper) tally(source string, as engine.KeptAs) *tally {
	k.mu.Lock()
	defer k.mu.Unlock()
	key := string(as) + "/" + source
	if k.of[key] == nil {
		k.of[key] = &tally{}
	}
	return k.of[key]
}

// fits reports whether there is room for a record, and takes it. The error is the engine's:
// it cannot tell.
func (k *keeper) fits(ctx context.Context, as engine.KeptAs, record protocol.RejectedAlert) (bool, error) {
	t := k.tally(record.Source, as)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.IsZero() || k.now().Sub(t.at) > countedFor {
		kept, err := k.ask(ctx, record.Source, as)
		if err != nil {
			return false, err
		}
		t.at, t.kept, t.ids = k.now(), kept, map[string]bool{}
		if full(as, kept) {
			k.log.WarnContext(ctx, "a source has left as much as is kept: more is not kept until some of it is retried or its time is up", "source", record.Source, "as", as, "kept", kept.Number)
		}
	}
	switch {
	case t.ids[record.ID]:
		return true, nil
	case full(as, t.kept):
		return false, nil
	}
	t.ids[record.ID] = true
	t.kept.Number++
	t.kept.Bytes += int64(len(record.Body))
	return true, nil
}

// known notes that a rejected alert is kept already: it is retried.
func (k *keeper) known(source, id string) {
	t := k.tally(source, engine.AsRejected)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ids != nil {
		t.ids[id] = true
	}
}

func full(as engine.KeptAs, kept engine.Kept) bool {
	number, bytes := engine.MostKept(as)
	return kept.Number >= number || kept.Bytes >= bytes
}

// keep stores a rejected alert where its source has room. Without room its id is empty, and
// its problem says so.
func (r *Receiver) keep(ctx context.Context, record protocol.RejectedAlert) (protocol.RejectedAlert, error) {
	fits, err := r.keeper.fits(ctx, engine.AsRejected, record)
	if err != nil {
		return record, err
	}
	if fits {
		return record, r.Engine.Keep(ctx, record)
	}
	number, _ := engine.MostKept(engine.AsRejected)
	record.ID = ""
	record.Problem += fmt.Sprintf("; it is not kept: the source has %d rejected alerts waiting already, or as many bytes as are kept", number)
	return record, nil
}

// note stores an alert that asks for no response where its source has room, else only counts
// it.
func (r *Receiver) note(ctx context.Context, group routed, record protocol.RejectedAlert, out *api.Accepted) error {
	if len(record.Body) > maxRecord {
		record.Size, record.Body = len(record.Body), record.Body[:maxRecord]
	}
	alone := group.in.Alerts[0]
	record.ID = engine.RecordedID(alone)
	fits, err := r.keeper.fits(ctx, engine.AsRecorded, record)
	if err != nil {
		return err
	}
	if !fits {
		out.Unkept++
		return nil
	}
	id, err := r.Engine.Record(ctx, alone, record)
	out.Recorded = append(out.Recorded, id)
	return err
}

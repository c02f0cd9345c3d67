package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
)

// counting is a keeper over an engine that has so much, and its clock.
func counting(kept engine.Kept, fails error) (k *keeper, log *strings.Builder, pass func(time.Duration)) {
	log = &strings.Builder{}
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	k = &keeper{
		ask: func(context.Context, string, engine.KeptAs) (engine.Kept, error) { return kept, fails },
		now: func() time.Time { return now },
		log: slog.New(slog.NewTextHandler(io.Writer(log), nil)), of: map[string]*tally{},
	}
	return k, log, func(d time.Duration) { now = now.Add(d) }
}

func record(id string, body []byte) protocol.RejectedAlert {
	return protocol.RejectedAlert{ID: id, Source: "siem", Body: body}
}

// A source leaves so many records and so many bytes, and no more; the same record takes no
// room twice, and what others keep counts after a minute.
func TestASourceLeavesNoMoreThanIsKept(t *testing.T) {
	t.Parallel()
	number, bytes := engine.MostKept(engine.AsRejected)
	body := make([]byte, bytes/8)
	for name, tt := range map[string]struct {
		kept engine.Kept
		each int
		want int
	}{
		"in number":                 {engine.Kept{}, 10, number},
		"in bytes":                  {engine.Kept{}, int(bytes / 8), 8},
		"with what is kept already": {engine.Kept{Number: number - 3}, 10, 3},
		"when it is full":           {engine.Kept{Number: number}, 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, log, _ := counting(tt.kept, nil)
			got := 0
			for i := range number + 10 {
				fits, err := k.fits(t.Context(), engine.AsRejected, record(fmt.Sprintf("siem/%d", i), body[:tt.each]))
				if err != nil {
					t.Fatal(err)
				}
				if fits {
					got++
				}
			}
			if got != tt.want {
				t.Errorf("%d records are kept, want %d", got, tt.want)
			}
			if told := strings.Count(log.String(), "more is not kept"); (told > 0) != (tt.kept.Number >= number) {
				t.Errorf("it is told %d times: %s", told, log)
			}
			again, err := k.fits(t.Context(), engine.AsRejected, record("siem/0", body[:tt.each]))
			if err != nil || again != (tt.want > 0) {
				t.Errorf("the first record again: %t, %v", again, err)
			}
			other := record("other/0", body[:10])
			other.Source = "other"
			if fits, err := k.fits(t.Context(), engine.AsRejected, other); err != nil || fits != (tt.kept.Number < number) {
				t.Errorf("a record of another source: %t, %v", fits, err)
			}
		})
	}
}

func TestWhatIsKeptIsCountedAnew(t *testing.T) {
	t.Parallel()
	number, _ := engine.MostKept(engine.AsRejected)
	k, _, pass := counting(engine.Kept{Number: number}, nil)
	k.known("siem", "siem/old")
	if fits, _ := k.fits(t.Context(), engine.AsRejected, record("siem/1", nil)); fits {
		t.Error("there is room where there is none")
	}
	k.known("siem", "siem/old")
	if fits, _ := k.fits(t.Context(), engine.AsRejected, record("siem/old", nil)); !fits {
		t.Error("a record that is retried takes room once more")
	}
	k.ask = func(context.Context, string, engine.KeptAs) (engine.Kept, error) { return engine.Kept{}, nil }
	pass(countedFor / 2)
	if fits, _ := k.fits(t.Context(), engine.AsRejected, record("siem/2", nil)); fits {
		t.Error("the count is forgotten early")
	}
	pass(countedFor)
	if fits, _ := k.fits(t.Context(), engine.AsRejected, record("siem/2", nil)); !fits {
		t.Error("what was retried meanwhile makes no room")
	}
}

// An engine that cannot tell is not taken for one that has nothing: the sender sends again.
func TestWhatCannotBeCountedIsNotTaken(t *testing.T) {
	t.Parallel()
	down := errors.New("it is down")
	k, _, _ := counting(engine.Kept{}, down)
	if fits, err := k.fits(t.Context(), engine.AsRejected, record("siem/1", nil)); fits || !errors.Is(err, down) {
		t.Errorf("it fits: %t, %v", fits, err)
	}
}

package payloads_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"

	"github.com/stanch-soar/stanch/workflows/historytest"
	"github.com/stanch-soar/stanch/workflows/payloads"
)

const histories = "../testdata/histories"

// TestRecordedPayloadsAreOfTodaysTypes reads all that the recorded histories
// hold into the types of today: a field that was removed or renamed would be
// lost to the cases that are open during an upgrade.
func TestRecordedPayloadsAreOfTodaysTypes(t *testing.T) {
	t.Parallel()
	types := payloads.Types()
	for _, file := range historytest.Files(t, histories) {
		name := strings.TrimSuffix(filepath.Base(file), historytest.Ext)
		r := payloads.NewReader()
		for _, event := range historytest.History(t, file).GetEvents() {
			found := r.Of(event)
			if got, want := len(found), countPayloads(t, event); got != want {
				t.Errorf("%s: event %d, %s, holds %d payloads, and the types of %d are known", name, event.GetEventId(), event.GetEventType(), want, got)
			}
			for _, p := range found {
				if p.What == payloads.OfTheEngine {
					continue
				}
				if err := payloads.Read(types, p.What, p.Payload); err != nil {
					t.Errorf("%s: event %d: %s: %v", name, event.GetEventId(), p.What, err)
				}
			}
		}
	}
}

// TestTheReadingOfPayloadsBites plants an unknown key in each kind of object of what
// decides and of a running case, as if the field had been there and were
// removed today: each must be refused.
func TestTheReadingOfPayloadsBites(t *testing.T) {
	t.Parallel()
	types := payloads.Types()
	planted := 0
	for _, file := range []string{"respond-contained", "respond-closed-by-hand", "lease-contained-isolate", "budget-goes-on"} {
		r := payloads.NewReader()
		done := map[string]bool{}
		for _, event := range historytest.History(t, filepath.Join(histories, file+historytest.Ext)).GetEvents() {
			for _, p := range r.Of(event) {
				if p.What == payloads.OfTheEngine || done[p.What] {
					continue
				}
				done[p.What] = true
				for _, text := range plant(t, p.Payload.GetData()) {
					planted++
					if err := payloads.Read(types, p.What, &commonpb.Payload{Metadata: p.Payload.GetMetadata(), Data: text}); err == nil {
						t.Errorf("%s: read without a complaint, though a field of it is not known any more: %.300s", p.What, text)
					}
				}
			}
		}
	}
	if planted < 100 {
		t.Errorf("only %d keys were planted", planted)
	}
	if err := payloads.Read(types, "signal surprise, input", &commonpb.Payload{Data: []byte(`{}`)}); err == nil {
		t.Error("a payload without a type was read")
	}
}

// countPayloads counts all that an event holds, whatever it is.
func countPayloads(t *testing.T, event *historypb.HistoryEvent) int {
	t.Helper()
	n := 0
	count := func(_ *proxy.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
		n += len(payloads)
		return payloads, nil
	}
	whole := &historypb.History{Events: []*historypb.HistoryEvent{event}}
	if err := proxy.VisitPayloads(context.Background(), whole, proxy.VisitPayloadsOptions{SkipSearchAttributes: true, Visitor: count}); err != nil {
		t.Fatal(err)
	}
	return n
}

// plant returns the text once for each kind of object in it, the first of each,
// with a key in that that no type knows. Documents that an alert came as are
// anybody's.
func plant(t *testing.T, data []byte) [][]byte {
	t.Helper()
	var root any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	done := map[string]bool{}
	var walk func(any, string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			if done[path] {
				return
			}
			done[path] = true
			v["surprise"] = true
			text, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
			delete(v, "surprise")
			for _, key := range slices.Sorted(maps.Keys(v)) {
				if key != "raw" {
					walk(v[key], path+"."+key)
				}
			}
		case []any:
			for _, e := range v {
				walk(e, path+"[]")
			}
		}
	}
	walk(root, "")
	return out
}

package engine

import (
	"compress/gzip"
	"os"
	"testing"

	"go.temporal.io/sdk/client"
)

// The costs of recorded histories are those that were counted by hand, event by
// event.
func TestTheCostOfAHistory(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Cost{
		// A start, five activities, four timers, five times search attributes, a
		// memo, and markers in four workflow tasks; the signals are other workflows'.
		"respond-contained-2": {Events: 78, WorkflowTasks: 11, Actions: 20},
		// A start, two updates, three activities, three timers, three signals, five
		// times search attributes, and a marker.
		"lease-extended-isolate-2": {Events: 58, WorkflowTasks: 8, Actions: 18},
		"claim-contained-2":        {Events: 12, WorkflowTasks: 2, Actions: 3},
		// It was not started but goes on: that was the action of the run before.
		"budget-goes-on-2": {Events: 2146, WorkflowTasks: 215, Actions: 750},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open("../../../workflows/testdata/histories/" + name + ".json.gz")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			packed, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			h, err := client.HistoryFromJSON(packed, client.HistoryJSONOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := CostOfEvents(h.GetEvents())
			if got.Bytes <= int64(got.Events) {
				t.Errorf("%d bytes for %d events", got.Bytes, got.Events)
			}
			got.Bytes = 0
			if got != want {
				t.Errorf("it is %+v, want %+v", got, want)
			}
		})
	}
}

package crowdstrike

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// recorded are Falcon's own records, by their names.
func recorded(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("../apispec/testdata/falcon-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		t.Fatal(err)
	}
	return parts
}

// The event of a connection that was recorded, of which each value is a text, is read whole.
func TestARecordedConnection(t *testing.T) {
	var r row
	if err := json.Unmarshal(recorded(t)["network_connect_ip4"], &r); err != nil {
		t.Fatal(err)
	}
	want := incident.Tuple{SrcIP: "10.0.0.1", SrcPort: 137, DstIP: "203.0.113.1", DstPort: 443, Transport: "udp"}
	if got, ok := tupleOf(r); !ok || got != want {
		t.Errorf("the tuple is %+v, %t; want %+v", got, ok, want)
	}
	if at := when(r["ContextTimeStamp"]); !at.Equal(time.UnixMilli(1682707777731)) {
		t.Errorf("it was at %s", at)
	}
	if runner(r) != "1685738" || r.key() != "34019b0c-c7de-4725-9f93-4b8d16688673" {
		t.Errorf("its process is %s, its id %s", runner(r), r.key())
	}
}

// What was recorded of commands has its error beside the output: that the answer has none
// at its top says nothing.
func TestRecordedCommands(t *testing.T) {
	for part, failed := range map[string]bool{"rtr_batch_ok": false, "rtr_batch_error_inside_2xx": true} {
		var batch struct {
			Combined struct {
				Resources map[string]json.RawMessage `json:"resources"`
			} `json:"combined"`
			Errors []any `json:"errors"`
		}
		if err := json.Unmarshal(recorded(t)[part], &batch); err != nil || len(batch.Combined.Resources) != 1 || len(batch.Errors) != 0 {
			t.Fatalf("%s: %+v, %v", part, batch, err)
		}
		for _, of := range batch.Combined.Resources {
			f, _ := falcon(t, map[string][]reply{"GET " + admin.path(): {ok("[" + string(of) + "]")}})
			r, err := f.result(t.Context(), "op", run{}, script{request: "r"})
			if err != nil || (r.State == integrations.ScriptFailed) != failed || (r.State == integrations.ScriptDone) == failed ||
				strings.Contains(r.Detail, "Some error") != failed {
				t.Errorf("%s: %+v, %v; want it failed: %t", part, r, err, failed)
			}
		}
	}
}

package defendfake_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// No order without a target is taken, and none that holds what is not known.
func TestBodies(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	ids := `"endpoint_ids":["` + web + `"]`
	for _, b := range []struct{ operation, body, words string }{
		{"isolate", `{}`, "[request body.endpoint_ids]: expected value of type [array] but got [undefined]"},
		{"isolate", `{"endpoint_ids":[]}`, "array size is [0], but cannot be smaller than [1]"},
		{"isolate", `{"endpoint_ids":[""]}`, "minimum length of [1]"},
		{"isolate", `{"endpoint_ids":[" "]}`, "cannot contain empty strings"},
		{"isolate", `{"endpoint_ids":"` + web + `"}`, "but got [string]"},
		{"isolate", `{"endpoint_ids":[1]}`, "[request body.endpoint_ids.0]: expected value of type [string] but got [number]"},
		{"isolate", `{"agent_ids":["` + web + `"]}`, "[request body.agent_ids]: definition for this key is missing"},
		{"isolate", `{` + ids + `,"comment":1}`, "[request body.comment]"},
		{"isolate", `{` + ids + `,"alert_ids":[]}`, "[request body.alert_ids]: array size is [0]"},
		{"isolate", `{` + ids + `,"parameters":[]}`, "[request body.parameters]"},
		{"isolate", `{` + ids + `,"agent_type":"defender"}`, "[request body.agent_type]"},
		{"isolate", `{` + ids + `,"agent_type":"crowdstrike"}`, "No stack connector instance configured for [.crowdstrike]"},
		{"isolate", `{` + ids, "Invalid request payload JSON format"},
		{"isolate", `[]`, "Invalid request payload JSON format"},
		{"execute", `{` + ids + `}`, "[request body.parameters.command]"},
		{"execute", `{` + ids + `,"parameters":{"command":""}}`, "[request body.parameters.command]"},
		{"execute", `{` + ids + `,"parameters":{"command":"x","timeout":0}}`, "[request body.parameters.timeout]"},
		{"execute", `{` + ids + `,"parameters":{"command":"x","shell":"y"}}`, "[request body.parameters.shell]: definition for this key is missing"},
		{"kill_process", `{` + ids + `}`, "[request body.parameters]"},
		{"kill_process", `{` + ids + `,"parameters":{"pid":1,"entity_id":"x"}}`, "[request body.parameters]"},
		{"kill_process", `{` + ids + `,"parameters":{"pid":"1"}}`, "[request body.parameters.pid]"},
		{"kill_process", `{` + ids + `,"parameters":{"entity_id":""}}`, "[request body.parameters.entity_id]"},
		{"kill_process", `{` + ids + `,"parameters":{"process_name":"x"}}`, "[request body.parameters.process_name]"},
		{"runscript", `{` + ids + `,"parameters":{"raw":"x"}}`, "[request body.parameters.scriptId]"},
	} {
		t.Run(b.operation+b.body, func(t *testing.T) {
			want(t, c.post("/api/endpoint/action/"+b.operation, b.body), http.StatusBadRequest, b.words)
		})
	}
	if n := len(w.Actions("")); n != 0 {
		t.Errorf("%d actions were ordered", n)
	}
}

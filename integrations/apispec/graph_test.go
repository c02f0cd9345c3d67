package apispec_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

func graph(t *testing.T) []exchange {
	const hunt = "/v1.0/security/runHuntingQuery"
	documented := document(t, "graph-hunting-documented.json")
	all := []exchange{
		{name: "documented query", spec: "graph", method: "POST", path: hunt, header: bearer(), body: string(documented["request"])},
		{name: "documented answer", spec: "graph", method: "POST", path: hunt, status: 200, answer: string(documented["response_lower"])},
		{name: "documented answer in capitals", spec: "graph", method: "POST", path: hunt, status: 200, answer: string(documented["response_upper_same_page"])},
		{name: "time span in words", spec: "graph", method: "POST", path: hunt, header: bearer(), body: `{"Query":"DeviceInfo","Timespan":"1 day"}`, wrong: "/Timespan"},
		{name: "time span of nothing", spec: "graph", method: "POST", path: hunt, header: bearer(), body: `{"Query":"DeviceInfo","Timespan":"PT"}`, wrong: "/Timespan"},
		{name: "query twice", spec: "graph", method: "POST", path: hunt, header: bearer(), body: `{"Query":"DeviceInfo","query":"DeviceInfo"}`, wrong: "oneOf"},
		{name: "no query", spec: "graph", method: "POST", path: hunt, header: bearer(), body: `{"Timespan":"P1D"}`, wrong: "Query"},
		{name: "other capitals", spec: "graph", method: "POST", path: hunt, header: bearer(), body: `{"Query":"DeviceInfo","TimeSpan":"P1D"}`, wrong: "TimeSpan"},
		{name: "without the version", spec: "graph", method: "POST", path: "/security/runHuntingQuery", header: bearer(), body: `{"Query":"DeviceInfo"}`, wrong: "no path"},
		{name: "rows without columns", spec: "graph", method: "POST", path: hunt, status: 200, answer: `{"results":[]}`, wrong: "schema"},
	}
	var spans []string
	if err := json.Unmarshal(documented["timespan_forms"], &spans); err != nil {
		t.Fatal(err)
	}
	for _, span := range spans {
		all = append(all, exchange{name: "time span " + span, spec: "graph", method: "POST", path: hunt, header: bearer(), body: fmt.Sprintf(`{"Query":"DeviceInfo","Timespan":%q}`, span)})
	}
	return all
}

func TestGraph(t *testing.T) { judge(t, graph(t)) }

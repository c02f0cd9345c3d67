package defender

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// sample reads a part of the samples that Microsoft's pages have, as they stand there.
func sample(t *testing.T, file, part string, into any) {
	t.Helper()
	text, err := os.ReadFile("../apispec/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil || parts[part] == nil {
		t.Fatalf("%s has no %s: %v", file, part, err)
	}
	if err := json.Unmarshal(parts[part], into); err != nil {
		t.Fatal(err)
	}
}

const (
	ofDefender = "mde-documented.json"
	ofGraph    = "graph-hunting-documented.json"
)

// One page spells the time of the last update otherwise than the others.
func TestTheDocumentedActionsAreRead(t *testing.T) {
	var list struct{ Value []action }
	sample(t, ofDefender, "machineactions_list", &list)
	if len(list.Value) != 1 {
		t.Fatalf("there are %d actions", len(list.Value))
	}
	scan := list.Value[0]
	if scan.open() || !scan.succeeded() || scan.updated().Nanosecond() != 551193400 {
		t.Errorf("the scan is %s, updated %s", scan, scan.updated())
	}
	var live action
	sample(t, ofDefender, "liveresponse_response", &live)
	if !live.is(typeLive) || !live.open() || live.Comment != "Testing Live Response API" || !live.updated().Equal(live.Created.Time) {
		t.Errorf("the live response is %+v", live)
	}
}

// The page of live response has two statuses for an accepted script, 201 in its text and 200 in its sample.
func TestTheDocumentedLiveResponseIsAccepted(t *testing.T) {
	var status struct{ text, example string }
	sample(t, ofDefender, "liveresponse_status_text", &status.text)
	sample(t, ofDefender, "liveresponse_status_example", &status.example)
	var body map[string]any
	sample(t, ofDefender, "liveresponse_response", &body)
	for said, code := range map[string]int{status.text: http.StatusCreated, status.example: http.StatusOK} {
		if !strings.Contains(strings.ToLower(said), strings.ToLower(http.StatusText(code))) {
			t.Fatalf("the documents have the status %q, want %d", said, code)
		}
		w, c := onDevice(t)
		body["id"], body["machineId"], body["requestorComment"] = guid, device, "Stanch script key-1: limit.ps1"
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		w.routes["POST "+machinePath+"/runliveresponse"] = says(code, string(text))
		o := integrations.ScriptOrder{Key: "key-1", Target: order(t).Target, Script: "limit.ps1"}
		r, err := c.Run(t.Context(), o)
		if err != nil || r.Ref != guid || r.At.Year() != 2021 {
			t.Errorf("%d: %+v, %v", code, r, err)
		}
		if got, err := c.Ran(t.Context(), o); err != nil || got.State != integrations.ScriptQueued {
			t.Errorf("%d: the script is %+v, %v; want it queued", code, got, err)
		}
	}
}

// Names in a body mind their case, as the documents warn: ours are those of the samples.
func TestBodiesAreNamedAsDocumented(t *testing.T) {
	names := func(part string, body any) {
		t.Helper()
		var want, got map[string]json.RawMessage
		sample(t, map[bool]string{true: ofGraph, false: ofDefender}[part == "request"], part, &want)
		text, err := json.Marshal(body)
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if have, wants := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); err != nil || !slices.Equal(have, wants) {
			t.Errorf("%s has the names %v, want %v; %v", part, have, wants, err)
		}
	}
	names("isolate_request", isolating().body("x"))
	names("liveresponse_request", runScript("a.ps1", "b", "x"))
	names("request", huntingBody{"T"})
	var live struct {
		Commands []struct {
			Type   string
			Params []liveParameter
		}
	}
	sample(t, ofDefender, "liveresponse_request", &live)
	if ours := runScript("minidump.ps1", "OfficeClickToRun", "").Commands[0]; len(live.Commands) == 0 || live.Commands[0].Type != ours.Type || !slices.Equal(live.Commands[0].Params, ours.Params) {
		t.Errorf("the script is %+v, want %+v", ours, live.Commands)
	}
}

// Errors are told with their code and the request's id, and each documented code has a kind:
// what will not change by itself is not tried again.
func TestDocumentedErrors(t *testing.T) {
	read := func(status int, body string) error {
		w, c := onDevice(t)
		w.routes["GET "+machinePath] = says(status, body)
		_, err := c.Read(t.Context(), order(t))
		return err
	}
	var errors []struct {
		HTTP int
		Body json.RawMessage
	}
	sample(t, ofDefender, "errors", &errors)
	for _, e := range errors {
		var said struct{ Error struct{ Code, Target string } }
		if err := json.Unmarshal(e.Body, &said); err != nil {
			t.Fatal(err)
		}
		kind := map[int]integrations.Kind{404: integrations.NotFound, 400: integrations.Invalid}[e.HTTP]
		if err := read(e.HTTP, string(e.Body)); err == nil || integrations.KindOf(err) != kind || !strings.Contains(err.Error(), said.Error.Code) || !strings.Contains(err.Error(), said.Error.Target) {
			t.Errorf("%d %s: %v, want kind %s", e.HTTP, e.Body, err, kind)
		}
	}
	var codes map[string][]string
	sample(t, ofDefender, "error_codes", &codes)
	kinds := map[string]integrations.Kind{
		"400": integrations.Invalid, "401": integrations.Denied, "403": integrations.Denied, "404": integrations.NotFound, "429": integrations.Throttled, "500": integrations.Unavailable,
	}
	for status, of := range codes {
		for _, code := range of {
			want := kinds[status]
			if code == "ActiveRequestAlreadyExists" {
				want = integrations.Conflict
			}
			n := map[string]int{"400": 400, "401": 401, "403": 403, "404": 404, "429": 429, "500": 500}[status]
			if err := read(n, `{"error": {"code": "`+code+`", "message": "x"}}`); err == nil || integrations.KindOf(err) != want {
				t.Errorf("%s %s: %v, want kind %s", status, code, err, want)
			}
		}
	}
	if len(errors) == 0 || len(codes) != len(kinds) {
		t.Errorf("%d errors and %d statuses are documented", len(errors), len(codes))
	}
}

// The page of hunting spells the columns of an answer in two ways.
func TestTheDocumentedEventsAreRead(t *testing.T) {
	for part, want := range map[string][2]string{
		"response_lower": {"cmd.exe", "2024-03-26T09:39:50.7688641Z"}, "response_upper_same_page": {"conhost.exe", "2020-08-30T06:38:35.7664356Z"},
	} {
		var body json.RawMessage
		sample(t, ofGraph, part, &body)
		w, c := onDevice(t)
		w.routes["POST /v1.0/security/runHuntingQuery"] = says(http.StatusOK, string(body))
		rows, err := c.hunt(t.Context(), "hunt", "T")
		if err != nil || len(rows) != 1 || rows[0].text("FileName") != want[0] || rows[0].at("Timestamp").Format(time.RFC3339Nano) != want[1] {
			t.Errorf("%s: %v, %v; want %v", part, rows, err, want)
		}
	}
}

// Hunting has the events of 30 days: what ended before is not asked for.
func TestWhatHuntingDoesNotHave(t *testing.T) {
	w, c := onDevice(t)
	w.routes["POST /v1.0/security/runHuntingQuery"] = says(http.StatusOK, `{"schema": [], "results": null}`)
	for ago, kind := range map[time.Duration]integrations.Kind{31 * 24 * time.Hour: integrations.Invalid, 29 * 24 * time.Hour: ""} {
		to := time.Now().Add(-ago)
		from, target := to.Add(-time.Hour), order(t).Target
		_, err1 := c.Connections(t.Context(), integrations.ConnectionQuery{Target: target, From: from, To: to, Limit: 1})
		_, err2 := c.Executions(t.Context(), integrations.ExecutionQuery{Target: target, From: from, To: to, Limit: 1})
		for _, err := range []error{err1, err2} {
			if (err != nil) != (kind != "") || err != nil && integrations.KindOf(err) != kind {
				t.Errorf("%s ago: %v, want kind %q", ago, err, kind)
			}
		}
	}
	if n := len(w.writes("/v1.0/security/runHuntingQuery")); n != 3 {
		t.Errorf("%d queries were sent, want 3", n)
	}
}

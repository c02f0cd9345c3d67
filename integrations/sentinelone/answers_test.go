package sentinelone

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// answering returns a client of a server that answers by method and path.
func answering(t *testing.T, answers map[string]string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, there := answers[r.Method+" "+r.URL.Path]
		if !there {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	c, err := open(Config{URL: server.URL, Token: secret, Identifier: Refuse, Access: httpx.Access{Timeout: 5 * time.Second}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.poll = time.Millisecond
	return c
}

// What the console says to an order of a script is a task, an execution that waits for
// somebody, or no clear answer.
func TestAnswersToAScript(t *testing.T) {
	a, _ := parseAgent("657613730168123595")
	for body, want := range map[string]struct {
		t    task
		says string
	}{
		`{"data":{"parentTaskId":"123456789","affected":1}}`:                                             {task{parent: "123456789"}, ""},
		`{"data":{"parentTaskId":"123456789","affected":1,"pending":false,"pendingExecutionId":null}}`:   {task{parent: "123456789"}, ""},
		`{"data":{"affected":0,"pending":true,"pendingExecutionId":"987654321"}}`:                        {task{pending: "987654321"}, ""},
		`{"data":{"parentTaskId":null,"affected":null,"pending":true,"pendingExecutionId":"987654321"}}`: {task{pending: "987654321"}, ""},
		`{"data":{"pending":true}}`:                             {task{}, "does not say as what"},
		`{"data":{"pending":true,"pendingExecutionId":"all"}}`:  {task{}, "does not say as what"},
		`{"data":{"affected":1}}`:                               {task{}, "does not say as what"},
		`{"data":{"parentTaskId":"123456789","affected":4000}}`: {task{}, "4000 devices were affected"},
		`{"data":{"parentTaskId":"123456789","affected":0}}`:    {task{}, "0 devices were affected"},
		`{"data":{"parentTaskId":"123456789"}}`:                 {task{}, "does not say how many"},
		`{"data":{"parentTaskId":"123456789","affected":1},"errors":[{"code":4000010,"detail":"half of it"}]}`: {task{}, "half of it"},
	} {
		c := answering(t, map[string]string{"POST " + managementPath + scriptsPath + "/execute": body})
		got, err := c.execute(t.Context(), "run", executionOf(run{a, "k"}, "5000001", ""))
		if got != want.t || (err != nil) != (want.says != "") {
			t.Errorf("%s: %+v, %v; want %+v", body, got, err, want.t)
		}
		if err != nil {
			wants(t, body, err, integrations.Ambiguous, want.says)
		}
	}
}

// A result that was cut says so in an advice alone, which other results have too: a part is
// not taken for all.
func TestACutResultIsNoAnswer(t *testing.T) {
	var old struct {
		Data struct {
			Recommendations []string `json:"recommendations"`
		} `json:"data"`
	}
	recorded(t, "power_query", &old)
	if len(old.Data.Recommendations) != 1 {
		t.Fatalf("the recorded result has the advice %q", old.Data.Recommendations)
	}
	advice, err := json.Marshal(old.Data.Recommendations)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1724151854609)
	const columns = `"columns":[{"name":"event.time"},{"name":"agent.uuid"}],"values":[[1724151854609,"f431b0a1a8744d2a8a92fc88fa3c13bc"]]`
	for name, c := range map[string]struct{ in, beside, says string }{
		"whole":                      {},
		"another advice":             {`,"recommendations":["Use a shorter time range."]`, `,"warnings":null`, ""},
		"cut, in the result":         {`,"recommendations":` + string(advice), "", "limited to 1000 rows"},
		"cut, beside the result":     {"", `,"recommendations":` + string(advice), "limited to 1000 rows"},
		"out of time":                {"", `,"partialResultsDueToTimeLimit":true`, "ran out of time"},
		"some are left out":          {`,"omittedEvents":7`, "", "left some out"},
		"an error inside the answer": {"", `,"error":{"message":"it broke"}`, "it broke"},
	} {
		t.Run(name, func(t *testing.T) {
			x := answering(t, map[string]string{
				"POST " + lakePath: `{"id":"q-1","stepsCompleted":1,"stepsTotal":1,"data":{` + columns + c.in + `}` + c.beside + `}`, "DELETE " + lakePath + "/q-1": "",
			})
			rows, err := x.events(t.Context(), question{
				op: "ask", agent: uuid{"f431b0a1a8744d2a8a92fc88fa3c13bc"}, event: created, from: at.Add(-time.Minute), to: at.Add(time.Minute), limit: 10,
			})
			switch {
			case c.says == "" && (err != nil || len(rows) != 1):
				t.Errorf("%v, %v; want the event", rows, err)
			case c.says != "" && (err == nil || integrations.KindOf(err) != integrations.Unavailable || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v, %v; want it unavailable, and said %q", rows, err, c.says)
			}
		})
	}
}

// A list that ends before its total, or does not end, is no answer; one without a total, or
// without a cursor, is.
func TestListsAreWhole(t *testing.T) {
	for body, says := range map[string]string{
		`{"data":[{"id":"600001"}],"pagination":{"totalItems":1,"nextCursor":null}}`:  "",
		`{"data":[{"id":"600001"}],"pagination":{"nextCursor":""}}`:                   "",
		`{"data":null,"pagination":{"totalItems":0,"nextCursor":null}}`:               "",
		`{"data":[{"id":"600001"}],"pagination":{"totalItems":2,"nextCursor":null}}`:  "has 2 that match, and returns 1",
		`{"data":[{"id":"600001"}],"pagination":{"totalItems":9,"nextCursor":"c-1"}}`: "again and again",
		`{"data":[{"id":"600001"}],"pagination":{"totalItems":5000}}`:                 "more than 10 match",
	} {
		c := answering(t, map[string]string{"GET " + managementPath + agentsPath: body})
		_, err := list[agent](t.Context(), c, "find", agentsPath, nil, 10)
		if (err != nil) != (says != "") {
			t.Errorf("%s: %v, want an error that says %q", body, err, says)
		}
		if err != nil {
			wants(t, body, err, integrations.Unavailable, says)
		}
	}
}

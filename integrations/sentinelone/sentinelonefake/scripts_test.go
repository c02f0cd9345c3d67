package sentinelonefake_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

func library() []sentinelonefake.Script {
	return []sentinelonefake.Script{
		{ID: "501", Name: "limit-process", InputRequired: true},
		{ID: "502", Name: "stop-everything", RequiresApproval: true},
		{ID: "503", Name: "list-processes", Type: "dataCollection"},
	}
}

func ordered(script, filter, more string) string {
	return fmt.Sprintf(`{"filter":%s,"data":{"scriptId":%q,"taskDescription":"case 7","outputDestination":"SentinelCloud"%s}}`, filter, script, more)
}

const onWS1 = `{"ids":["` + ws1 + `"]}`

func TestScriptRuns(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Scripts: library(), Older: true})
	b.world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
		return edrtest.Result{Stdout: h.Name + " " + name + " " + input}
	})
	same(t, "the scripts of a name", b.get("/remote-scripts?query=LIMIT").column("id"), []string{"501"})
	a := b.post("/remote-scripts/execute", ordered("501", onWS1, `,"inputParams":"-Pid 4100"`))
	same(t, "affected", a.at("data", "affected"), 1)
	parent, _ := a.at("data", "parentTaskId").(string)
	status := func() answer { return b.get("/remote-scripts/status?parentTaskId=" + parent) }
	same(t, "the task before", status().column("status"), []string{"pending"})
	b.world.Settle()
	asRecorded(t, "remote_script_task", status().at("data", 0))
	same(t, "the task after", status().column("detailedStatus"), []string{"Execution completed successfully"})
	task, _ := status().at("data", 0, "id").(string)
	links := b.post("/remote-scripts/fetch-files", `{"data":{"taskIds":["`+task+`"]}}`)
	url, _ := links.at("data", "download_links", 0, "downloadUrl").(string)
	if strings.HasPrefix(url, b.url) {
		t.Error("the results are on the console's own host")
	}
	same(t, "what the script wrote", unpack(t, url)["stdout.txt"], "WS-0001 limit-process -Pid 4100")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "ApiToken s1-token")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("with a token: %d, want 400: the link is signed", res.StatusCode)
	}
}

func unpack(t *testing.T, url string) map[string]string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	archive, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatalf("%d %s: %v", res.StatusCode, archive, err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// A script that fails is completed; only the detail says that it failed.
func TestScriptThatFails(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Scripts: library()})
	b.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Exit: 1} })
	parent, _ := b.post("/remote-scripts/execute", ordered("503", `{"ids":"`+ws1+`,`+ws2+`"}`, "")).at("data", "parentTaskId").(string)
	b.world.Settle()
	a := b.get("/remote-scripts/status?parentTaskId=" + parent)
	same(t, "the states, of which one is of an agent that is away", a.column("status"), []string{"completed", "pending"})
	same(t, "the detail", a.at("data", 0, "detailedStatus"), "The execution terminated in failure")
	words := map[edrtest.State]string{
		edrtest.Running: "in_progress", edrtest.Failed: "failed", edrtest.Expired: "expired", edrtest.Cancelled: "canceled",
	}
	for _, state := range []edrtest.State{edrtest.Running, edrtest.Failed, edrtest.Expired, edrtest.Cancelled} {
		b.world.ChangeAction(b.world.Actions(ws2)[0].ID, func(a *edrtest.Action) { a.State = state })
		same(t, string(state), b.get("/remote-scripts/status?parentTaskId="+parent).at("data", 1, "status"), words[state])
	}
	same(t, "the tasks of one state", b.get("/remote-scripts/status?status=canceled&parentTaskId="+parent).column("agentId"), []string{ws2})
}

func TestScriptAwaitsApproval(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Scripts: library()})
	b.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{} })
	check := b.post("/remote-scripts/guardrails/check", `{"data":{"scriptId":"502","agentIds":["`+ws1+`"]}}`)
	same(t, "the check", check.at("data", "requiresApproval"), true)
	a := b.post("/remote-scripts/execute", ordered("502", onWS1, ""))
	same(t, "the answer", []any{a.at("data", "pending"), a.at("data", "parentTaskId")}, []any{true, nil})
	id, _ := a.at("data", "pendingExecutionId").(string)
	b.world.Settle()
	same(t, "its state", b.get("/remote-scripts/pending-executions").column("state"), []string{"waiting"})
	if b.world.Actions(ws1)[0].State != edrtest.AwaitsApproval {
		t.Error("it ran without approval")
	}
	decide := func(id, action string) answer {
		return b.do(http.MethodPut, "/web/api/v2.1/remote-scripts/pending-executions/"+id, `{"data":{"action":"`+action+`"}}`)
	}
	if a := decide("0", "approve"); a.status != http.StatusNotFound {
		t.Errorf("an unknown execution: %d, want 404", a.status)
	}
	decide(id, "approve")
	b.world.Settle()
	if b.world.Actions(ws1)[0].State != edrtest.Done {
		t.Error("it did not run after it was approved")
	}
	same(t, "its state at the end", b.get("/remote-scripts/pending-executions").column("state"), []string{"approved"})
	again, _ := b.post("/remote-scripts/execute", ordered("503", onWS1, `,"requiresApproval":true`)).at("data", "pendingExecutionId").(string)
	decide(again, "decline")
	same(t, "a declined one", b.get("/remote-scripts/pending-executions").column("state"), []string{"approved", "declined"})
}

func TestScriptsThatAreRefused(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Scripts: library()})
	for _, body := range []string{
		ordered("0", onWS1, ""), ordered("501", onWS1, ""), ordered("503", onWS1, `,"arguments":"x"`), ordered("503", onWS1, `,"inputparams":"x"`),
		ordered("503", "null", ""), `{"filter":` + onWS1 + `,"data":{"scriptId":"503"}}`,
		strings.Replace(ordered("503", onWS1, ""), "SentinelCloud", "Nowhere", 1),
	} {
		if a := b.post("/remote-scripts/execute", body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", body, a.status, a.text)
		}
	}
	if a := b.get("/remote-scripts/status"); a.status != http.StatusBadRequest {
		t.Errorf("the state of all tasks: %d, want 400", a.status)
	}
	if n := len(b.world.Actions("")); n != 0 {
		t.Errorf("refused orders left %d actions", n)
	}
	b.double.Change(func(o *sentinelonefake.Options) {
		o.Permissions = []string{"Remote Script Orchestration.view", "Remote Script Orchestration.runActionScript"}
	})
	if a := b.post("/remote-scripts/execute", ordered("503", onWS1, "")); a.status != http.StatusForbidden {
		t.Errorf("a script of a type that the role may not run: %d, want 403", a.status)
	}
	b.double.Change(func(o *sentinelonefake.Options) { o.Permissions = nil })
	same(t, "affected by an empty filter", b.post("/remote-scripts/execute", ordered("503", "{}", "")).at("data", "affected"), 3)
}

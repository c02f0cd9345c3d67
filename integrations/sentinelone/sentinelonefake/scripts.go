package sentinelonefake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const scriptsView = "Remote Script Orchestration.view"

// Script is one of the library.
type Script struct {
	ID, Name string
	// Type is action, artifactCollection or dataCollection; empty is action.
	Type string
	// InputRequired scripts refuse to run without input.
	InputRequired bool
	// RequiresApproval has somebody approve each execution at the console.
	RequiresApproval bool
}

func (s Script) kind() string {
	if s.Type == "" {
		return "action"
	}
	return s.Type
}

// run is one execution: a task on each of some agents.
type run struct {
	parent, pending string
	script          Script
	description     string
	actions         []string // of the world, in the order of the agents
}

func (d *Double) listScripts(o Options, r *http.Request) (any, *failure) {
	q := r.URL.Query()
	if f := known(q, "ids", "query", "osTypes", "scriptType", "siteIds", "accountIds", "groupIds", "isAvailableForArs"); f != nil {
		return nil, f
	}
	p, f := pagingOf(q, "id", "scriptName", "createdAt", "scriptType")
	if f != nil {
		return nil, f
	}
	var items []item
	for _, s := range o.Scripts {
		text := strings.ToLower(q.Get("query"))
		if !strings.Contains(strings.ToLower(s.Name), text) || !amongOrAny(q.Get("ids"), s.ID) ||
			!amongOrAny(q.Get("scriptType"), s.kind()) || !amongOrAny(q.Get("osTypes"), "windows") {
			continue
		}
		items = append(items, item{s.ID, map[string]any{
			"id": s.ID, "scriptName": s.Name, "scriptType": s.kind(), "osTypes": []string{"windows"}, "inputRequired": s.InputRequired,
			"inputExample": nil, "inputInstructions": nil, "requiresApproval": s.RequiresApproval, "scriptDescription": nil,
			"scriptRuntimeTimeoutSeconds": 3600, "scopeLevel": "account", "scopeId": AccountID, "version": "1.0.0",
			"fileName": s.Name + ".ps1", "createdAt": stamp(d.world.Now()), "updatedAt": stamp(d.world.Now()),
		}})
	}
	return list(o, p, items)
}

// amongOrAny reports whether a comma-separated list has a value, or is empty.
func amongOrAny(list, value string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), value)
}

func (o Options) script(id string) (Script, *failure) {
	at := slices.IndexFunc(o.Scripts, func(s Script) bool { return s.ID == id })
	if at < 0 {
		return Script{}, invalid("data -> scriptId: Script not found.")
	}
	return o.Scripts[at], nil
}

func (d *Double) checkGuardrails(o Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "data")
	if f != nil {
		return nil, f
	}
	var data struct {
		ScriptID string
		AgentIDs []string
	}
	if f := readData(body, &data, "scriptId", "agentIds"); f != nil {
		return nil, f
	}
	s, f := o.script(data.ScriptID)
	if f != nil {
		return nil, f
	}
	return map[string]any{"data": map[string]any{"requiresApproval": s.RequiresApproval}}, nil
}

// execution is what a client orders.
type execution struct {
	ScriptID, TaskDescription, OutputDestination, InputParams string
	OutputDirectory, Password, APIKey                         string
	OutputFilePaths                                           []string
	ScriptRuntimeTimeoutSeconds                               int
	RequiresApproval                                          bool
}

func (d *Double) execute(o Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "filter", "data")
	if f != nil {
		return nil, f
	}
	by, f := filterIn(body)
	if f != nil {
		return nil, f
	}
	var e execution
	if f := readData(body, &e, "scriptId", "taskDescription", "outputDestination", "inputParams", "outputDirectory", "password",
		"apiKey", "outputFilePaths", "scriptRuntimeTimeoutSeconds", "requiresApproval"); f != nil {
		return nil, f
	}
	s, f := e.check(o)
	if f != nil {
		return nil, f
	}
	made := &run{script: s, description: e.TaskDescription}
	state := edrtest.Pending
	if s.RequiresApproval || e.RequiresApproval {
		state = edrtest.AwaitsApproval
	}
	for _, a := range d.fleet(o) {
		if by.match(a) {
			ordered := d.world.Order(edrtest.Action{
				Kind: edrtest.RunScript, Host: a.ID, By: o.User, Comment: e.TaskDescription, Script: s.Name, Input: e.InputParams, State: state,
			})
			made.actions = append(made.actions, ordered.ID)
		}
	}
	answer := map[string]any{"affected": len(made.actions), "parentTaskId": nil, "pending": false, "pendingExecutionId": nil}
	id := fmt.Sprintf("19%016d", d.next())
	if state == edrtest.AwaitsApproval {
		made.pending = id
		answer["pending"], answer["pendingExecutionId"] = true, id
	} else {
		made.parent = id
		answer["parentTaskId"] = id
	}
	d.mu.Lock()
	d.runs = append(d.runs, made)
	d.mu.Unlock()
	return map[string]any{"data": answer}, nil
}

// check finds the script, and what its execution lacks.
func (e execution) check(o Options) (Script, *failure) {
	if e.ScriptID == "" || e.TaskDescription == "" || e.OutputDestination == "" {
		return Script{}, invalid("data -> scriptId, taskDescription, outputDestination: Missing data for required field.")
	}
	if !slices.Contains([]string{"SentinelCloud", "Local", "None", "SingularityXDR"}, e.OutputDestination) {
		return Script{}, invalid("data -> outputDestination: Not a valid choice.")
	}
	s, f := o.script(e.ScriptID)
	if f != nil {
		return Script{}, f
	}
	kind := strings.ToUpper(s.kind()[:1]) + s.kind()[1:]
	if f := o.permit("Remote Script Orchestration.run" + kind + "Script"); f != nil {
		return Script{}, f
	}
	if s.InputRequired && e.InputParams == "" {
		return Script{}, invalid("data -> inputParams: Missing data for required field.")
	}
	return s, nil
}

// taskID is the id of the task of an execution on its nth agent.
func (r *run) taskID(n int) string { return r.parent + strconv.Itoa(n) }

func (d *Double) allRuns() []run {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]run, 0, len(d.runs))
	for _, r := range d.runs {
		all = append(all, *r)
	}
	return all
}

// words are the console's for the state of a task. A script that ran to its end is
// completed, whether or not it did what it should.
func words(a edrtest.Action) (status, detailed, description string) {
	switch a.State {
	case edrtest.Pending:
		return "pending", "", "Pending"
	case edrtest.Running:
		return "in_progress", "", "In progress"
	case edrtest.Done:
		if a.Result.Exit != 0 {
			return "completed", "The execution terminated in failure", "Completed"
		}
		return "completed", "Execution completed successfully", "Completed"
	case edrtest.Failed:
		return "failed", "Execution failed", "Failed"
	case edrtest.Expired:
		return "expired", "Execution expired", "Expired"
	case edrtest.Cancelled:
		return "canceled", "Execution canceled", "Canceled"
	case edrtest.AwaitsApproval:
	}
	return "created", "", "Created"
}

func (d *Double) scriptStatus(o Options, r *http.Request) (any, *failure) {
	q := r.URL.Query()
	if f := known(q, "parentTaskId", "parentTaskId__in", "ids", "status", "type", "types", "query", "tenant", "accountIds", "siteIds", "groupIds"); f != nil {
		return nil, f
	}
	p, f := pagingOf(q, "id", "createdAt", "updatedAt", "status")
	if f != nil {
		return nil, f
	}
	parents := q.Get("parentTaskId") + "," + q.Get("parentTaskId__in")
	if parents == "," {
		return nil, invalid("parentTaskId: Missing data for required field.")
	}
	var items []item
	for _, run := range d.allRuns() {
		if run.parent == "" || !slices.Contains(strings.Split(parents, ","), run.parent) {
			continue
		}
		for n, id := range run.actions {
			a, _ := d.world.Action(id)
			status, detailed, description := words(a)
			if amongOrAny(q.Get("status"), status) && amongOrAny(q.Get("ids"), run.taskID(n)) {
				items = append(items, item{run.taskID(n), d.task(run, n, a, status, detailed, description)})
			}
		}
	}
	return list(o, p, items)
}

func (d *Double) task(r run, n int, a edrtest.Action, status, detailed, description string) map[string]any {
	host, _ := d.world.Host(a.Host)
	on := agent{Host: host}
	return map[string]any{
		"id": r.taskID(n), "parentTaskId": r.parent, "type": "script_execution", "description": r.description, "initiatedBy": a.By,
		"status": status, "detailedStatus": nullable(detailed), "statusCode": nil, "statusDescription": description,
		"agentId": host.ID, "agentUuid": on.uuid(), "agentComputerName": host.Name, "agentIsActive": !host.Offline,
		"agentIsDecommissioned": false, "agentMachineType": on.machineType(), "agentOsType": on.osType(),
		"accountId": AccountID, "siteId": SiteID, "groupId": on.groupID(), "scriptResultsSignature": nil,
		"createdAt": stamp(a.Created), "updatedAt": stamp(a.Updated),
	}
}

func nullable(text string) any {
	if text == "" {
		return nil
	}
	return text
}

package apispec_test

import (
	"strings"
	"testing"
)

func logAnalytics(t *testing.T) []exchange {
	t.Helper()
	const path = "/v1/workspaces/b438b4f6-912a-46d5-9cb1-b44069212abc/query"
	const span = "2026-11-30T10:00:00Z/2026-11-30T12:00:00.5Z"
	// As a product was recorded in Azure's own tests, by its form.
	const partial = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Thread","type":"dynamic"}],"rows":[["2022-06-03T19:50:29.043Z",null],["2022-06-03T19:50:29.043Z","a"]]}],` +
		`"error":{"code":"PartialError","message":"some","details":[{"code":"EngineError","message":"some","innererror":{"code":"-2133196797","message":"too large","severity":2,"severityName":"Error"}}]}}`
	const refused = `{"error":{"message":"some","code":"BadArgumentError","correlationId":"3ac5b91d","innererror":{"code":"SemanticError","message":"some","innererror":{"code":"SEM0100","message":"some"}}}}`
	prefer := func(text string) map[string][]string {
		h := bearer().Clone()
		h.Set("Content-Type", "application/json")
		h.Set("Prefer", text)
		return h
	}
	all := []exchange{
		{name: "query", method: "POST", path: path, header: prefer("wait=600, include-statistics=true"), body: `{"query":"Usage","timespan":"` + span + `"}`},
		{name: "query by a length of time", method: "POST", path: path, header: prefer("wait=60"), body: `{"query":"Usage","timespan":"PT1H"}`, wrong: "/timespan"},
		{name: "query of nothing", method: "POST", path: path, header: prefer("wait=60"), body: `{"query":""}`, wrong: "/query"},
		{name: "query with an invented key", method: "POST", path: path, header: prefer("wait=60"), body: `{"query":"Usage","maxRows":1}`, wrong: "maxRows"},
		{name: "query that waits for ever", method: "POST", path: path, header: prefer("wait=0"), body: `{"query":"Usage"}`, wrong: "Prefer"},
		{name: "query of a workspace by its name", method: "POST", path: "/v1/workspaces/soc/query", header: prefer("wait=60"), body: `{"query":"Usage"}`, wrong: `path "workspace"`},
		{name: "rows, and why they are not all", method: "POST", path: path, status: 200, answer: partial},
		{name: "a type that there is not", method: "POST", path: path, status: 200, answer: strings.Replace(partial, `"dynamic"`, `"Object"`, 1), wrong: "/type"},
		{name: "a cell that is an object", method: "POST", path: path, status: 200, answer: strings.Replace(partial, `null]`, `{}]`, 1), wrong: "/rows/0/1"},
		{name: "an error", method: "GET", path: path, status: 400, answer: refused},
		{name: "an error as a text", method: "GET", path: path, status: 400, answer: `{"error":"SEM0100"}`, wrong: "/error"},
	}
	for i := range all {
		all[i].spec = "loganalytics"
	}
	return all
}

func TestLogAnalytics(t *testing.T) { judge(t, logAnalytics(t)) }

package apispec_test

import (
	"strings"
	"testing"
)

func sentinel(t *testing.T) []exchange {
	const root = "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/myRg/providers/Microsoft.OperationalInsights/workspaces/myWorkspace/providers/Microsoft.SecurityInsights/incidents"
	const one, version = root + "/73e01a99-5cd7-4139-a149-9f2736ff2ab5", "?api-version=2024-03-01"
	const comment = one + "/comments/4bb36b7b-26ff-4d1c-9cbe-0d8ab3da0014"
	documented := map[string]string{}
	for name, text := range document(t, "sentinel-documented.json") {
		documented[name] = string(text)
	}
	put, incident := documented["put_request"], documented["incident"]
	all := []exchange{
		{name: "list", method: "GET", path: root + version + "&$top=1", header: bearer()},
		{name: "list without a version", method: "GET", path: root, header: bearer(), wrong: `query "api-version"`},
		{name: "list of an unknown version", method: "GET", path: root + "?api-version=2019-01-01-preview", header: bearer(), wrong: `query "api-version"`},
		{name: "list by an option without its sign", method: "GET", path: root + version + "&top=1", header: bearer(), wrong: `query "top"`, ours: "it ignores parameters that it does not know"},
		{name: "documented change", method: "PUT", path: one + version, header: bearer(), body: put},
		{name: "change without an etag", method: "PUT", path: one + version, header: bearer(), body: strings.Replace(put, `"etag"`, `"tag"`, 1), wrong: "etag"},
		{name: "change of a status that there is not", method: "PUT", path: one + version, header: bearer(), body: strings.Replace(put, `"Closed"`, `"closed"`, 1), wrong: "/properties/status"},
		{name: "change of what the product writes", method: "PUT", path: one + version, header: bearer(), body: strings.Replace(put, `"title"`, `"incidentNumber": 1, "title"`, 1), wrong: "incidentNumber"},
		{name: "change by an owner that is null", method: "PUT", path: one + version, header: bearer(), body: strings.Replace(put, `"2046feea-040d-4a46-9e2b-91c2941bfa70"`, `null`, 1), wrong: "/properties/owner/objectId"},
		{name: "change of an incident that is no GUID", method: "PUT", path: root + "/incident-1" + version, header: bearer(), body: put, wrong: `path "incident"`},
		{name: "documented comment", method: "PUT", path: comment + version, header: bearer(), body: documented["comment_request"]},
		{name: "comment without words", method: "PUT", path: comment + version, header: bearer(), body: `{"properties":{"message":""}}`, wrong: "/properties/message"},
		{name: "entities", method: "POST", path: one + "/entities" + version, header: bearer()},

		{name: "documented incident", method: "GET", path: one, status: 200, answer: incident},
		{name: "incident that was created", method: "PUT", path: one, status: 201, answer: incident},
		{name: "incident with an invented key", method: "GET", path: one, status: 200, answer: strings.Replace(incident, `"incidentNumber"`, `"caseNumber"`, 1), wrong: "caseNumber"},
		{name: "documented comment, created", method: "PUT", path: comment, status: 201, answer: documented["comment"]},
		{name: "documented entities", method: "POST", path: one + "/entities", status: 200, answer: documented["entities"]},
		{name: "entities with null", method: "POST", path: one + "/entities", status: 200, answer: `{"entities":[null]}`, wrong: "/entities/0"},
		{name: "an error that people told", method: "PUT", path: one, status: 405, answer: documented["error"]},
		{name: "an error as a text", method: "PUT", path: one, status: 409, answer: `{"error":"Conflict"}`, wrong: "/error"},
	}
	for i := range all {
		all[i].spec = "sentinel"
	}
	return all
}

func TestSentinel(t *testing.T) { judge(t, sentinel(t)) }

package apispec_test

import (
	"fmt"
	"testing"
)

const (
	aid      = "877761efa8db44d7aaaaaaaaaaaaaaaa"
	otherAid = "cfe6986909644340aaaaaaaaaaaaaaaa"
)

func crowdstrike(t *testing.T) []exchange {
	const action = "/devices/entities/devices-actions/v2?action_name=contain"
	const command = "/real-time-response/entities/admin-command/v1"
	const envelope = `"meta":{"query_time":0.1,"trace_id":"t"},"errors":[]`
	one := fmt.Sprintf(`{"ids":[%q]}`, aid)
	recorded := document(t, "falcon-recorded.json")
	return []exchange{
		{name: "contain", spec: "crowdstrike", method: "POST", path: action, header: bearer(), body: one},
		{name: "contain nobody", spec: "crowdstrike", method: "POST", path: action, header: bearer(), body: `{"ids":[]}`, wrong: "/ids"},
		{name: "contain two", spec: "crowdstrike", method: "POST", path: action, header: bearer(), body: fmt.Sprintf(`{"ids":[%q,%q]}`, aid, otherAid), wrong: "/ids"},
		{name: "contain a name", spec: "crowdstrike", method: "POST", path: action, header: bearer(), body: `{"ids":["SRV-1"]}`, wrong: "/ids/0"},
		{name: "unknown key", spec: "crowdstrike", method: "POST", path: action, header: bearer(), body: fmt.Sprintf(`{"ids":[%q],"comment":"x"}`, aid), wrong: "comment"},
		{name: "key twice", spec: "crowdstrike", method: "POST", path: action, header: bearer(), body: fmt.Sprintf(`{"ids":[%q],"ids":[%q]}`, aid, otherAid), wrong: "occurs twice", ours: "it parses JSON, of which the last key counts"},
		{name: "no action", spec: "crowdstrike", method: "POST", path: "/devices/entities/devices-actions/v2", header: bearer(), body: one, wrong: "action_name"},
		{name: "hide a host", spec: "crowdstrike", method: "POST", path: "/devices/entities/devices-actions/v2?action_name=hide_host", header: bearer(), body: one, wrong: "action_name"},
		{name: "no token", spec: "crowdstrike", method: "POST", path: action, header: headers("Content-Type", "application/json"), body: one, wrong: "Authorization"},
		{name: "two ids in a query", spec: "crowdstrike", method: "GET", path: "/devices/entities/devices/v2?ids=" + aid + "&ids=" + otherAid, header: bearer()},
		{name: "ids joined by a comma", spec: "crowdstrike", method: "GET", path: "/devices/entities/devices/v2?ids=" + aid + "," + otherAid, header: bearer(), wrong: "repeated for each"},
		{name: "unknown parameter", spec: "crowdstrike", method: "GET", path: "/devices/queries/devices/v1?filtre=x", header: bearer(), wrong: "no such parameter", ours: "it ignores parameters that it does not know"},
		{name: "parameter twice", spec: "crowdstrike", method: "GET", path: "/devices/queries/devices/v1?limit=1&limit=2", header: bearer(), wrong: "not repeated"},
		{name: "unknown path", spec: "crowdstrike", method: "GET", path: "/devices/entities/devices/v9", header: bearer(), wrong: "no path"},
		{name: "unknown method", spec: "crowdstrike", method: "PUT", path: "/oauth2/token", header: bearer(), wrong: "takes no method"},
		{name: "token", spec: "crowdstrike", method: "POST", path: "/oauth2/token", header: headers("Content-Type", "application/x-www-form-urlencoded"), body: "client_id=a&client_secret=b"},
		{name: "token without a secret", spec: "crowdstrike", method: "POST", path: "/oauth2/token", header: headers("Content-Type", "application/x-www-form-urlencoded"), body: "client_id=a", wrong: "client_secret"},
		{name: "command", spec: "crowdstrike", method: "POST", path: command, header: bearer(), body: fmt.Sprintf(`{"base_command":"runscript","command_string":"runscript -CloudFile='a.ps1'","device_id":%q,"id":0,"persist":false,"session_id":"s"}`, aid)},
		{name: "command without a host", spec: "crowdstrike", method: "POST", path: command, header: bearer(), body: `{"base_command":"runscript","command_string":"runscript","id":0,"persist":false,"session_id":"s"}`, wrong: "device_id"},
		{name: "body of a read", spec: "crowdstrike", method: "GET", path: "/devices/queries/devices/v1", header: bearer(), body: `{}`, wrong: "takes no body"},
		{name: "tag", spec: "crowdstrike", method: "PATCH", path: "/devices/entities/devices/tags/v1", header: bearer(), body: fmt.Sprintf(`{"action":"add","device_ids":[%q],"tags":["FalconGroupingTags/stanch"]}`, aid)},
		{name: "tag of another kind", spec: "crowdstrike", method: "PATCH", path: "/devices/entities/devices/tags/v1", header: bearer(), body: fmt.Sprintf(`{"action":"add","device_ids":[%q],"tags":["stanch"]}`, aid), wrong: "/tags/0"},

		{name: "accepted", spec: "crowdstrike", method: "POST", path: action, status: 202, answer: fmt.Sprintf(`{%s,"resources":[{"id":%q,"path":"/devices/entities/devices/v1"}]}`, envelope, aid)},
		{name: "answer without meta", spec: "crowdstrike", method: "POST", path: action, status: 202, answer: `{"errors":[],"resources":[]}`, wrong: "meta"},
		{name: "answer that was not asked for", spec: "crowdstrike", method: "POST", path: action, status: 200, answer: fmt.Sprintf(`{%s,"resources":[]}`, envelope), wrong: "no such answer"},
		{name: "invented key", spec: "crowdstrike", method: "GET", path: "/devices/entities/devices/v2", status: 200, answer: fmt.Sprintf(`{%s,"resources":[{"cid":"c","device_id":%q,"containment":"yes"}]}`, envelope, aid), wrong: "containment"},
		{name: "recorded batch", spec: "crowdstrike", method: "POST", path: "/real-time-response/combined/batch-admin-command/v1", status: 201, answer: string(recorded["rtr_batch_ok"])},
		{name: "recorded error in a success", spec: "crowdstrike", method: "POST", path: "/real-time-response/combined/batch-admin-command/v1", status: 201, answer: string(recorded["rtr_batch_error_inside_2xx"])},
	}
}

func TestCrowdStrike(t *testing.T) { judge(t, crowdstrike(t)) }

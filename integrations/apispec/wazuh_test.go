package apispec_test

import "testing"

func wazuh(*testing.T) []exchange {
	const respond = "/active-response?agents_list="
	const run = `{"command":"!stanch.exe","arguments":["-"],"alert":{"data":{"lease":"l"}}}`
	all := []exchange{
		{name: "respond", method: "PUT", path: respond + "001", header: bearer(), body: run},
		{name: "respond everywhere", method: "PUT", path: "/active-response", header: bearer(), body: run, wrong: "agents_list"},
		{name: "respond to nothing", method: "PUT", path: respond, header: bearer(), body: run, wrong: "agents_list"},
		{name: "respond to two", method: "PUT", path: respond + "001,002", header: bearer(), body: run, wrong: "agents_list"},
		{name: "respond to two, repeated", method: "PUT", path: respond + "001&agents_list=002", header: bearer(), body: run, wrong: "agents_list", ours: "of a parameter that is not repeated it reads the last"},
		{name: "respond to all by name", method: "PUT", path: respond + "all", header: bearer(), body: run, wrong: "agents_list"},
		{name: "respond on the manager", method: "PUT", path: respond + "000", header: bearer(), body: run, wrong: "agents_list"},
		{name: "respond with what was", method: "PUT", path: respond + "001", header: bearer(), body: `{"command":"!stanch.exe","custom":true}`, wrong: "custom"},
		{name: "respond by a path", method: "PUT", path: respond + "001", header: bearer(), body: `{"command":"!../stanch.exe"}`, wrong: "/command"},
		{name: "log in", method: "POST", path: "/security/user/authenticate?raw=true", header: headers("Authorization", "Basic dTpw")},
		{name: "log in by a token", method: "POST", path: "/security/user/authenticate", header: headers("Authorization", "Bearer t"), wrong: "user and a password"},
		{name: "agents", method: "GET", path: "/agents?q=name%3Dsrv-1&status=active,disconnected&select=id,name&limit=2", header: bearer()},
		{name: "agents of no state", method: "GET", path: "/agents?status=online", header: bearer(), wrong: "status"},
		{name: "ports", method: "GET", path: "/syscollector/001/ports?remote.ip=203.0.113.9", header: bearer()},
		{name: "move between groups", method: "PUT", path: "/agents/001/group/isolated?force_single_group=true", header: bearer(), wrong: "force_single_group"},

		{name: "sent", method: "PUT", path: "/active-response", status: 200, answer: `{"data":{"affected_items":["001"],"total_affected_items":1,"total_failed_items":0,"failed_items":[]},"message":"m","error":0}`},
		{name: "not sent", method: "PUT", path: "/active-response", status: 200, answer: `{"data":{"affected_items":[],"total_affected_items":0,"total_failed_items":1,"failed_items":[{"error":{"code":1707,"message":"m","remediation":"r"},"id":["001"]}]},"message":"m","error":1}`},
		{name: "sent and unsaid", method: "PUT", path: "/active-response", status: 200, answer: `{"data":{"affected_items":["001"]},"error":0}`, wrong: "failed_items"},
		{name: "too many", method: "PUT", path: "/active-response", status: 429, answer: `{"title":"t","detail":"d","error":6001}`},
	}
	for i := range all {
		all[i].spec = "wazuh"
	}
	return all
}

func TestWazuh(t *testing.T) { judge(t, wazuh(t)) }

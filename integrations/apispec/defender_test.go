package apispec_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const (
	machine = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"
	action  = "988cc94e-7a8f-4b28-ab65-54970c5d5018"
	tenant  = "11111111-2222-3333-4444-555555555555"
)

func defender(t *testing.T) []exchange {
	const isolate = "/api/machines/" + machine + "/isolate"
	const actions = "/api/machineactions"
	const segments = "it takes the path for that of a machine: it knows no path with two parameters in a part"
	// The keys and the forms of values are those of the page on a machine.
	const host = `{"@odata.context":"https://api.security.microsoft.com/api/$metadata#Machine","id":"` + machine + `","computerDnsName":"srv-1.example.com","firstSeen":"2026-08-02T14:55:03.7791856Z","lastSeen":"2026-08-02T14:55:03.7791856Z","osPlatform":"WindowsServer2022","version":"21H2","osProcessor":"x64","lastIpAddress":"172.17.230.209","lastExternalIpAddress":"192.0.2.71","osBuild":20348,"healthStatus":"Active","rbacGroupId":140,"rbacGroupName":"The-A-Team","riskScore":"Low","exposureLevel":"Medium","isAadJoined":true,"aadDeviceId":null,"machineTags":["a"],"ipAddresses":[{"ipAddress":"10.166.113.47","macAddress":"8CEC4B897E73","operationalStatus":"Up"}]}`
	documented := document(t, "mde-documented.json")
	// The sample names what its reader fills in.
	filled := strings.NewReplacer("{machine_action_id}", action, "{machine_id}", machine)
	live := filled.Replace(string(documented["liveresponse_response"]))
	all := []exchange{
		{name: "documented isolation", method: "POST", path: isolate, header: bearer(), body: string(documented["isolate_request"])},
		{name: "key in small letters", method: "POST", path: isolate, header: bearer(), body: `{"comment":"c","IsolationType":"Full"}`, wrong: "comment"},
		{name: "no comment", method: "POST", path: isolate, header: bearer(), body: `{"Comment":"","IsolationType":"Full"}`, wrong: "/Comment"},
		{name: "no kind of isolation", method: "POST", path: isolate, header: bearer(), body: `{"Comment":"c"}`, wrong: "IsolationType"},
		{name: "unknown kind of isolation", method: "POST", path: isolate, header: bearer(), body: `{"Comment":"c","IsolationType":"full"}`, wrong: "/IsolationType"},
		{name: "isolate a name", method: "POST", path: "/api/machines/srv-1/isolate", header: bearer(), body: `{"Comment":"c","IsolationType":"Full"}`, wrong: `path "id"`},
		{name: "isolate without a body", method: "POST", path: isolate, header: bearer(), wrong: "body"},
		{name: "isolate by a form", method: "POST", path: isolate, header: headers("Authorization", "Bearer t", "Content-Type", "application/x-www-form-urlencoded"), body: "Comment=c", wrong: "body"},
		{name: "release", method: "POST", path: "/api/machines/" + machine + "/unisolate", header: bearer(), body: `{"Comment":"c"}`},
		{name: "release with too much", method: "POST", path: "/api/machines/" + machine + "/unisolate", header: bearer(), body: `{"Comment":"c","IsolationType":"Full"}`, wrong: "IsolationType"},
		{name: "by address", method: "GET", path: "/api/machines/findbyip(ip='10.248.240.38',timestamp=2026-11-22T08:44:05Z)", header: bearer(), ours: segments},
		{name: "by address, escaped", method: "GET", path: "/api/machines/findbyip(ip=%2710.248.240.38%27,timestamp=2026-11-22T08%3A44%3A05Z)", header: bearer(), ours: segments},
		{name: "by half an address", method: "GET", path: "/api/machines/findbyip(ip='10.248.240',timestamp=2026-11-22T08:44:05Z)", header: bearer(), wrong: `path "ip"`},
		{name: "at no time", method: "GET", path: "/api/machines/findbyip(ip='10.248.240.38',timestamp=today)", header: bearer(), wrong: `path "timestamp"`},
		{name: "by name", method: "GET", path: "/api/machines?$filter=computerDnsName+eq+'srv-1.example.com'&$top=2", header: bearer()},
		{name: "by the start of a name", method: "GET", path: "/api/machines?$filter=startswith(computerDnsName,'srv-1')", header: bearer()},
		{name: "by a name with a quote", method: "GET", path: "/api/machines?$filter=computerDnsName+eq+'o''brien'", header: bearer()},
		{name: "by a name that ends the text", method: "GET", path: "/api/machines?$filter=computerDnsName+eq+'o'brien'", header: bearer(), wrong: "$filter"},
		{name: "by what cannot be searched", method: "GET", path: "/api/machines?$filter=hostName+eq+'a'", header: bearer(), wrong: "$filter"},
		{name: "in an order", method: "GET", path: actions + "?$orderby=creationDateTimeUtc+desc", header: bearer(), wrong: "no such parameter", ours: "it ignores parameters that it does not know"},
		{name: "actions of a machine", method: "GET", path: actions + "?$filter=machineId+eq+'" + machine + "'+and+(type+eq+'Isolate'+or+type+eq+'Unisolate')", header: bearer()},
		{name: "an action without an id", method: "GET", path: actions + "/1", header: bearer(), wrong: `path "id"`},
		{name: "documented live response", method: "POST", path: "/api/machines/" + machine + "/runliveresponse", header: bearer(), body: string(documented["liveresponse_request"])},
		{name: "script by a path", method: "POST", path: "/api/machines/" + machine + "/runliveresponse", header: bearer(), body: `{"Comment":"c","Commands":[{"type":"RunScript","params":[{"key":"ScriptName","value":"..\\a.ps1"}]}]}`, wrong: "/Commands/0"},
		{name: "unknown command", method: "POST", path: "/api/machines/" + machine + "/runliveresponse", header: bearer(), body: `{"Comment":"c","Commands":[{"type":"Run","params":[{"key":"ScriptName","value":"a"}]}]}`, wrong: "/Commands/0"},
		{name: "link", method: "GET", path: actions + "/" + action + "/GetLiveResponseResultDownloadLink(index=0)", header: bearer()},
		{name: "link of no number", method: "GET", path: actions + "/" + action + "/GetLiveResponseResultDownloadLink(index=x)", header: bearer(), wrong: `path "index"`},

		{name: "machine", method: "GET", path: "/api/machines/" + machine, status: 200, answer: host},
		{name: "machine of no group", method: "GET", path: "/api/machines/" + machine, status: 200, answer: strings.Replace(host, "140", "null", 1)},
		{name: "machine of an unknown health", method: "GET", path: "/api/machines/" + machine, status: 200, answer: strings.Replace(host, "Active", "active", 1), wrong: "/healthStatus"},
		{name: "machine of an unknown risk", method: "GET", path: "/api/machines/" + machine, status: 200, answer: strings.Replace(host, `"Low"`, `"Huge"`, 1), wrong: "/riskScore"},
		{name: "machine with an invented key", method: "GET", path: "/api/machines/" + machine, status: 200, answer: strings.Replace(host, "osBuild", "isolationStatus", 1), wrong: "isolationStatus"},
		{name: "documented actions", method: "GET", path: actions, status: 200, answer: string(documented["machineactions_list"])},
		{name: "documented answer of live response", method: "POST", path: "/api/machines/" + machine + "/runliveresponse", status: 201, answer: live},
		{name: "documented answer with another status", method: "POST", path: "/api/machines/" + machine + "/runliveresponse", status: 200, answer: live},
		{name: "isolation says 200", method: "POST", path: isolate, status: 200, answer: live, wrong: "no such answer"},
		{name: "unknown status of an action", method: "GET", path: actions + "/" + action, status: 200, answer: strings.Replace(live, `"Pending"`, `"Done"`, 1), wrong: "/status"},
		{name: "throttled without a time", method: "POST", path: isolate, status: 429, answer: `{"error":{"code":"TooManyRequests","message":"m"}}`, wrong: "Retry-After"},
	}
	var errors []struct {
		HTTP int             `json:"http"`
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(documented["errors"], &errors); err != nil || len(errors) == 0 {
		t.Fatal("the documented errors: ", err)
	}
	for _, e := range errors {
		all = append(all, exchange{name: "documented error " + http.StatusText(e.HTTP), method: "POST", path: isolate, status: e.HTTP, answer: string(e.Body)})
	}
	for i := range all {
		all[i].spec = "defender"
	}
	return all
}

func microsoftLogin(*testing.T) []exchange {
	const token = "/" + tenant + "/oauth2/v2.0/token"
	const form = "client_id=" + tenant + "&grant_type=client_credentials&scope=https%3A%2F%2Fapi.securitycenter.microsoft.com%2F.default"
	const assertion = "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c"
	plain := func() http.Header { return headers("Content-Type", "application/x-www-form-urlencoded") }
	basic := plain()
	basic.Set("Authorization", "Basic dTpw")
	all := []exchange{
		{name: "by a secret", method: "POST", path: token, header: plain(), body: form + "&client_secret=s"},
		{name: "by a certificate", method: "POST", path: token, header: plain(), body: form + assertion},
		{name: "by both", method: "POST", path: token, header: plain(), body: form + assertion + "&client_secret=s", wrong: "oneOf"},
		{name: "by nothing", method: "POST", path: token, header: plain(), body: form, wrong: "oneOf"},
		{name: "half an assertion", method: "POST", path: token, header: plain(), body: form + strings.TrimSuffix(assertion, ".c"), wrong: "client_assertion"},
		{name: "a scope of one permission", method: "POST", path: token, header: plain(), body: strings.Replace(form, ".default", "Machine.Isolate", 1) + "&client_secret=s", wrong: "/scope"},
		{name: "the secret in a header, too", method: "POST", path: token, header: basic, body: form + "&client_secret=s", wrong: "takes none", ours: "credentials that nobody asked for are not looked at"},
		{name: "answer", method: "POST", path: token, status: 200, answer: `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"t"}`},
		{name: "refusal", method: "POST", path: token, status: 401, answer: `{"error":"invalid_client","error_description":"AADSTS7000215","error_codes":[7000215],"timestamp":"2026-11-30 02:02:12Z","trace_id":"t","correlation_id":"c"}`},
		{name: "lifetime as a text", method: "POST", path: token, status: 200, answer: `{"token_type":"Bearer","expires_in":"3599","access_token":"t"}`, wrong: "/expires_in"},
	}
	for i := range all {
		all[i].spec = "microsoft-login"
	}
	return all
}

func azureBlob(*testing.T) []exchange {
	const link = "/investigation-actions-data/ID/CustomPlaybookCommandOutput/4ed5e7807ad1fe59b00b664fe06a0f07?se=2021-02-04T16%3A13%3A50Z&sp=r&sv=2019-07-07&sr=b&sig=1dYGe9rPvUlXBPvYSmr6%2FOLXPY98m8qWqfIQCBbyZTY%3D"
	all := []exchange{
		{name: "documented link", method: "GET", path: link, header: http.Header{}},
		{name: "with a token", method: "GET", path: link, header: headers("Authorization", "Bearer t"), wrong: "takes none", ours: "credentials that nobody asked for are not looked at"},
		{name: "without the signature", method: "GET", path: link[:strings.Index(link, "&sig")], header: http.Header{}, wrong: `query "sig"`},
		{name: "transcript", method: "GET", path: strings.Split(link, "?")[0], status: 200, answer: `{"script_name":"a.ps1","exit_code":0,"script_output":"o","script_errors":""}`},
		{name: "transcript without a code", method: "GET", path: strings.Split(link, "?")[0], status: 200, answer: `{"script_name":"a.ps1","script_output":"o","script_errors":""}`, wrong: "exit_code"},
	}
	for i := range all {
		all[i].spec = "azure-blob"
	}
	return all
}

func TestDefender(t *testing.T) { judge(t, defender(t)) }

func TestMicrosoftLogin(t *testing.T) { judge(t, microsoftLogin(t)) }

func TestAzureBlob(t *testing.T) { judge(t, azureBlob(t)) }

func TestDefenderTakesAScript(t *testing.T) {
	const boundary = "of-this-test"
	part := func(name, more, content string) string {
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"" + more + "\r\n\r\n" + content + "\r\n"
	}
	file := `; filename="a.ps1"` + "\r\nContent-Type: application/octet-stream"
	h := headers("Authorization", "Bearer t", "Content-Type", "multipart/form-data; boundary="+boundary)
	end := "--" + boundary + "--\r\n"
	judge(t, []exchange{
		{name: "upload", spec: "defender", method: "POST", path: "/api/libraryfiles", header: h, body: part("File", file, "exit 0") + part("Description", "", "d") + part("OverrideIfExists", "", "true") + end},
		{name: "upload of nothing", spec: "defender", method: "POST", path: "/api/libraryfiles", header: h, body: part("Description", "", "d") + end, wrong: "oneOf"},
		{name: "unknown part", spec: "defender", method: "POST", path: "/api/libraryfiles", header: h, body: part("File", file, "exit 0") + part("Override", "", "true") + end, wrong: "Override"},
		{name: "neither yes nor no", spec: "defender", method: "POST", path: "/api/libraryfiles", header: h, body: part("File", file, "exit 0") + part("OverrideIfExists", "", "yes") + end, wrong: "OverrideIfExists"},
	})
}

package apispec_test

import (
	"net/http"
	"strings"
	"testing"
)

func secOps(t *testing.T) []exchange {
	const path = "/v1alpha/projects/my-project/locations/us/instances/5f1c0c9d-0000-4000-8000-000000000000/legacy:legacySearchDetections"
	const query = "?ruleId=-&listBasis=CREATED_TIME&startTime=2026-03-01T00:00:00Z&endTime=2026-03-01T01:00:00.000000001Z"
	const rule = "ru_e6abfcb5-1b85-41b0-b64c-695b3250436f"
	recorded := string(document(t, "secops-recorded.json")["list"])
	all := []exchange{
		{name: "all rules", method: "GET", path: path + query, header: bearer()},
		{name: "all revisions of a rule", method: "GET", path: path + strings.Replace(query, "=-", "="+rule+"@-", 1), header: bearer()},
		{name: "one revision", method: "GET", path: path + strings.Replace(query, "=-", "="+rule+"@v_1602631093_146879000", 1), header: bearer()},
		{name: "a page", method: "GET", path: path + query + "&pageSize=1000&pageToken=x", header: bearer()},
		{name: "no rule", method: "GET", path: path + strings.Replace(query, "ruleId=-&", "", 1), header: bearer(), wrong: `query "ruleId"`},
		{name: "a rule by its name", method: "GET", path: path + strings.Replace(query, "=-", "=udp_egress", 1), header: bearer(), wrong: `query "ruleId"`},
		{name: "spelt as in the older API", method: "GET", path: path + strings.Replace(query, "ruleId", "rule_id", 1), header: bearer(), wrong: `query "rule_id"`},
		{name: "by when it was detected", method: "GET", path: path + strings.Replace(query, "CREATED_TIME", "DETECTION_TIME", 1), header: bearer(), wrong: `query "listBasis"`},
		{name: "a page that is too large", method: "GET", path: path + query + "&pageSize=1001", header: bearer(), wrong: `query "pageSize"`},
		{name: "a time without its zone", method: "GET", path: path + strings.Replace(query, "00:00:00Z", "00:00:00", 1), header: bearer(), wrong: `query "startTime"`},

		{name: "recorded list", method: "GET", path: path, status: 200, answer: recorded},
		{name: "nothing", method: "GET", path: path, status: 200, answer: `{}`},
		{name: "a page that is cut by its size", method: "GET", path: path, status: 200, answer: `{"respTooLargeDetectionsTruncated":true}`},
		{name: "a list of lists", method: "GET", path: path, status: 200, answer: `[{"detections":[]}]`, wrong: "must be an object"},
		{name: "a detection without its time", method: "GET", path: path, status: 200, answer: strings.Replace(recorded, `"createdTime"`, `"created"`, 1), wrong: "createdTime"},
		{name: "an error", method: "GET", path: path, status: 429, answer: `{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}`},
		{name: "an error without its status", method: "GET", path: path, status: 429, answer: `{"error":{"code":429,"message":"m"}}`, wrong: "status"},
	}
	for i := range all {
		all[i].spec = "secops"
	}
	return all
}

func TestSecOps(t *testing.T) { judge(t, secOps(t)) }

func googleToken(*testing.T) []exchange {
	const form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
	plain := func() http.Header { return headers("Content-Type", "application/x-www-form-urlencoded") }
	all := []exchange{
		{name: "an assertion", method: "POST", path: "/token", header: plain(), body: form + "a.b.c"},
		{name: "half an assertion", method: "POST", path: "/token", header: plain(), body: form + "a.b", wrong: "/assertion"},
		{name: "another grant", method: "POST", path: "/token", header: plain(), body: strings.Replace(form, "jwt-bearer", "saml2-bearer", 1) + "a.b.c", wrong: "/grant_type"},
		{name: "answer", method: "POST", path: "/token", status: 200, answer: `{"access_token":"t","expires_in":3599,"token_type":"Bearer"}`},
		{name: "refusal", method: "POST", path: "/token", status: 400, answer: `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`},
		{name: "lifetime as a text", method: "POST", path: "/token", status: 200, answer: `{"access_token":"t","expires_in":"3599","token_type":"Bearer"}`, wrong: "/expires_in"},
	}
	for i := range all {
		all[i].spec = "google-token"
	}
	return all
}

func TestGoogleToken(t *testing.T) { judge(t, googleToken(t)) }

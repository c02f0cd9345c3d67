package apispec_test

import (
	"net/http"
	"net/url"
	"testing"
)

func splunkES(*testing.T) []exchange {
	const (
		update = "/services/notable_update"
		whoami = "/services/authentication/current-context"
		asJSON = "?output_mode=json"
		kept   = "/servicesNS/nobody/SA-ThreatIntelligence/storage/collections/data/incident_review"
		rule   = "7B5C5D1A-0F2E-4C3B-8A9D-1E2F3A4B5C6D@@notable@@0123456789abcdef0123456789abcdef"
		done   = `{"success":true,"message":"1 event updated successfully","success_count":1,"failure_count":0,"details":{}}`
		review = `{"_key":"k","_user":"nobody","time":1785352129.126,"rule_id":"` + rule + `","rule_name":null,"owner":null,"urgency":null,"status":null,"comment":"c","user":"u"}`
	)
	h := func(pairs ...string) http.Header {
		return headers(append([]string{"Authorization", "Bearer t", "Content-Type", "application/x-www-form-urlencoded"}, pairs...)...)
	}
	form := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	of := func(query string) string { return kept + "?output_mode=json&query=" + url.QueryEscape(query) }
	all := []exchange{
		{name: "comment", method: "POST", path: update + asJSON, header: h(), body: form("ruleUIDs", rule, "comment", "c")},
		{name: "close", method: "POST", path: update + asJSON, header: h(), body: form("ruleUIDs", rule, "comment", "c", "status", "5")},
		{name: "close by a word", method: "POST", path: update + asJSON, header: h(), body: form("ruleUIDs", rule, "comment", "c", "status", "closed"), wrong: "/status"},
		{name: "comment on no event", method: "POST", path: update + asJSON, header: h(), body: form("ruleUIDs", "1", "comment", "c"), wrong: "/ruleUIDs"},
		{name: "comment on a search", method: "POST", path: update + asJSON, header: h(), body: form("searchID", "1.2", "comment", "c"), wrong: "ruleUIDs"},
		{name: "no comment", method: "POST", path: update + asJSON, header: h(), body: form("ruleUIDs", rule), wrong: "comment"},
		{name: "errors as XML", method: "POST", path: update, header: h(), body: form("ruleUIDs", rule, "comment", "c"), wrong: "output_mode"},
		{name: "a session's key", method: "POST", path: update + asJSON, header: h("Authorization", "Splunk k"), body: form("ruleUIDs", rule, "comment", "c"), wrong: "Bearer"},
		{name: "reviews", method: "GET", path: of(`{"rule_id":"` + rule + `"}`), header: h()},
		{name: "reviews of all", method: "GET", path: of(`{}`), header: h(), wrong: "query"},
		{name: "reviews as XML", method: "GET", path: kept + "?query=" + url.QueryEscape(`{"rule_id":"`+rule+`"}`), header: h(), wrong: "output_mode"},
		{name: "whose token", method: "GET", path: whoami + asJSON, header: h()},
		{name: "whose token it is", method: "GET", path: whoami, status: 200, answer: `{"links":{},"entry":[{"name":"context","content":{"username":"u","capabilities":["a"],"tz":""}}]}`},
		{name: "nobody's token", method: "GET", path: whoami, status: 200, answer: `{"entry":[{"content":{"username":"u"}}]}`, wrong: "capabilities"},

		{name: "done", method: "POST", path: update, status: 200, answer: done},
		{name: "not done", method: "POST", path: update, status: 200, answer: `{"success":false,"message":"No search ID or ruleUIDs were provided."}`},
		{name: "done without a word", method: "POST", path: update, status: 200, answer: `{"message":"m"}`, wrong: "success"},
		{name: "kept", method: "GET", path: kept, status: 200, answer: "[" + review + "]"},
		{name: "kept as one", method: "GET", path: kept, status: 200, answer: review, wrong: "an array"},
		{name: "refused", method: "GET", path: kept, status: 401, answer: `{"messages":[{"type":"WARN","text":"call not properly authenticated"}]}`},
		{name: "refused without words", method: "GET", path: kept, status: 401, answer: `{}`, wrong: "messages"},
	}
	for i := range all {
		all[i].spec = "splunk-es"
	}
	return all
}

func TestSplunkES(t *testing.T) { judge(t, splunkES(t)) }

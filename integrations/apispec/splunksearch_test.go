package apispec_test

import (
	"net/http"
	"net/url"
	"testing"
)

func splunkSearch(*testing.T) []exchange {
	const (
		jobs   = "/services/search/v2/jobs"
		job    = jobs + "/1772445600.1_6D3C"
		asJSON = "?output_mode=json"
		counts = "| tstats count from datamodel=Network_Traffic"
		props  = `"sid":"1.2","doneProgress":1,"isFailed":false,"isFinalized":false,"isPaused":false,"isZombie":false,"resultCount":1`
		page   = `{"preview":false,"init_offset":0,"messages":[],"fields":[{"name":"a"}],"results":[`
	)
	h := func(pairs ...string) http.Header {
		return headers(append([]string{"Authorization", "Bearer t", "Content-Type", "application/x-www-form-urlencoded"}, pairs...)...)
	}
	form := func(search string, pairs ...string) string {
		v := url.Values{"earliest_time": {"1772444700"}, "latest_time": {"2026-03-02T10:00:00.000+00:00"}, "search": {search}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	all := []exchange{
		{name: "start", method: "POST", path: jobs + asJSON, header: h(), body: form(counts)},
		{name: "start with all", method: "POST", path: jobs + asJSON, header: h(), body: form("search index=a", "exec_mode", "blocking", "max_count", "5", "max_time", "30", "timeout", "60", "auto_cancel", "30", "allow_partial_results", "false")},
		{name: "start within an app", method: "POST", path: "/servicesNS/nobody/search/search/jobs" + asJSON, header: h(), body: form(counts)},
		{name: "without a beginning", method: "POST", path: jobs + asJSON, header: h(), body: url.Values{"search": {counts}, "latest_time": {"now"}}.Encode(), wrong: "earliest_time"},
		{name: "of another time", method: "POST", path: jobs + asJSON, header: h(), body: form(counts, "earliest_time", "yesterday"), wrong: "earliest_time"},
		{name: "without a command", method: "POST", path: jobs + asJSON, header: h(), body: form("index=a"), wrong: "search"},
		{name: "in real time", method: "POST", path: jobs + asJSON, header: h(), body: form(counts, "search_mode", "realtime"), wrong: "search_mode"},
		{name: "state", method: "GET", path: job + asJSON, header: h()},
		{name: "state as XML", method: "GET", path: job, header: h(), wrong: "output_mode"},
		{name: "results", method: "GET", path: job + "/results" + asJSON + "&count=0&offset=5", header: h()},
		{name: "a hundred results by chance", method: "GET", path: job + "/results" + asJSON, header: h(), wrong: "count"},
		{name: "cancel", method: "POST", path: job + "/control" + asJSON, header: h(), body: "action=cancel"},
		{name: "save", method: "POST", path: job + "/control" + asJSON, header: h(), body: "action=save", wrong: "action"},
		{name: "take away", method: "DELETE", path: job + asJSON, header: h()},

		{name: "started", method: "POST", path: jobs, status: 201, answer: `{"sid":"1.2"}`},
		{name: "started without an id", method: "POST", path: jobs, status: 201, answer: `{}`, wrong: "sid"},
		{name: "at once", method: "POST", path: jobs, status: 200, answer: page + `{"a":"1","b":["2","3"]}]}`},
		{name: "a number as a value", method: "POST", path: jobs, status: 200, answer: page + `{"a":1}]}`, wrong: "/results/0/a"},
		{name: "done", method: "GET", path: job, status: 200, answer: `{"entry":[{"content":{` + props + `,"dispatchState":"DONE","isDone":true,"messages":[{"type":"WARN","text":"t"}]}}]}`},
		{name: "done in words", method: "GET", path: job, status: 200, answer: `{"entry":[{"content":{` + props + `,"dispatchState":"DONE","isDone":"1","messages":[]}}]}`},
		{name: "in another state", method: "GET", path: job, status: 200, answer: `{"entry":[{"content":{` + props + `,"dispatchState":"OVER","isDone":true,"messages":[]}}]}`, wrong: "dispatchState"},
		{name: "without messages", method: "GET", path: job, status: 200, answer: `{"entry":[{"content":{` + props + `,"dispatchState":"DONE","isDone":true}}]}`, wrong: "messages"},
		{name: "too many", method: "POST", path: jobs, status: 503, answer: `{"messages":[{"type":"FATAL","text":"Search not executed"}]}`},
		{name: "cancelled", method: "POST", path: job + "/control", status: 200, answer: `{"messages":[{"type":"INFO","text":"Search job cancelled."}]}`},
	}
	for i := range all {
		all[i].spec = "splunk-search"
	}
	return all
}

func TestSplunkSearch(t *testing.T) { judge(t, splunkSearch(t)) }

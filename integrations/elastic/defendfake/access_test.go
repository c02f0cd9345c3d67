package defendfake_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

func TestHeaders(t *testing.T) {
	w, _, c := hosts(t, defendfake.Options{})
	const path, body = "/api/endpoint/action/isolate", `{"endpoint_ids":["` + web + `"]}`
	for name, a := range map[string]struct {
		client *client
		status int
		words  string
	}{
		"no xsrf":         {c.with("Kbn-Xsrf", ""), http.StatusBadRequest, "Request must contain a kbn-xsrf header."},
		"another version": {c.with("Elastic-Api-Version", "2020-01-01"), http.StatusBadRequest, "Available versions are: 2023-10-31"},
		"no json":         {c.with("Content-Type", "text/plain"), http.StatusUnsupportedMediaType, "Unsupported Media Type"},
		"nobody":          {c.with("Authorization", ""), http.StatusUnauthorized, "missing authentication credentials"},
		"somebody else":   {c.with("Authorization", "ApiKey bm9ib2R5OngK"), http.StatusUnauthorized, "unable to authenticate"},
	} {
		t.Run(name, func(t *testing.T) { want(t, a.client.post(path, body), a.status, a.words) })
	}
	if w.Effects("") != 0 {
		t.Error("a request that was refused had an effect")
	}
	want(t, c.with("Elastic-Api-Version", "").post(path, body), http.StatusOK, "pending")
	want(t, c.with("Kbn-Xsrf", "").with("Kbn-Version", "8.19.7").post(path, body), http.StatusOK, "pending")
	want(t, c.with("Kbn-Xsrf", "").get("/api/endpoint/metadata/"+web), http.StatusOK, "healthy")
	a := c.get("/api/endpoint/metadata/" + web)
	same(t, "the version of the answer", a.header.Get("Elastic-Api-Version"), "2023-10-31")
	for _, path := range []string{"/api/endpoint/action/suspend_process", "/api/nothing", "/api/endpoint/metadata/"} {
		want(t, c.post(path, "{}"), http.StatusNotFound, "Not Found")
	}
}

func TestSpace(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{Space: "soc"})
	want(t, c.get("/s/soc/api/endpoint/metadata/"+web), http.StatusOK, "healthy")
	want(t, c.get("/s/other/api/endpoint/metadata/"+web), http.StatusNotFound, "space/other")
	want(t, c.get("/api/endpoint/metadata/"+web), http.StatusNotFound, "space/default")
}

// Each operation needs its privilege and its licence. Nothing but the release
// works under every licence.
func TestPrivileges(t *testing.T) {
	operations := []struct{ method, path, body, privilege, licence string }{
		{"POST", "/action/isolate", `{"endpoint_ids":["` + web + `"]}`, defendfake.HostIsolation, "platinum"},
		{"POST", "/action/unisolate", `{"endpoint_ids":["` + web + `"]}`, defendfake.HostRelease, "basic"},
		{"POST", "/action/execute", `{"endpoint_ids":["` + web + `"],"parameters":{"command":"x"}}`, defendfake.ExecuteOperations, "enterprise"},
		{"POST", "/action/kill_process", `{"endpoint_ids":["` + web + `"],"parameters":{"pid":1}}`, defendfake.ProcessOperations, "enterprise"},
		{"POST", "/action/running_procs", `{"endpoint_ids":["` + web + `"]}`, defendfake.ProcessOperations, "enterprise"},
		{"GET", "/action", "", defendfake.ActionsLog, "platinum"},
		{"GET", "/scripts_library", "", defendfake.ExecuteOperations, "enterprise"},
		{"GET", "/metadata", "", "", "basic"},
		{"GET", "/action_status?agent_ids=" + web, "", "", "basic"},
	}
	ranks := []string{"basic", "gold", "platinum", "enterprise"}
	for _, o := range operations {
		t.Run(o.path, func(t *testing.T) {
			for i, licence := range ranks {
				w, _ := hospital(t)
				_, c := serve(t, w, defendfake.Options{Licence: licence})
				status, words := http.StatusForbidden, "Endpoint authorization failure"
				if strings.Contains(strings.Join(ranks[:i+1], " "), o.licence) {
					status, words = http.StatusOK, "data"
				}
				want(t, c.do(o.method, "/api/endpoint"+o.path, o.body), status, words)
			}
			if o.privilege == "" {
				return
			}
			w, _ := hospital(t)
			someone := defendfake.Credential{User: "stanch", Password: "correct horse", Privileges: []string{defendfake.SecuritySolution}}
			able := defendfake.Credential{User: "able", Password: "x", Privileges: []string{defendfake.SecuritySolution, o.privilege}}
			_, c := serve(t, w, defendfake.Options{Credentials: []defendfake.Credential{someone, able}})
			want(t, c.with("Authorization", someone.Authorization()).do(o.method, "/api/endpoint"+o.path, o.body), http.StatusForbidden, "Endpoint authorization failure")
			want(t, c.with("Authorization", able.Authorization()).do(o.method, "/api/endpoint"+o.path, o.body), http.StatusOK, "data")
		})
	}
	w, _ := hospital(t)
	outsider := defendfake.Credential{User: "x", Password: "y", Privileges: []string{defendfake.HostIsolation}}
	_, c := serve(t, w, defendfake.Options{Credentials: []defendfake.Credential{outsider}})
	want(t, c.with("Authorization", outsider.Authorization()).post("/api/endpoint/action/isolate", `{"endpoint_ids":["`+web+`"]}`), http.StatusForbidden, "granted by the Kibana privileges [securitySolution]")
}

func TestExpiredKey(t *testing.T) {
	w, clock := hospital(t)
	key := defendfake.Administrator()
	key.Expires = noon().Add(time.Hour)
	_, c := serve(t, w, defendfake.Options{Credentials: []defendfake.Credential{key}})
	want(t, c.get("/api/endpoint/metadata/"+web), http.StatusOK, "healthy")
	clock.pass(time.Hour)
	want(t, c.get("/api/endpoint/metadata/"+web), http.StatusUnauthorized, "api key is expired")
	a := c.post("/_query", `{"query":"FROM winlogbeat-*"}`)
	want(t, a, http.StatusUnauthorized, "security_exception")
	if len(a.header.Values("Www-Authenticate")) != 2 {
		t.Errorf("the answer asks for %q", a.header.Values("Www-Authenticate"))
	}
}

// A credential can ask what it may do.
func TestHasPrivileges(t *testing.T) {
	w, _ := hospital(t)
	key := defendfake.Administrator()
	key.Privileges, key.Indices = []string{defendfake.SecuritySolution, defendfake.HostIsolation}, []string{"logs-endpoint.*"}
	_, c := serve(t, w, defendfake.Options{Credentials: []defendfake.Credential{key}})
	a := c.post("/_security/user/_has_privileges", `{
		"cluster": ["monitor"],
		"index": [{"names": ["logs-endpoint.events.network-default", "winlogbeat-*"], "privileges": ["read", "write"]}],
		"application": [{"application": "kibana-.kibana", "resources": ["space:default", "space:other"], "privileges": [
			"api:securitySolution-writeHostIsolation", "api:writeHostIsolationRelease", "feature_siemV4.host_isolation_all", "feature_siemV4.minimal_read"]}]
	}`)
	want(t, a, http.StatusOK, `"has_all_requested":false`)
	same(t, "the index", a.at("index"), map[string]any{
		"logs-endpoint.events.network-default": map[string]bool{"read": true, "write": false}, "winlogbeat-*": map[string]bool{"read": false, "write": false},
	})
	same(t, "the application", a.at("application", "kibana-.kibana", "space:default"), map[string]bool{
		"api:securitySolution-writeHostIsolation": true, "api:writeHostIsolationRelease": false, "feature_siemV4.host_isolation_all": false, "feature_siemV4.minimal_read": true,
	})
	same(t, "the other space", a.at("application", "kibana-.kibana", "space:other", "feature_siemV4.minimal_read"), false)
	a = c.post("/_security/user/_has_privileges", `{"index":[{"names":["logs-endpoint.events.network-default"],"privileges":["read"]}]}`)
	same(t, "has_all_requested", a.at("has_all_requested"), true)
	want(t, c.post("/_security/user/_has_privileges", `{}`), http.StatusBadRequest, "at least one privilege")
	want(t, c.post("/_security/user/_has_privileges", `{"indices":[]}`), http.StatusBadRequest, "failed to parse")
}

// Kibana says when to come again, Elasticsearch does not.
func TestThrottle(t *testing.T) {
	w, clock := hospital(t)
	_, c := serve(t, w, defendfake.Options{KibanaRequests: 2, ElasticRequests: 1, Window: 30 * time.Second})
	kibana := func() answer { return c.get("/api/endpoint/metadata/" + web) }
	want(t, kibana(), http.StatusOK, "")
	clock.pass(10 * time.Second)
	want(t, kibana(), http.StatusOK, "")
	a := kibana()
	want(t, a, http.StatusTooManyRequests, "Server is overloaded")
	same(t, "Retry-After", a.header.Get("Retry-After"), "20")
	want(t, c.get("/"), http.StatusOK, "You Know, for Search")
	a = c.get("/")
	want(t, a, http.StatusTooManyRequests, "es_rejected_execution_exception")
	same(t, "Retry-After", a.header.Get("Retry-After"), "")
	clock.pass(20 * time.Second)
	want(t, kibana(), http.StatusOK, "")
}

func TestLatency(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{Latency: time.Millisecond})
	want(t, c.get("/api/endpoint/metadata/"+web), http.StatusOK, "healthy")
	_, _, c = hosts(t, defendfake.Options{Latency: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(r); err == nil {
		res.Body.Close()
		t.Error("an answer came before its time")
	}
}

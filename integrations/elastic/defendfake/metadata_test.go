package defendfake_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

func TestMetadata(t *testing.T) {
	w, d, c := hosts(t, defendfake.Options{})
	a := c.get("/api/endpoint/metadata/" + web)
	host := a.at("metadata", "host")
	same(t, "the host", []any{a.at("metadata", "host", "hostname"), a.at("metadata", "host", "ip"), a.at("metadata", "elastic", "agent", "id")}, []any{"WEB1", []string{"10.0.0.5", "127.0.0.1", "::1"}, web})
	if h, _ := host.(map[string]any); h["id"] == web {
		t.Error("the id of a machine is that of its agent")
	}
	same(t, "an offline host", []any{c.get("/api/endpoint/metadata/" + lab).at("host_status"), c.get("/api/endpoint/metadata/" + lab).at("last_checkin")}, []string{"offline", "2026-11-30T11:00:00.000Z"})
	want(t, c.get("/api/endpoint/metadata/nobody"), http.StatusNotFound, "nobody not found")
	w.Impose(web)
	if !c.isolated(web) {
		t.Error("a host that somebody isolated by hand is not")
	}
	d.SetStatus(mail, "unenrolled")
	want(t, c.get("/api/endpoint/metadata/"+mail), http.StatusBadRequest, "unenrolled")
	same(t, "the hosts", c.get("/api/endpoint/metadata").at("total"), 2)
}

// A list of hosts is looked for in Kibana's query language. What a field of the
// index does not hold it does not find, nor does it complain.
func TestListMetadata(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	for kuery, names := range map[string][]string{
		"":                                       {"LAB1", "MAIL1", "WEB1"},
		`united.endpoint.host.hostname : "WEB1"`: {"WEB1"},
		`united.endpoint.host.hostname:WEB1`:     {"WEB1"},
		`united.endpoint.host.hostname : "web1"`: {},
		`united.endpoint.host.hostname : *1 and not united.endpoint.host.hostname:LAB*`: {"MAIL1", "WEB1"},
		`united.endpoint.host.hostname : "*1"`:                                          {},
		`host.hostname : "WEB1"`:                                                        {},
		`united.endpoint.host.ip : "10.0.0.6"`:                                          {"MAIL1"},
		`united.endpoint.host.ip : "10.0.9.9"`:                                          {},
		`united.endpoint.host.ip : "10.0.0.0/30"`:                                       {},
		`united.endpoint.host.ip : "10.0.0.0/29"`:                                       {"LAB1", "MAIL1", "WEB1"},
		`united.endpoint.agent.id : ("` + web + `" or "` + lab + `")`:                   {"LAB1", "WEB1"},
		`(united.agent.agent.id:` + lab + ` OR united.endpoint.host.ip:10.0.0.6)`:       {"LAB1", "MAIL1"},
		`united.endpoint.host.os.full : Windows Server 2022`:                            {"WEB1"},
		`WEB1`: {"WEB1"},
		`NOT united.endpoint.host.hostname : "WEB1"`: {"LAB1", "MAIL1"},
		`united.endpoint.host.hostname : "a\"b"`:     {},
	} {
		a := c.get("/api/endpoint/metadata?kuery=" + url.QueryEscape(kuery))
		got := []any{}
		for i := range a.list("data") {
			got = append(got, a.at("data", i, "metadata", "host", "hostname"))
		}
		same(t, "what is found by "+kuery, got, names)
	}
	for _, kuery := range []string{`(`, `a:`, `a:(b`, `a:"b`, `a and`, `a:b)`, `a:{b:c}`} {
		want(t, c.get("/api/endpoint/metadata?kuery="+url.QueryEscape(kuery)), http.StatusInternalServerError, "An internal server error occurred")
	}
}

func TestMetadataPages(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{MaxPage: 2})
	a := c.get("/api/endpoint/metadata?pageSize=100")
	same(t, "the first page", []any{a.at("total"), a.at("page"), a.at("pageSize"), len(a.list("data")), a.at("sortField")}, []any{3, 0, 2, 2, "enrolled_at"})
	same(t, "the second page", c.get("/api/endpoint/metadata?page=1").at("data", 0, "metadata", "host", "hostname"), "WEB1")
	same(t, "the third page", len(c.get("/api/endpoint/metadata?page=2").list("data")), 0)
	same(t, "sorted", c.get("/api/endpoint/metadata?sortField=metadata.host.hostname&sortDirection=asc").at("data", 0, "metadata", "host", "hostname"), "LAB1")
	same(t, "offline ones", c.get(`/api/endpoint/metadata?hostStatuses=["offline"]`).at("total"), 1)
	same(t, "two states", c.get(`/api/endpoint/metadata?hostStatuses=healthy&hostStatuses=unhealthy`).at("total"), 2)
	for query, words := range map[string]string{
		"?hostStatuses=healthy": "could not parse array value from json input",
		`?hostStatuses=["up"]`:  "expected value to equal [healthy]",
		`?hostStatuses=[`:       "could not parse array value from json input",
		"?sortField=name":       "[request query.sortField]",
		"?page=-1":              "equal to or greater than [0]",
		"?filter=x":             "[request query.filter]: definition for this key is missing",
	} {
		want(t, c.get("/api/endpoint/metadata"+query), http.StatusBadRequest, words)
	}
}

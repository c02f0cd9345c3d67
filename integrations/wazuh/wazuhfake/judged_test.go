package wazuhfake_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

// What the double answers is what the descriptions of the APIs allow.
func TestAnswersAreJudged(t *testing.T) {
	b := start(t, t, wazuhfake.Options{Scripts: scripts(), Groups: []string{"limited"}})
	b.serve(apispec.Load(t, "wazuh").Handler(t, b.double.Handler()), apispec.Load(t, "elasticsearch").Handler(t, b.double.Indexer()))
	for _, a := range []answer{
		b.authenticate("", "secret"), b.authenticate("?raw=true", "secret"), b.get("/"), b.get("/security/users/me/policies"), b.get("/manager/info"),
		b.get("/agents?limit=2&sort=-id"), b.get("/agents?status=active&q=name%3DWS-0001"), b.get("/agents?agents_list=002,099"),
		b.respond("?agents_list=001", isolate), b.respond("?agents_list=002", isolate), b.do(http.MethodPut, "/agents/001/group/limited", ""),
		b.get("/syscollector/001/processes"), b.get("/syscollector/001/ports"), b.get("/syscollector/001/netaddr"), b.get("/syscollector/001/users"),
		b.search(query(on001)), b.search(query(on001 + `,{"term":{"rule.id":"657"}}`)),
	} {
		if a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.text)
		}
	}
	b.double.Change(func(o *wazuhfake.Options) { o.Rights = map[string][]string{} })
	if a := b.respond("?agents_list=001", isolate); a.status != http.StatusForbidden {
		t.Errorf("without the right: %d %s", a.status, a.text)
	}
	if a := b.search(`{"query":{"fuzzy":{"agent.id":"001"}}}`); a.status != http.StatusBadRequest {
		t.Errorf("an unknown query: %d %s", a.status, a.text)
	}
	b.token = "no"
	if a := b.get("/agents"); a.status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d %s", a.status, a.text)
	}
}

package defendfake_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
)

// Of the events of each agent the first counts, in the order that was asked for.
func TestCollapse(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{AllowUnbounded: true})
	const query = `{"size":10,"query":{"term":{"event.action":"start"}},"sort":[{"@timestamp":"desc"}],"collapse":{"field":"agent.id"}}`
	a := c.post(processes, query)
	want(t, a, http.StatusOK, "hits")
	same(t, "the newest starts", actions(a, "process", "pid"), []int{4242, 4242})
	same(t, "how many there are", a.at("hits", "total", "value"), 4)
	want(t, c.post(processes, `{"collapse":{}}`), http.StatusBadRequest, "collapse")
}

// A name with a dot after it is that of one host with any domain, in any case where that is
// asked for; without the dot it is the beginning of many.
func TestPrefixOfAName(t *testing.T) {
	_, _, c := hosts(t, defendfake.Options{})
	const from = `{"range":{"@timestamp":{"gte":"2026-11-30T11:00:00Z"}}}`
	search := func(clause string) answer {
		t.Helper()
		return c.post(sysmon, `{"query":{"bool":{"filter":[`+from+`,`+clause+`]}}}`)
	}
	if a := search(`{"prefix":{"winlog.computer_name":{"value":"web1.","case_insensitive":true}}}`); len(a.list("hits", "hits")) == 0 {
		t.Error("a name in another case finds nothing")
	}
	same(t, "a name in another case", search(`{"prefix":{"winlog.computer_name":{"value":"web1."}}}`).list("hits", "hits"), []any{})
}

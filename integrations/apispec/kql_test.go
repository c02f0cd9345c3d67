package apispec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

func TestCheckKQL(t *testing.T) {
	const right = `DeviceNetworkEvents
| where DeviceId == "1e5bc9d7e413ddd7902c2932e418702b84d0cc07" and Timestamp between (datetime(2026-11-22T08:44:05Z) .. datetime(2026-11-22T09:44:05Z))
| where RemotePort in (53, 123) or RemoteIP in ("203.0.113.9")
| summarize conns = count(), began = min(Timestamp), ports = make_set(RemotePort, 20) by InitiatingProcessFileName, InitiatingProcessId, RemoteIP, Protocol
| top 20 by conns`
	apispec.CheckKQL(t, right, "DeviceInfo | take 1")
	wrong := []struct{ why, old, new string }{
		{"an unknown column", "DeviceId", "DeviceID"},
		{"an unknown table", "DeviceNetworkEvents", "NetworkEvents"},
		{"an unknown function", "make_set", "makeset_of"},
		{"a bracket that is not closed", "(53, 123)", "(53, 123"},
		{"a text that is not closed", `"203.0.113.9"`, `"203.0.113.9`},
		{"a name that the language has for itself", "began", "first"},
	}
	var queries []string
	for _, w := range wrong {
		queries = append(queries, strings.Replace(right, w.old, w.new, 1))
	}
	l := &listener{TB: t}
	apispec.CheckKQL(l, queries...)
	for i, w := range wrong {
		if !strings.Contains(l.all(), fmt.Sprintf("in query %d,", i+1)) {
			t.Errorf("%s: nothing was reported", w.why)
		}
	}
}

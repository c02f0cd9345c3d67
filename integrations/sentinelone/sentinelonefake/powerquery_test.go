package sentinelonefake_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
)

// Each case is a rule of the language, on the events of the hosts of the bench.
func TestPowerQuery(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Unlimited: true, Steps: -1, AllowUnbounded: true})
	for query, want := range map[string]any{
		// Filters.
		"event.type='IP Connect' | columns dst.ip.address":                                        [][]any{{"198.51.100.7"}},
		"event.type = 'Process Creation' and endpoint.name=\"WS-0001\" | columns tgt.process.pid": [][]any{{4100}},
		"event.type='ip connect' | columns dst.ip.address":                                        [][]any{},
		"event.type contains 'CONNECT' | columns dst.ip.address":                                  [][]any{{"198.51.100.7"}},
		"event.type contains:matchcase 'CONNECT' | columns dst.ip.address":                        [][]any{},
		"event.type contains ('nothing','connect') | columns dst.ip.address":                      [][]any{{"198.51.100.7"}},
		"event.type in ('IP Connect','Login') | group n=count()":                                  [][]any{{2}},
		"event.type in ('ip connect') | group n=count()":                                          [][]any{},
		"event.type in:anycase ('ip connect') | group n=count()":                                  [][]any{{1}},
		"event.type not in ('IP Connect') | group n=count()":                                      [][]any{}, // accepted, and finds nothing
		"!(event.type in ('IP Connect')) | group n=count()":                                       [][]any{{3}},
		"event.type matches 'ip\\\\s+connect' | group n=count()":                                  [][]any{{1}},
		"event.type matches 'ip\\s+connect' | group n=count()":                                    [][]any{}, // one backslash is lost
		"dst.port.number=53 | group n=count()":                                                    [][]any{{1}},
		"dst.port.number='53' | group n=count()":                                                  [][]any{}, // text is no number
		"dst.port.number>=53 dst.port.number<54 | group n=count()":                                [][]any{{1}},
		"dst.port.number contains '5' | group n=count()":                                          [][]any{}, // nor is it looked for in one
		"dst.ip.address=* | group n=count()":                                                      [][]any{{1}},
		"!(dst.ip.address=*) or dst.port.number=53 | group n=count()":                             [][]any{{4}},
		"* contains 'send.ps1' | group n=count()":                                                 [][]any{{3}},
		"| filter dst.port.number = 53 | group n=count()":                                         [][]any{{1}},
		// Paths.
		"tgt.process.image.path='C:\\\\Windows\\\\System32\\\\WindowsPowerShell\\\\v1.0\\\\powershell.exe' | group n=count()": [][]any{{1}},
		"tgt.process.image.path='C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe' | group n=count()":           [][]any{},
		// Commands.
		"event.type=* | group n=count() by event.type | sort -n, event.type | limit 1":                                        [][]any{{"Command Script", 1}},
		"event.type=* | columns kind=event.type, 'Host Name'=endpoint.name | sort -kind | limit 1":                            [][]any{{"Process Creation", "WS-0001"}},
		"event.type=* | let k=lower(event.type) | filter k='login' | columns k":                                               [][]any{{"login"}},
		"event.type=* | group a=min(event.time), b=max(event.time), c=estimate_distinct(endpoint.name), d=any(endpoint.name)": [][]any{{1796025600000, 1796039400000, 1, "WS-0001"}},
		"no.such.field='x' | columns no.such.field":                                                                           [][]any{},
		"event.type='Login' | columns no.such.field, event.login.userName":                                                    [][]any{{nil, "kim"}},
		// Data.
		"event.type='Command Script' | columns cmdScript.content, src.process.pid, tgt.file.path":                                      [][]any{{"while(1){send}", 4100, `C:\x\send.ps1`}},
		"event.type='IP Connect' | columns src.process.name, src.process.parent.name, src.process.publisher, src.process.signedStatus": [][]any{{"powershell.exe", "explorer.exe", "MICROSOFT WINDOWS", "signed"}},
		"event.type='IP Connect' | columns event.network.direction, event.network.protocolName, src.port.number, endpoint.ip.address":  [][]any{{"OUTGOING", "udp", 50123, "10.1.0.1"}},
	} {
		a := b.ask(edr+query, map[string]any{"startTime": "2026-11-30T00:00:00Z"})
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", query, a.status, a.text)
			continue
		}
		same(t, query, a.at("data", "values"), want)
	}
	// The end of the window is not in it, its start is.
	window := map[string]any{"startTime": "2026-11-30T11:50:00Z", "endTime": "2026-11-30T11:50:00.001Z"}
	same(t, "an event at the start", b.ask(edr+"dst.port.number=53 | group n=count()", window).at("data", "values"), [][]any{{1}})
	window = map[string]any{"startTime": "2026-11-30T11:00:00Z", "endTime": "2026-11-30T11:50:00Z"}
	same(t, "an event at the end", b.ask(edr+"dst.port.number=53 | group n=count()", window).at("data", "values"), [][]any{})
}

// What the language does not have, and what the double does not know, is an error.
func TestPowerQuerySyntax(t *testing.T) {
	b := start(t, t, sentinelonefake.Options{Unlimited: true, Steps: -1, AllowUnbounded: true})
	for _, query := range []string{
		"*", "* | limit 5", "event.type='x' | sort n desc", "event.type='x' | sort n asc", "#ip='10.1.0.1'", "event.type != *",
		"event.type='x' | group n=count_distinct(agent.uuid)", "event.type='x' | group n=percentile(dst.port.number)",
		"event.type='x' | group n=count() by lower(event.type)", "event.type='x' | group event.type by count()",
		"event.type='x' | filter * contains 'y'", "event.type='x' | top 5 count() by endpoint.name", "event.type = null",
		"event.type='x | limit 1", "event.type matches '(?=a)'", "event.type='x' | columns a.b | filter c.d='e'", "event.type='x' |",
		"event.type='x' | join (a='b'), (c='d') on e", "event.type in 'x'", "(event.type='x'", "event.type='x' | limit 5 5",
		"event.type='x' | let a = dst.port.number + 1", "event.type='x' | let a = nothing(event.type)",
	} {
		if a := b.do(http.MethodPost, queries, body(query, nil)); a.status != http.StatusInternalServerError || a.at("message") == nil {
			t.Errorf("%s: %d %s, want 500", query, a.status, a.text)
		}
	}
}

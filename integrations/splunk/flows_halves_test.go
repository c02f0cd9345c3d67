package splunk

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Hosts that have more rows together than are kept are asked about in halves; one that has
// more by itself is refused.
func TestHostsInHalves(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}
	for most, want := range map[int]integrations.Kind{1: "", 0: integrations.Invalid} {
		var mu sync.Mutex
		rows := map[string]int{}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			id := strings.TrimPrefix(r.URL.Path, jobsPath+"/")
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.Method == http.MethodPost:
				hosts, text := 0, r.FormValue("search")
				for _, a := range addrs {
					if strings.Contains(text, `"`+a.String()+`"`) {
						hosts++
					}
				}
				switch {
				case strings.HasSuffix(text, "| head 1"):
					rows[r.FormValue("id")] = 1
				case hosts > most:
					rows[r.FormValue("id")] = maxRows
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = fmt.Fprintf(w, `{"sid":%q}`, r.FormValue("id"))
			case strings.HasSuffix(id, "/results"):
				_, _ = fmt.Fprint(w, `{"results":[{"count":"1"}]}`)
			default:
				_, _ = fmt.Fprintf(w, `{"entry":[{"content":{"dispatchState":"DONE","isDone":true,"messages":[],"resultCount":%d}}]}`, rows[id])
			}
		}))
		s := openFlowsAt(t, server.URL, summed)
		q := contract.Quarter()
		_, err := s.detail(t.Context(), "hosts", addrs, integrations.HostsQuery{From: q.From, To: q.To}, flowmath.Span{})
		if want == "" && err != nil || want != "" && (err == nil || integrations.KindOf(err) != want) {
			t.Errorf("with %d hosts at once: %v, want kind %q", most, err, want)
		}
		server.Close()
	}
}

package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// One source sends as fast as it can: it is told to come again, memory stays bounded,
// another source is served all the while, and everything that was accepted is in its case.
func TestAFloodOfOneSource(t *testing.T) {
	const (
		senders, each, hosts = 200, 40, 8
		// memory is how much the heap may grow by, in bytes, with the engine in the same process.
		memory = 256 << 20
	)
	o := options(t)
	o.Work = 4 << 20
	o.Sources["quiet"] = source(t, sender{Name: "quiet", Kind: "stanch", Auth: auth.Auth{Bearer: siemToken}})
	s := newSideOf(t, o)
	var names []string
	for range hosts {
		names = append(names, host(t))
	}
	other := host(t)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	rest := heap()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders, MaxConnsPerHost: senders + 8}}
	defer client.CloseIdleConnections()
	post := func(source, id, host string) (status int, again string, got api.Accepted) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/alerts/"+source, strings.NewReader(alert(id, "note", host)))
		if err != nil {
			t.Error(err)
			return 0, "", got
		}
		req.Header.Set("Authorization", "Bearer "+siemToken)
		res, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return 0, "", got
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil || json.Unmarshal(data, &got) != nil {
			t.Errorf("answered %d %s: %v", res.StatusCode, data, err)
		}
		return res.StatusCode, res.Header.Get("Retry-After"), got
	}
	var mu sync.Mutex
	accepted := map[api.CaseRef][]string{}
	statuses := map[int]int{}
	var most atomic.Uint64
	var flood sync.WaitGroup
	for n := range senders {
		flood.Go(func() {
			for i := range each {
				id := fmt.Sprintf("flood-%d-%d", n, i)
				status, again, got := post("siem", id, names[(n+i)%hosts])
				mu.Lock()
				if statuses[status]++; status == http.StatusAccepted {
					ref := api.CaseRef{ID: got.Cases[0].ID, Run: got.Cases[0].Run}
					accepted[ref] = append(accepted[ref], "siem/"+id)
				}
				if (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && again == "" {
					t.Errorf("answered %d without a time", status)
				}
				mu.Unlock()
				most.Store(max(most.Load(), heap()))
			}
		})
	}
	over := make(chan struct{})
	go func() { flood.Wait(); close(over) }()
	quiet := 0
	for going := true; going; {
		select {
		case <-over:
			going = false
		default:
			if status, _, _ := post("quiet", fmt.Sprintf("quiet-%d", quiet), other); status != http.StatusAccepted {
				t.Fatalf("the other source is answered %d", status)
			}
			quiet++
		}
	}
	if statuses[http.StatusAccepted] == 0 || statuses[http.StatusTooManyRequests] == 0 || statuses[http.StatusAccepted]+statuses[http.StatusTooManyRequests]+statuses[http.StatusServiceUnavailable] != senders*each {
		t.Errorf("the flood is answered %v", statuses)
	}
	if grown := int64(most.Load()) - int64(rest); grown > memory {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	t.Logf("%d requests by %d senders: %v; another source was answered %d times; the heap had %d MiB at rest and %d MiB at most", senders*each, senders, statuses, quiet, rest>>20, most.Load()>>20)
	for ref, keys := range accepted {
		// What came while a run ended is in the one that followed.
		s.until(ref, "all that was accepted is in case "+ref.ID, func(c incident.Case) bool {
			last := s.show(ref.ID, "")
			return !slices.ContainsFunc(keys, func(key string) bool {
				return !slices.Contains(c.AlertKeys, key) && !slices.Contains(last.AlertKeys, key)
			})
		})
	}
}

// What a source takes of the room it gives back, and one that has its share leaves the
// rest to others.
func TestTheShareOfASource(t *testing.T) {
	needsEngine(t)
	o := options(t)
	// Not even one small request of two fits.
	o.Work = 48 << 10
	o.Sources["quiet"] = source(t, sender{Name: "quiet", Kind: "stanch", Auth: auth.Auth{Bearer: siemToken}})
	s := newSideOf(t, o)
	h := host(t)
	for i := range 20 {
		s.call("POST", "/v1/alerts/siem", siemToken, alert(fmt.Sprint("share-", i), "note", h)).is(http.StatusAccepted, nil)
		// The largest of a source takes its share, and no more.
		s.call("POST", "/v1/alerts/quiet", siemToken, strings.Repeat(" ", api.DefaultBody-1)+"x").refused(http.StatusUnprocessableEntity, "rejected")
	}
}

package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const deskSecret = "desk-secret-desk-secret"

// deskReply is what a desk reads of a reply.
type deskReply struct {
	Event, Key, Kind, Step, Outcome, Verdict string
	Alert                                    struct{ Source, ID string }
	Lines                                    []string
	Close                                    bool
}

// desk is a team's receiver of replies, on a bad day: of each reply it stores the first that
// comes and hangs up, then has no time, and says that it has it only to the third.
type desk struct {
	*httptest.Server
	mu      sync.Mutex
	asked   map[string]int
	replies []deskReply
	// stuck has it store what comes and never answer.
	stuck bool
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{asked: map[string]int{}}
	d.Server = httptest.NewServer(http.HandlerFunc(d.take))
	t.Cleanup(func() {
		d.CloseClientConnections()
		d.Close()
	})
	return d
}

func (d *desk) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var reply deskReply
	if err != nil || json.Unmarshal(body, &reply) != nil || reply.Event != "reply" || !strings.HasPrefix(r.Header.Get("Stanch-Signature"), "t=") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	d.asked[reply.Key]++
	n, stuck := d.asked[reply.Key], d.stuck
	if n == 1 {
		d.replies = append(d.replies, reply)
	}
	d.mu.Unlock()
	switch {
	case stuck:
		<-r.Context().Done()
	case n == 1:
		panic(http.ErrAbortHandler)
	case n == 2:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

func (d *desk) setStuck(stuck bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = stuck
}

func (d *desk) told() []deskReply {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.replies)
}

// answeredBy is the configuration in which the alerts of the source siem are answered by a desk.
func answeredBy(url, more string) func(string) string {
	return func(slow string) string {
		text := strings.Replace(configuration(slow), "integrations:\n", "integrations:\n  desk: { kind: webhook, url: '"+url+"', secret: "+deskSecret+", insecure_http: true }\n", 1)
		return strings.Replace(text, "rate: 10000/s }\n", "rate: 10000/s, reply: desk }\n"+more, 1)
	}
}

// TestTheSenderIsToldAcrossAKill kills the process while a reply is under way. The sender gets
// each reply once, in order, to the end.
func TestTheSenderIsToldAcrossAKill(t *testing.T) {
	t.Parallel()
	s, d := newSite(t, "ttl: 1h", "ttl: 15s", "ttl: 4h", "ttl: 15s"), newDesk(t)
	s.settings = answeredBy(d.URL, "")
	d.setStuck(true)
	s.start("")
	s.alert("a-1", "ws-042", "10.20.4.42")
	s.until("a reply to be under way, and the host to be contained", func() bool {
		return len(d.told()) == 1 && saw(s.see(floodCase), incident.EvAccepted, "cut-off")
	})
	s.kill()
	d.setStuck(false)
	s.start("")
	s.until("the sender to be told that the case has closed", func() bool {
		all := d.told()
		return len(all) > 0 && all[len(all)-1].Kind == string(incident.EvClosed)
	})
	c := s.see(floodCase)
	var got []string
	for _, r := range d.told() {
		if r.Alert.Source != "siem" || r.Alert.ID != "a-1" {
			t.Errorf("alert %s of %s is answered", r.Alert.ID, r.Alert.Source)
		}
		got = append(got, strings.TrimSpace(r.Kind+" "+r.Step))
	}
	last := d.told()[len(got)-1]
	if last.Outcome != string(c.Outcome) || !last.Close || got[0] != "opened" {
		t.Errorf("the first reply is %q, the last %+v; the case ended as %q", got[0], last, c.Outcome)
	}
	// How a step's effect is seen around a kill differs; that it is told once does not.
	for _, want := range []string{"opened", "accepted throttle", "confirmed throttle", "accepted cut-off", "confirmed cut-off", "closed"} {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(g string) bool { return g != want })); n != 1 {
			t.Errorf("%q was told %d times: %q", want, n, got)
		}
	}
	for _, step := range []string{"throttle", "cut-off"} {
		if slices.Index(got, "accepted "+step) > slices.Index(got, "confirmed "+step) {
			t.Errorf("%s was confirmed before it was accepted: %q", step, got)
		}
	}
	s.until("the replies to be counted", func() bool {
		return strings.Contains(s.metrics(), `stanch_replies_total{integration="desk",result="sent"}`)
	})
	s.stop()
}

// TestTwoThatTellEachOtherEnd has two of them send each other what becomes of their alerts, as
// alerts: neither takes what the other says for one.
func TestTwoThatTellEachOtherEnd(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	sent := 0
	var sites [2]*site
	for i := range sites {
		other := 1 - i
		forward := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			sent++
			mu.Unlock()
			req, err := http.NewRequestWithContext(r.Context(), r.Method, sites[other].url+"/v1/alerts/peer", r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header = r.Header.Clone()
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer res.Body.Close()
			w.WriteHeader(res.StatusCode)
			_, _ = io.Copy(w, res.Body)
		}))
		t.Cleanup(forward.Close)
		sites[i] = newSite(t, "ttl: 1h", "ttl: 6s", "ttl: 4h", "ttl: 6s")
		sites[i].settings = answeredBy(forward.URL, "  peer: { kind: stanch, auth: { hmac: { secret: "+deskSecret+" } }, category: high_egress, reply: desk }\n")
		sites[i].start("")
	}
	a, b := sites[0], sites[1]
	a.alert("a-1", "ws-042", "10.20.4.42")
	a.until("the case to end", func() bool { return a.see(floodCase).EvidenceDir != "" })
	given := `stanch_replies_total{integration="desk",result="given_up"}`
	a.until("the last reply to be given up", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return sent >= 6 && strings.Contains(a.metrics(), given)
	})
	if !saw(a.see(floodCase), incident.EvNotReplied, "") {
		t.Error("the case does not say that its sender was not told")
	}
	var cases api.CaseList
	if b.get("/v1/cases", &cases); len(cases.Cases) != 0 {
		t.Errorf("the other opened %+v", cases.Cases)
	}
	if text := b.metrics(); strings.Contains(text, "stanch_replies_total{") {
		t.Error("the other answered")
	}
	a.stop()
	b.stop()
}

package main_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// line is the way to a Temporal server, which can be cut.
type line struct {
	listener net.Listener
	mu       sync.Mutex
	isCut    bool
	conns    []net.Conn
}

// newLine starts a Temporal server, and returns the way to it.
func newLine(t *testing.T) *line {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir(), SearchAttributes: engine.SearchAttributes()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener}
	t.Cleanup(l.cut)
	c := server.TLS()
	c.NextProtos = []string{"h2"}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := tls.Dial("tcp", server.HostPort(), c)
			if err != nil {
				_ = near.Close()
				continue
			}
			l.join(near, far)
		}
	}()
	return l
}

// join passes on what either end sends, until one of them ends.
func (l *line) join(ends ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, ends...)
	for i := range ends {
		go func() {
			_, _ = io.Copy(ends[i], ends[1-i])
			for _, end := range ends {
				_ = end.Close()
			}
		}()
	}
	if l.isCut {
		l.closeAll()
	}
}

// cut has nothing answer any more.
func (l *line) cut() {
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	l.closeAll()
}

func (l *line) closeAll() {
	for _, conn := range l.conns {
		_ = conn.Close()
	}
}

// impatient are edits of the shipped alarms for a test of a minute: a fault need not last, and
// what counts as long is short. Their own values are tried with promtool.
func impatient() [][2]string {
	return [][2]string{
		{`(?m)^ +for: .*\n`, ""},
		{`(stage="decided"\}\[30m\]\)\)\)) > 60`, "$1 > 5"},
		{`older_than="15m"`, `older_than="0s"`},
		{`(stanch_flow_survey_age_seconds\)) > 900`, "$1 > 40"},
		{`(stanch_standing_age_seconds\)) > 300`, "$1 > 25"},
		{`min_over_time\((stanch_source_lag_messages)\[10m\]\)`, "$1"},
	}
}

// drill is what the playbook does with ws-017, where everything that can go wrong does. Of
// another host, which goes on sending, it holds a limit on, and tells a receiver that
// fails.
const drill = `decide:
  - rule: call
    when: alert.host.id == 'srv-backup-01'
    severity: low
    because: It is a drill.
    do: [on, call]
  - rule: drill
    when: alert.host.id == 'ws-017'
    severity: high
    because: It is a drill.
    do: [brief, stop, { approve: on-call }, cut-off]
`

// drillSteps are the steps of its own: the limit is over before anything could be measured.
const drillSteps = `steps:
  on: { action: rate_limit, use: gateway, with: { rate: 64kbit }, unsure: act, ttl: 14s, hold_at_most: 1m, again_above: 200kbit, verify: { egress_below: 100kbit, within: 10s }, on_failure: continue }
  call: { action: notify, use: receiver, with: { channel: on-call } }
  brief: { action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 4s, verify: { egress_below: 3Mbit, within: 2m }, on_failure: continue }
  stop: { action: kill_process, use: edr, on_failure: continue }
`

// receiver is an integration over HTTP whose product fails, so that it is not asked for a while.
func receiver(t *testing.T) string {
	t.Helper()
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(failing.Close)
	return fmt.Sprintf("  receiver: { kind: webhook, url: %q, insecure_http: true, secret: 0123456789abcdef0123456789abcdef }\n", failing.URL)
}

// faults are what the products do then: deciding is slow, no message is taken, and the flow
// store does not say how fresh its records are.
const faults = "delay: { baseline: 6s }, fail: { post: denied, survey: unavailable, kill: denied, undo rate_limit: denied }"

// The host of the drill, and its case.
const (
	drilled     = "ws-017"
	drilledIP   = "10.20.4.17"
	drilledCase = "high-egress-windows/" + drilled
)

// Nothing fires while all is well, and each shipped alarm under its fault, on a Prometheus that
// reads the built binary. Every panel of the dashboard shows a number, and all families
// are as they are defined.
func TestAlarmsAndDashboardOnPrometheus(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("SKIPPED: Prometheus is not installed")
	}
	t.Parallel()
	l := newLine(t)
	s := newSite(t,
		"max: 5", "max: 1", "decide:\n", drill, "steps:\n", drillSteps,
		"    escalate: [{ after: 5m, ask: { slack: '@sec-manager' } }]\n    expire_after: 20m", "    expire_after: 5s",
	)
	s.glance = 200 * time.Millisecond
	stores, queues, receiver := "", "", receiver(t)
	s.settings = func(slow string) string {
		text := strings.Replace(configuration(slow), "sources:\n", receiver+stores+"sources:\n"+queues, 1)
		text = strings.Replace(text, "siem: { kind: stanch,", "siem: { kind: stanch, reply: slack,", 1)
		// Calls of an integration with a rate wait for their worker.
		return strings.Replace(text, "gateway: { kind: memory", "gateway: { kind: memory, rate: 100/s", 1) +
			fmt.Sprintf("temporal: { address: %q, namespace: %s }\n", l.listener.Addr(), embedded.DefaultNamespace)
	}
	s.start("")
	p := s.watched(impatient())
	s.allIsWell(p)

	s.stop()
	p.fires("StanchDown")
	s.makeTwice(incident.RateLimit)
	stores, queues = s.silentStore(), fullQueue(t)
	s.start(faults)
	p.begins()
	s.closes(floodCase)
	s.alert("a-2", drilled, drilledIP)
	s.alert("a-4", "srv-backup-01", "10.20.1.30")
	s.until("a limit that goes on", func() bool { return saw(s.see("high-egress-windows/srv-backup-01"), incident.EvHeldAgain, "on") })
	s.peopleErr(p)
	p.fires("StanchFlowStoreLags", "StanchIntegrationFailing", "StanchIntegrationPartFailing", "StanchUndoFailing", "StanchLeaseProblem", "StanchDuplicateEffect",
		"StanchSourceLags", "StanchSourceNotFetched")
	for _, one := range p.ask("sum by (integration, action) (stanch_duplicate_effects_total) > 0") {
		if one.Metric["integration"] != "gateway" || one.Metric["action"] != string(incident.RateLimit) {
			t.Errorf("%v has the duplicate of another", one.Metric)
		}
	}
	s.answersLate(p)
	s.checkFamilies()
	p.panels()

	l.cut()
	s.until("an alert that is not taken", func() bool {
		_, status := s.send("a-3", drilled, drilledIP)
		return status == http.StatusServiceUnavailable
	})
	p.fires("StanchNotReady", "StanchAlertsNotTaken", "StanchBlind", "StanchFlowStoreUnread")
	fired := p.fired()
	for _, alarm := range regexp.MustCompile(`(?m)alert: (\w+)$`).FindAllStringSubmatch(read(t, shippedAlarms), -1) {
		if !slices.Contains(fired, alarm[1]) {
			t.Errorf("alarm %s has not fired", alarm[1])
		}
	}
}

// allIsWell has a host contained, proven and standing, of which no alarm fires.
func (s *site) allIsWell(p *prometheus) {
	s.t.Helper()
	p.begins()
	s.alert("a-1", "ws-042", "10.20.4.42")
	s.until("both to be effective", func() bool {
		c := s.see(floodCase)
		return saw(c, incident.EvVerified, "throttle") && saw(c, incident.EvVerified, "cut-off")
	})
	p.holds(`sum(stanch_proofs_total{proof="verified"}) == 2`)
	p.holds(`sum(max by (action) (stanch_leases)) == 2`)
	if fired := p.fired(); len(fired) > 0 {
		s.t.Errorf("while all is well there are the alarms %v", fired)
	}
	if n := s.counter("stanch_duplicate_effects_total"); n != 0 {
		s.t.Errorf("%d duplicate effects are counted", n)
	}
}

// makeTwice has a containment in place twice under one key, while nothing runs.
func (s *site) makeTwice(action incident.Action) {
	s.t.Helper()
	journal := read(s.t, s.path("estate.jsonl"))
	for text := range strings.Lines(journal) {
		var entry struct {
			Containment map[string]any `json:"containment"`
		}
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			s.t.Fatal(err)
		}
		order, _ := entry.Containment["order"].(map[string]any)
		if order["action"] != string(action) {
			continue
		}
		entry.Containment["ref"] = "made-again"
		again, err := json.Marshal(entry)
		if err != nil {
			s.t.Fatal(err)
		}
		s.write("estate.jsonl", journal+string(again)+"\n")
		return
	}
	s.t.Fatalf("the journal has no %s: %.2000s", action, journal)
}

// silentStore makes a flow store whose sensor has sent nothing for an hour, and returns its
// integration.
func (s *site) silentStore() string {
	s.t.Helper()
	s.write("conn.log", fmt.Sprintf(`{"ts":%d.5,"uid":"C1","id.orig_h":"10.20.4.17","id.orig_p":50000,"id.resp_h":"198.51.100.9","id.resp_p":443,"proto":"tcp","duration":1.0,"orig_bytes":100,"resp_bytes":100,"conn_state":"SF","history":"ShADadFf","orig_pkts":2,"orig_ip_bytes":180,"resp_pkts":2,"resp_ip_bytes":180}`+"\n", time.Now().Add(-time.Hour).Unix()))
	out, err := exec.CommandContext(s.t.Context(), "stanch", "flows", "import", s.path("conn.log"), "--store", s.path("archive.db")).CombinedOutput()
	if err != nil {
		s.t.Fatalf("import flows: %v\n%s", err, out)
	}
	return "  archive: { kind: sqlite, path: archive.db }\n"
}

func (s *site) closes(id string) {
	s.t.Helper()
	if status := s.post("/v1/cases/"+id+"/close", tokenOf(alice), api.ReasonRequest{Reason: "it is over"}, nil); status != http.StatusOK {
		s.t.Fatalf("close %s: %d", id, status)
	}
}

// peopleErr are the mistakes of senders and of who writes playbooks.
func (s *site) peopleErr(p *prometheus) {
	s.t.Helper()
	if status := s.post("/v1/alerts/siem", sourceToken, map[string]any{"rule": "no host"}, nil); status != http.StatusUnprocessableEntity {
		s.t.Errorf("an alert without a host is answered %d", status)
	}
	for range 26 {
		s.ask("/v1/alerts/siem", "{}", "Authorization", "Bearer guess")
	}
	s.write("playbooks/broken.yaml", "apiVersion: stanch/v1\nkind: Playbook\nname: broken\n")
	p.fires("StanchAlertsRejected", "StanchCredentialsRefused", "StanchPlaybooksFailing")
}

// answersLate has people answer the first question of the drill, after a while, and not the second.
func (s *site) answersLate(p *prometheus) {
	s.t.Helper()
	s.until("the first question", func() bool { return saw(s.see(drilledCase), incident.EvAsked, "on-call") })
	p.fires("StanchSlowToDecide", "StanchStepFailed", "StanchApprovalWaiting")
	s.until("the answer to count", func() bool { return s.vote(drilledCase, alice, true) == http.StatusOK })
	p.fires("StanchLimitReached", "StanchApprovalExpired", "StanchNotProven")
	if status := s.post("/v1/pause", tokenOf(alice), api.ReasonRequest{Reason: "it is a drill"}, nil); status != http.StatusOK {
		s.t.Errorf("pause: %d", status)
	}
	p.fires("StanchPaused")
}

// checkFamilies compares what the process exposes with the definitions. It names no host, no
// person and nothing of an alert.
func (s *site) checkFamilies() {
	s.t.Helper()
	text := s.metrics()
	defined := map[string]metrics.Definition{}
	for _, d := range metrics.Definitions() {
		defined[d.Name] = d
		if !strings.Contains(text, "# TYPE "+d.Name+" "+string(d.Kind)+"\n") {
			s.t.Errorf("%s is not exposed as a %s", d.Name, d.Kind)
		}
	}
	line := regexp.MustCompile(`(?m)^(stanch_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? [^ ]+$`)
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		var labels []string
		for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(m[2], -1) {
			if label[1] != "le" {
				labels = append(labels, label[1])
			}
		}
		d, ok := defined[m[1]]
		if want := slices.Sorted(slices.Values(d.Labels)); !ok || !slices.Equal(labels, want) {
			s.t.Errorf("%s has the labels %v, defined are %v", m[0], labels, want)
		}
	}
	for _, told := range []string{"ws-042", drilled, "10.20.4", alice, "powershell", "no host", sourceToken} {
		if strings.Contains(text, told) {
			s.t.Errorf("the metrics hold %q", told)
		}
	}
	if !strings.Contains(text, "\ntemporal_request_total{") {
		s.t.Error("the metrics of the engine's client are missing")
	}
}

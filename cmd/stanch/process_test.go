package main_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

const (
	// patience is how long a test waits for what must come.
	patience = 90 * time.Second
	glance   = 15 * time.Millisecond

	sourceToken = "sourcetokensourcetokensourcetoken"
	alice, bob  = "alice", "bob"
	floodCase   = "high-egress-windows/ws-042"
)

// site is a place where Stanch runs: a folder with its configuration, its data
// and the journal of a simulated estate, which outlives every process.
type site struct {
	t      testing.TB
	dir    string
	starts int
	cmd    *exec.Cmd
	exited chan error
	url    string
	client http.Client
	// settings is the text of stanch.yaml.
	settings func(slow string) string
	// args and env are what serve gets in addition to its configuration.
	args, env []string
	// glance is how often an awaited condition is checked, patience
	// for how long.
	glance, patience time.Duration
	// last is the case that was seen last, for the report of a failure.
	last incident.Case
}

// newSite lays out a site with the library's playbook for high egress, which
// acts and whose text is edited.
func newSite(t testing.TB, edits ...string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), client: http.Client{Timeout: patience}, settings: configuration}
	s.write("playbooks/high-egress-windows.yaml", enforced(t, "high-egress-windows", edits...))
	t.Cleanup(func() {
		if t.Failed() {
			s.explain()
		}
		if s.cmd != nil {
			s.kill()
		}
	})
	return s
}

// enforced is a playbook of the library in enforce mode, with each odd edit
// replaced by the one after it.
func enforced(t testing.TB, name string, edits ...string) string {
	t.Helper()
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(p *playbooks.Playbook) bool { return p.Name == name })
	if at < 0 {
		t.Fatalf("the library has no playbook %s", name)
	}
	text := string(all[at].Text())
	edits = append([]string{"mode: shadow", "mode: enforce"}, edits...)
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("playbook %s has no %q to replace", name, edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	return text
}

func (s *site) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// configuration is the text of stanch.yaml; slow makes the estate slow.
func configuration(slow string) string {
	var b strings.Builder
	b.WriteString("listen: 127.0.0.1:0\ndata: ./data\nplaybooks: [./playbooks]\nintegrations:\n")
	for _, name := range []string{"edr", "flows", "gateway", "inventory", "slack"} {
		fmt.Fprintf(&b, "  %s: { kind: memory, path: estate.jsonl%s }\n", name, slow)
	}
	fmt.Fprintf(&b, "sources:\n  siem: { kind: stanch, auth: { bearer: %s }, rate: 10000/s }\npeople:\n", sourceToken)
	for id, groups := range map[string]string{alice: "sec-oncall, sec-leads", bob: "sec-leads"} {
		fmt.Fprintf(&b, "  - { id: %s, groups: [%s], may: [read, retry, extend, release, pause], token_sha256: %x }\n", id, groups, sha256.Sum256([]byte(tokenOf(id))))
	}
	return b.String()
}

func tokenOf(person string) string { return person + "-token-" + strings.Repeat("0", 24) }

// start runs serve and waits until it takes alerts. Slow is a setting of the
// estate, such as "delay: { undo: 30s }".
func (s *site) start(slow string) {
	s.t.Helper()
	if slow != "" {
		slow = ", " + slow
	}
	s.write("stanch.yaml", s.settings(slow))
	s.starts++
	log, err := os.Create(s.logFile())
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command("stanch", append([]string{"serve", "--config", s.path("stanch.yaml")}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Env = log, log, append(os.Environ(), s.env...)
	servertest.EndWithTest(s.cmd, syscall.SIGKILL)
	err = s.cmd.Start()
	log.Close()
	if err != nil {
		s.t.Fatalf("start: %v", err)
	}
	exited := make(chan error, 1)
	go func(cmd *exec.Cmd) { exited <- cmd.Wait() }(s.cmd)
	s.exited = exited
	listening := regexp.MustCompile(`\burl"?[=:]\s?"?(http://127\.0\.0\.1:\d+)`)
	s.until("the service to be ready", func() bool {
		text, err := os.ReadFile(s.logFile())
		if err != nil {
			s.t.Fatal(err)
		}
		m := listening.FindSubmatch(text)
		if m == nil {
			return false
		}
		s.url = string(m[1])
		return s.get("/readyz", nil) == http.StatusOK
	})
}

func (s *site) logFile() string { return s.path(fmt.Sprintf("serve-%d.log", s.starts)) }

// kill ends the process as a power cut does, for the process.
func (s *site) kill() {
	s.t.Helper()
	// It may have ended by itself; then the test has failed already.
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// metrics are what the process exposes.
func (s *site) metrics() string {
	s.t.Helper()
	res, err := s.client.Get(s.url + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// stop ends the process as a service manager does, and wants a clean exit.
func (s *site) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Errorf("after SIGTERM: %v", err)
		}
	case <-time.After(patience):
		s.t.Fatal("it did not end after SIGTERM")
	}
	s.cmd = nil
}

// until waits for a condition, while a process runs.
func (s *site) until(what string, holds func() bool) {
	s.t.Helper()
	s.wait(what, func() bool {
		select {
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("waited for %s; the process ended: %v", what, err)
		default:
		}
		return holds()
	})
}

// wait waits for a condition.
func (s *site) wait(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.After(cmp.Or(s.patience, patience))
	tick := time.NewTicker(cmp.Or(s.glance, glance))
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			s.t.Fatalf("waited %s in vain for %s", cmp.Or(s.patience, patience), what)
		case <-tick.C:
		}
	}
}

// get asks as alice, decodes an answer of success and returns the status; 0 is
// no answer.
func (s *site) get(path string, into any) int {
	return s.do(http.MethodGet, path, tokenOf(alice), nil, into)
}

func (s *site) post(path, token string, body, into any) int {
	s.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(http.MethodPost, path, token, data, into)
}

func (s *site) do(method, path, token string, body []byte, into any) int {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0
	}
	if into != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(data, into); err != nil {
			s.t.Errorf("%s %s: %v in %.200q", method, path, err, data)
		}
	}
	return res.StatusCode
}

// alert sends an alert for a host of the default estate and returns the case
// that it went to.
func (s *site) alert(id, host, ip string) api.CaseRef {
	s.t.Helper()
	ref, status := s.send(id, host, ip)
	if status != http.StatusAccepted {
		s.t.Fatalf("alert %s for %s: status %d", id, host, status)
	}
	return ref
}

func (s *site) send(id, host, ip string) (api.CaseRef, int) {
	var accepted api.Accepted
	status := s.post("/v1/alerts/siem", sourceToken, map[string]any{
		"id": id, "category": "high_egress", "rule": "Large outbound traffic",
		"host": map[string]any{"id": host, "name": host + ".corp.example", "ip": []string{ip}, "os": "windows"},
	}, &accepted)
	if status != http.StatusAccepted || len(accepted.Cases) != 1 {
		return api.CaseRef{}, status
	}
	return accepted.Cases[0], status
}

// see returns a case as it stands; while the engine does not answer, and before
// there is one, it is the zero Case.
func (s *site) see(id string) incident.Case {
	var c incident.Case
	if s.get("/v1/cases/"+id, &c) == http.StatusOK {
		s.last = c
	}
	return c
}

// saw reports whether the timeline has an event of that kind; an empty step is
// any.
func saw(c incident.Case, kind incident.EventKind, step string) bool {
	return slices.ContainsFunc(c.Timeline, func(e incident.Event) bool {
		return e.Kind == kind && (step == "" || e.Step == step)
	})
}

// vote answers the last approval of a case, for the plan that it shows.
func (s *site) vote(id, person string, approve bool) int {
	plan := ""
	for _, a := range s.see(id).Approvals {
		plan = a.PlanDigest
	}
	return s.post("/v1/cases/"+id+"/decide", tokenOf(person),
		api.DecideRequest{Approve: approve, Plan: plan, Reason: "seen on call"}, nil)
}

// effects reads the actions that were carried out from the estate's journal,
// which can be read while a process writes it.
func (s *site) effects(op string, action incident.Action) int {
	s.t.Helper()
	data, err := os.ReadFile(s.path("estate.jsonl"))
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct{ Effect *memory.Effect }
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			// The last line is being written.
			continue
		}
		if e := entry.Effect; e != nil && e.Op == op && (action == "" || e.Action == action) {
			n++
		}
	}
	return n
}

// showTimeline writes the timeline of a case to the test's log.
func (s *site) showTimeline(c incident.Case) {
	for _, e := range c.Timeline {
		s.t.Logf("%s %-13s %-9s %s", e.At.Format("15:04:05.000"), e.Kind, e.Step, e.Text)
	}
}

// explain shows what a failed test needs to be understood.
func (s *site) explain() {
	s.showTimeline(s.last)
	for s.starts > 0 {
		log, _ := os.ReadFile(s.logFile())
		s.t.Logf("log of start %d:\n%s", s.starts, log)
		s.starts--
	}
}

// has reports whether the site has a file or folder of that name.
func (s *site) has(name string) bool {
	_, err := os.Stat(s.path(name))
	return err == nil
}

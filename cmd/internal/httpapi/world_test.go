package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/drift"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/enginetest"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// world is one real engine in memory, with a worker over a simulated estate.
// The tests share it, each with hosts of its own.
type world struct {
	client client.Client
	estate *memory.Estate
	set    *integrations.Set
	hosts  atomic.Int32
}

var shared world

func TestMain(m *testing.M) {
	code, err := runWith(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWith(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if shared.estate, err = memory.New(memory.Options{}); err != nil {
		return 0, err
	}
	if !embedded.BuiltIn {
		// There is no engine; a test that needs one is skipped.
		shared.client, err = client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1"})
		if err != nil {
			return 0, err
		}
		defer shared.client.Close()
		return m.Run(), nil
	}
	client, stop, err := enginetest.Start(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	shared.client = client
	set := integrations.NewSet()
	shared.set = set
	for _, name := range []string{"edr", "flows", "gateway", "inventory", "slack"} {
		set.Add(name, shared.estate.Spec(), shared.estate)
	}
	evidence, err := os.MkdirTemp("", "stanch-evidence-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(evidence)) }()
	acts := &activities.Activities{Set: set, Workflows: engine.New(shared.client, engine.Options{}), EvidenceDir: evidence}
	rest, err := enginetest.Work(shared.client, acts)
	if err != nil {
		return 0, err
	}
	defer rest()
	return m.Run(), nil
}

// The playbooks of the tests, by category of the alert: contain takes a lease,
// ask asks alice first, note takes no action.
const playbookText = `apiVersion: stanch/v1
kind: Playbook
name: %s
owner: secops
mode: enforce
description: A playbook of the tests.
trigger: { match: alert.category == '%s', subject: alert.host.id }
enrich:
  endpoint: { use: edr, timeout: 5s, required: true }
unsure: on-call
decide:
  - rule: always
    severity: high
    because: The tests say so.
    do: [%s]
steps:
  throttle: { action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 1h, verify: { egress_below: 3Mbit, within: 2m } }
approvals:
  on-call:
    ask: { slack: '#oncall' }
    approvers: { people: [alice, bob] }
    quorum: %d
    reason_required: [deny]
    expire_after: 15m
  second:
    ask: { slack: '#leads' }
    approvers: { people: [alice] }
    expire_after: 15m
`

func playbook(t *testing.T, name, category, do string, quorum int) *playbooks.Playbook {
	t.Helper()
	p, err := playbooks.Load(name+".yaml", fmt.Appendf(nil, playbookText, name, category, do, quorum))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	siemToken  = "siem-token"
	aliceToken = "alice-token"
	bobToken   = "bob-token"
	eveToken   = "eve-token"
)

// person is a person who has every right.
func person(id, token string) httpapi.Person {
	sum := sha256.Sum256([]byte(token))
	return httpapi.Person{Person: incident.Person{ID: id}, May: incident.Rights(), TokenSHA256: sum[:]}
}

// sender is a source of alerts and its credential.
type sender struct {
	Name, Kind, Category, OS string
	Rate                     float64
	Auth                     auth.Auth
}

func source(t *testing.T, s sender) httpapi.Source {
	t.Helper()
	spec, ok := all.Catalog().Source(s.Kind)
	if !ok {
		t.Fatalf("there is no kind of source %q", s.Kind)
	}
	v, err := s.Auth.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return httpapi.Source{Source: alerts.Source{Spec: spec, Name: s.Name, Category: s.Category, OS: s.OS}, Verifier: v, Rate: s.Rate}
}

// side is one receiver on the shared engine.
type side struct {
	t   *testing.T
	url string
}

func options(t *testing.T) httpapi.Options {
	t.Helper()
	return httpapi.Options{
		Engine: engine.New(shared.client, engine.Options{}),
		Playbooks: func() []*playbooks.Playbook {
			return []*playbooks.Playbook{
				playbook(t, "contain", "high_egress", "throttle", 1),
				playbook(t, "ask", "ask", "approve: on-call, throttle", 1),
				playbook(t, "note", "note", "", 1),
			}
		},
		Sources: map[string]httpapi.Source{
			"siem": source(t, sender{Name: "siem", Kind: "stanch", Auth: auth.Auth{Bearer: siemToken}}),
		},
		People: []httpapi.Person{person("alice", aliceToken), person("bob", bobToken), person("eve", eveToken)},
		Ready:  func(context.Context) error { return nil },
		Drift: func(ctx context.Context) (api.DriftList, error) {
			return drift.Find(ctx, shared.set, engine.New(shared.client, engine.Options{}), func(string) bool { return false })
		},
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now,
	}
}

func newSide(t *testing.T, edit ...func(*httpapi.Options)) *side {
	t.Helper()
	o := options(t)
	for _, e := range edit {
		e(&o)
	}
	server := httptest.NewServer(httpapi.New(o).Handler())
	t.Cleanup(server.Close)
	return &side{t, server.URL}
}

// answer is the receiver's answer.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// call sends a request; a body that is neither text nor bytes is sent as JSON.
func (s *side) call(method, path, token string, body any, edit ...func(*http.Request)) answer {
	s.t.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	case []byte:
		data = b
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		data = encoded
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(data))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, e := range edit {
		e(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	checkDescribed(s.t, req, data, resp, got)
	return answer{s.t, resp.StatusCode, resp.Header, got}
}

// is checks the status and decodes the body.
func (a answer) is(status int, into any) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("the answer is %d %s, want %d", a.status, a.body, status)
	}
	if into != nil {
		if err := json.Unmarshal(a.body, into); err != nil {
			a.t.Fatalf("the answer %s: %v", a.body, err)
		}
	}
	return a
}

// refusal is the body of an answer other than success.
type refusal struct{ Error, Kind, Field, Rejected, Missing string }

func (a answer) refused(status int, kind string) refusal {
	a.t.Helper()
	var r refusal
	a.is(status, &r)
	if r.Kind != kind || r.Error == "" {
		a.t.Fatalf("the answer is %s, want kind %q", a.body, kind)
	}
	return r
}

// needsEngine skips a test of cases in a build without the engine.
func needsEngine(t *testing.T) {
	t.Helper()
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
}

// host adds a host to the estate and returns its id; cases about it need an
// engine.
func host(t *testing.T) string {
	t.Helper()
	needsEngine(t)
	n := shared.hosts.Add(1)
	id := fmt.Sprintf("ws-%03d", n)
	err := shared.estate.AddHost(memory.Host{
		ID: id, Name: id, IPs: []string{fmt.Sprintf("10.9.%d.%d", n/250, n%250+1)}, OS: "windows", Role: "workstation",
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func alert(id, category, host string, more ...string) string {
	// Two identifiers agree, or no action would be taken.
	return fmt.Sprintf(`{"id":%q,"category":%q,"host":{"id":%q,"name":%q,"os":"windows"}%s}`, id, category, host, host, strings.Join(more, ""))
}

func several(bodies ...string) string { return `{"alerts":[` + strings.Join(bodies, ",") + `]}` }

// send posts alerts and returns what was accepted.
func (s *side) send(body string) api.Accepted {
	s.t.Helper()
	var got api.Accepted
	s.call("POST", "/v1/alerts/siem", siemToken, body).is(http.StatusAccepted, &got)
	return got
}

// insist posts an alert as a sender does, again as long as it is answered with
// 503, and returns the run of its case.
func (s *side) insist(body string) (string, error) {
	for {
		req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+"/v1/alerts/siem", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer "+siemToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		var got api.Accepted
		err = json.NewDecoder(resp.Body).Decode(&got)
		resp.Body.Close()
		switch {
		case err == nil && resp.StatusCode == http.StatusAccepted:
			return got.Cases[0].Run, nil
		case err != nil || resp.StatusCode != http.StatusServiceUnavailable:
			return "", fmt.Errorf("status %d: %w", resp.StatusCode, err)
		}
	}
}

func (s *side) show(id, run string) incident.Case {
	s.t.Helper()
	var c incident.Case
	s.call("GET", "/v1/cases/"+id+"?run="+run, aliceToken, nil).is(http.StatusOK, &c)
	return c
}

// until polls a case until it is as wanted.
func (s *side) until(ref api.CaseRef, what string, holds func(incident.Case) bool) incident.Case {
	s.t.Helper()
	var c incident.Case
	eventually(s.t, what, func() bool {
		c = s.show(ref.ID, ref.Run)
		return holds(c)
	})
	return c
}

// over waits until the engine has ended a case.
func (s *side) over(ref api.CaseRef) incident.Case {
	s.t.Helper()
	eventually(s.t, "the case is over", func() bool {
		described, err := shared.client.DescribeWorkflowExecution(s.t.Context(), protocol.CaseWorkflowID(ref.ID), ref.Run)
		if err != nil {
			s.t.Fatal(err)
		}
		return described.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	return s.show(ref.ID, ref.Run)
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func awaiting(c incident.Case) bool  { return c.Status == incident.Awaiting }
func contained(c incident.Case) bool { return c.Status == incident.Contained }

// applied counts how often an action was really applied to a host.
func applied(host string) int {
	n := 0
	for _, e := range shared.estate.Effects() {
		if e.Op == "apply" && e.Target == host {
			n++
		}
	}
	return n
}

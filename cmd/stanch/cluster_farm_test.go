package main_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded/clustertest"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/integrations/stanch"
)

// clusterNode is the name under which the test's binary is a process of the cluster: what
// "stanch serve --roles" runs, with an estate that several processes share.
const clusterNode = "stanch-node"

// nodeMain runs the roles that are its second argument by the configuration that is its first.
func nodeMain() {
	if err := runNode(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runNode(file, role string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	limited, err := limitedSpecs(os.Getenv(pacedBy))
	if err != nil {
		return err
	}
	catalog := integrations.NewCatalog(integrations.Vendor{Integrations: append(limited, remoteSpec())}, stanch.Vendor())
	c, err := config.Parse(file, text, catalog)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := service.Start(ctx, service.Options{Config: c, Roles: []string{role}, Log: log})
	if err != nil {
		return err
	}
	fmt.Println("ready", s.URL())
	select {
	case <-ctx.Done():
	case err = <-s.Failed():
	}
	return errors.Join(err, s.Stop())
}

const clusterPlaybook = `apiVersion: stanch/v1
kind: Playbook
name: cluster
owner: secops
mode: enforce
description: Isolates at once.
trigger: { match: alert.category == 'high_egress', subject: alert.host.id }
enrich:
  endpoint: { use: estate, timeout: 20s, required: true }
  traffic: { use: estate, timeout: 20s, with: { window: 15m, top: 20 } }
  asset: { use: estate, timeout: 20s }
unsure: nobody
decide:
  - { rule: workstation, when: asset.role == 'workstation', severity: high, because: It is one., do: [cut-off] }
  - { rule: otherwise, severity: low, because: It is none., do: [] }
steps:
  cut-off: { action: isolate, use: estate, ttl: 24h, verify: { egress_below: 64kbit, within: 5m } }
approvals:
  nobody: { ask: { estate: '#cluster' }, approvers: { people: [alice] }, expire_after: 1h }
`

// shipped is the deployment of docker-compose.yml.
func shipped(tb testing.TB) clustertest.Deployment {
	tb.Helper()
	d, err := clustertest.ReadDeployment(tb.Context(), "../../docker-compose.yml")
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// farm is a cluster: PostgreSQL, a Temporal server, and processes of Stanch.
type farm struct {
	tb       testing.TB
	dir      string
	address  string
	estate   *product
	estateAt string
	// more are integrations besides the estate, as stanch.yaml has them.
	more    string
	client  http.Client
	started atomic.Int64
}

// newFarm starts a cluster's database and server, as a deployment says.
func newFarm(tb testing.TB, d clustertest.Deployment, hosts int) *farm {
	tb.Helper()
	f := &farm{tb: tb, dir: tb.TempDir(), client: http.Client{Timeout: 10 * time.Second}}
	f.estate, f.estateAt = serveEstate(tb, hosts)
	f.address = clustertest.Start(tb, d)
	if err := os.MkdirAll(filepath.Join(f.dir, "playbooks"), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "playbooks", "cluster.yaml"), []byte(clusterPlaybook), 0o600); err != nil {
		tb.Fatal(err)
	}
	return f
}

// node is a process of the cluster.
type node struct {
	role, program string
	cmd           *exec.Cmd
	said          *os.File
	exited        chan struct{}
	url           string
}

// start starts a process with one role, and returns when it is ready. It may be called by
// another goroutine than the test's.
func (f *farm) start(program, role string) (*node, error) {
	name := fmt.Sprintf("%s-%d", role, f.started.Add(1))
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndata: %q\nplaybooks: [%q]\ntemporal: { address: %q, namespace: %s }\n"+
		"integrations: { estate: { kind: remote, url: %q }%s }\nsources: { siem: { kind: stanch, auth: { bearer: %s }, rate: 10000/s } }\n"+
		"people: [{ id: alice, token_sha256: %x }]\nroutes: { default: direct }\n",
		filepath.Join(f.dir, name), filepath.Join(f.dir, "playbooks"), f.address, clustertest.Namespace, f.estateAt, f.more, sourceToken, sha256.Sum256([]byte(tokenOf(alice))))
	file := filepath.Join(f.dir, name+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	said, err := os.Create(filepath.Join(f.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	n := &node{role: role, program: program, cmd: exec.Command(program, file, role), said: said, exited: make(chan struct{})}
	n.cmd.Stderr = said
	servertest.EndWithTest(n.cmd, syscall.SIGKILL)
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		_ = n.cmd.Wait() // It is killed, or told to stop.
		close(n.exited)
	}()
	f.tb.Cleanup(func() { n.end(syscall.SIGKILL) })
	url, ready := strings.CutPrefix(strings.TrimSpace(line), "ready")
	if err != nil || !ready {
		return nil, fmt.Errorf("%s did not start: %w\n%s", name, err, f.log(n))
	}
	n.url = strings.TrimSpace(url)
	return n, nil
}

func (f *farm) log(n *node) []byte {
	text, err := os.ReadFile(n.said.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// end ends a process with a signal.
func (n *node) end(with os.Signal) {
	_ = n.cmd.Process.Signal(with) // It may have ended.
	<-n.exited
}

// fleet are the processes that run, which others replace while alerts are sent.
type fleet struct {
	*farm
	mu    sync.Mutex
	nodes []*node
}

func (f *farm) fleet(program string, roles ...string) *fleet {
	f.tb.Helper()
	all := &fleet{farm: f}
	for _, role := range roles {
		n, err := f.start(program, role)
		if err != nil {
			f.tb.Fatal(err)
		}
		all.nodes = append(all.nodes, n)
	}
	return all
}

func (f *fleet) node(i int) *node {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes[i]
}

func (f *fleet) replace(i int, n *node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[i] = n
}

// receiver returns the address of one of the receivers.
func (f *fleet) receiver(i int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, n := range f.nodes {
		if n.url != "" {
			all = append(all, n.url)
		}
	}
	return all[i%len(all)]
}

// kill kills processes, and starts them again.
func (f *fleet) kill(which ...int) error {
	for _, i := range which {
		f.node(i).end(syscall.SIGKILL)
	}
	for _, i := range which {
		old := f.node(i)
		n, err := f.start(old.program, old.role)
		if err != nil {
			return err
		}
		f.replace(i, n)
	}
	return nil
}

// roll replaces a process by one of another build: the new one comes, then the old one goes.
func (f *fleet) roll(i int, program string) error {
	old := f.node(i)
	n, err := f.start(program, old.role)
	if err != nil {
		return err
	}
	f.replace(i, n)
	old.end(syscall.SIGTERM)
	return nil
}

// send sends an alert until a receiver has accepted it, as senders do: to the next one
// when one does not answer. It returns the case that has it.
func (f *fleet) send(ctx context.Context, alert string, host int) (api.CaseRef, error) {
	id, ip := clusterHost(host)
	body, err := json.Marshal(map[string]any{
		"id": alert, "category": "high_egress", "host": map[string]any{"id": id, "name": id, "ip": []string{ip}, "os": "windows"},
	})
	if err != nil {
		return api.CaseRef{}, err
	}
	for try := rand.IntN(2); ; try++ {
		var accepted api.Accepted
		err := f.ask(ctx, http.MethodPost, f.receiver(try)+"/v1/alerts/siem", sourceToken, string(body), &accepted)
		if err == nil && len(accepted.Cases) == 1 {
			return accepted.Cases[0], nil
		}
		select {
		case <-ctx.Done():
			return api.CaseRef{}, fmt.Errorf("alert %s was not accepted: %w", alert, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ask asks once.
func (f *farm) ask(ctx context.Context, method, url, token, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s: %s", res.Status, data)
	}
	return json.Unmarshal(data, into)
}

// until waits for a condition.
func (f *farm) until(ctx context.Context, what string, holds func() bool) {
	f.tb.Helper()
	for look := time.Tick(2 * time.Millisecond); !holds(); {
		select {
		case <-ctx.Done():
			f.tb.Fatalf("waited in vain for %s", what)
		case <-look:
		}
	}
}

package main_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/elastic/defendfake"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/sentinelone/sentinelonefake"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/integrations/wazuh/scriptfake"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// cutOff is a playbook that isolates a host of which one process floods.
const cutOff = `apiVersion: stanch/v1
kind: Playbook
name: cut-off
owner: secops
mode: enforce
description: Cuts a host off that floods.
trigger:
  match: alert.category == 'high_egress'
  subject: alert.host.id
enrich:
  endpoint: { use: edr, timeout: 20s }
  process: { use: edr, timeout: 20s }
  traffic: { use: flows, timeout: 20s, with: { window: 5m, top: 10 } }
guardrails:
  - name: infrastructure
    deny: endpoint.role == 'domain_controller'
    because: Others need it.
unsure: on-call
decide:
  - rule: flood
    when: traffic.bytes_out > bytes('100MiB') && traffic.attribution == 'exact'
    severity: critical
    because: One process floods.
    do: [evidence, cut-off]
  - rule: otherwise
    severity: low
    because: It does not look like a flood.
    do: [tell]
steps:
  evidence: { action: collect, use: edr, with: { what: [processes, connections] }, timeout: 60s }
  cut-off: { action: isolate, use: edr, ttl: 25s, verify: { egress_below: 64kbit, within: 20s }, on_failure: page }
  tell: { action: notify, use: slack, with: { channel: '#sec' } }
approvals:
  on-call:
    ask: { slack: '#sec-oncall' }
    approvers: { people: [alice] }
    expire_after: 15m
`

const (
	floodIP    = "10.20.4.42"
	floodImage = `C:\Users\anna\AppData\Local\Temp\updatesvc.exe`
)

// flooded is a device that floods amplifiers, as its EDR and a sensor see it. The
// sensor sees nothing of it while it is isolated.
type flooded struct {
	*edrtest.World
	id    string
	store *sqlite.Store
	flows string
}

// newFlooded returns a device that has flooded for the last four minutes.
func newFlooded(t *testing.T, id, dir string) *flooded {
	t.Helper()
	now := time.Now().UTC()
	f := &flooded{World: edrtest.New(t, time.Now), id: id, flows: dir + "/flows.db"}
	parent := &edrtest.Process{PID: 3000, Path: `C:\Windows\explorer.exe`, CommandLine: "explorer.exe", User: `CORP\anna`, SHA256: strings.Repeat("b", 64), Start: now.Add(-time.Hour)}
	sender := &edrtest.Process{
		PID: 6612, Path: floodImage, CommandLine: floodImage + " -t 4", User: `CORP\anna`, SHA256: strings.Repeat("a", 64),
		Parent: parent, Start: now.Add(-20 * time.Minute),
	}
	host := edrtest.Host{
		ID: id, Name: "ws-042", Domain: "corp.example", OS: "Windows 11", Role: "workstation", LastSeen: now,
		Addresses: []edrtest.Address{{IP: floodIP, From: now.Add(-24 * time.Hour)}}, Processes: []*edrtest.Process{parent, sender},
	}
	var records []flowmath.Record
	for i := range 40 {
		start := now.Add(-4*time.Minute + time.Duration(i)*5*time.Second)
		r := f.flow(start, 5*time.Second, uint16(50000+i), i)
		records = append(records, r)
		host.Connections = append(host.Connections, edrtest.Connection{At: start, Process: sender, Tuple: incident.Tuple{
			SrcIP: floodIP, SrcPort: 50000 + i, DstIP: r.Dst.String(), DstPort: 53, Transport: "udp",
		}})
	}
	f.Add(host)
	store, err := sqlite.Open(t.Context(), f.flows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	f.store = store
	if err := store.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	return f
}

// flow is one of the flood, to one of ten amplifiers.
func (f *flooded) flow(start time.Time, length time.Duration, port uint16, i int) flowmath.Record {
	return flowmath.Record{
		Start: start, Duration: length, Src: netip.MustParseAddr(floodIP), Dst: netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + i%10)}),
		SrcPort: port, DstPort: 53, Transport: "udp", Sensor: "edge", Sampling: 1,
		Orig: flowmath.Side{Bytes: 20_000_000, IPBytes: 20_000_000, Packets: 200_000}, Resp: flowmath.Side{Bytes: 0, IPBytes: 0, Packets: 0},
	}
}

// live lets the device go on: each second the sensor writes what left it, and the
// device carries out what its EDR has ordered.
func (f *flooded) live(t *testing.T) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			f.Settle()
			f.Change(f.id, func(h *edrtest.Host) { h.LastSeen = time.Now().UTC() })
			r := f.flow(time.Now().UTC().Add(-time.Second), time.Second, 51000, i)
			if f.Isolated(f.id) {
				// Another host keeps the sensor's record fresh.
				r.Src, r.Orig = netip.MustParseAddr("10.20.4.99"), flowmath.Side{Bytes: 900, IPBytes: 900, Packets: 3}
			}
			if err := f.store.Append(ctx, []flowmath.Record{r}); err != nil && ctx.Err() == nil {
				t.Errorf("write a flow: %v", err)
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

// edrProduct is an EDR of the test, with the id of the device in its own form.
type edrProduct struct {
	id string
	// open opens it on the device's world, and returns its part of stanch.yaml.
	open func(t *testing.T, f *flooded) string
	// doctor is what doctor must say of it.
	doctor []string
	// source is where the alert comes from, and alert what it is; without them it is one
	// in Stanch's own form that names the device in every way.
	source string
	alert  map[string]any
}

func edrProducts() map[string]edrProduct {
	return map[string]edrProduct{
		"crowdstrike": {id: strings.Repeat("a1", 16), open: func(t *testing.T, f *flooded) string {
			url := judged(t, falconfake.New(t, f.World, falconfake.Options{}).Handler(), "crowdstrike")
			return fmt.Sprintf("{ kind: crowdstrike, cloud: us-1, client_id: client, client_secret: secret, url: '%s' }", url)
		}, doctor: []string{"the API client has Hosts: read", "Hosts: write and Real time response: write cannot be told without writing", "and events of the device"}},
		"defender": {id: strings.Repeat("b2", 20), open: func(t *testing.T, f *flooded) string {
			d := defenderfake.New(t, f.World, defenderfake.Options{ClientSecret: "secret"})
			url := judged(t, d.Handler(), "defender", "graph", "microsoft-login")
			return fmt.Sprintf("{ kind: defender, tenant: %s, client_id: %s, client_secret: secret, url: '%s', graph_url: '%s', login_url: '%s' }",
				d.Tenant, d.ClientID, url, url, url)
		}, doctor: []string{"the application has the permissions of Defender that it needs", "cannot tell when the client secret ends"}},
		"elasticdefend": {id: "c3c3c3c3-c3c3-43c3-83c3-c3c3c3c3c3c3", open: func(t *testing.T, f *flooded) string {
			url := judged(t, defendfake.New(t, f.World, defendfake.Options{}).Handler(), "kibana", "elasticsearch")
			return fmt.Sprintf("{ kind: elasticdefend, url: '%s', elasticsearch: '%s', api_key: %s }", url, url, defendfake.Administrator().Key)
		}, doctor: []string{"Kibana answers at", "cannot tell whether the API key may isolate", "network-* have events"}},
		"sentinelone": {id: "657613730168123595", open: func(t *testing.T, f *flooded) string {
			url := judged(t, sentinelonefake.New(t, f.World, sentinelonefake.Options{Token: "s1-token"}).Handler(), "sentinelone")
			return fmt.Sprintf("{ kind: sentinelone, url: '%s', token: s1-token }", url)
		}, doctor: []string{"the token is good until", "cannot be told without doing so"}},
		// Wazuh's own alerts name an agent by id and name.
		"wazuh": {id: "042", open: openWazuh, doctor: []string{"the manager answers at", "cannot tell which agents have the scripts"}, alert: map[string]any{
			"id": "1764494400.7001", "category": "high_egress", "rule": "Sysmon: many connections to port 53", "host": map[string]any{"id": "042", "name": "ws-042", "os": "windows"},
		}},
		// Another SIEM does not know the id.
		"wazuh by name": {id: "042", open: openWazuh, source: "splunk", alert: map[string]any{
			"sid": "s-1", "search_name": "Large outbound traffic", "result": map[string]any{"src_host": "WS-042.corp.example", "src_ip": floodIP},
		}},
	}
}

func openWazuh(t *testing.T, f *flooded) string {
	d := wazuhfake.New(t, f.World, wazuhfake.Options{Scripts: scriptfake.Install(f.World, nil).Files()})
	return fmt.Sprintf("{ kind: wazuh, url: '%s', user: stanch, password: secret, indexer_url: '%s', indexer_user: stanch, indexer_password: secret }",
		judged(t, d.Handler(), "wazuh"), judged(t, d.Indexer(), "elasticsearch"))
}

// A device is found, its sender named, it is isolated, proven and given back, by
// the built program and each EDR's API.
func TestEDRsContainAndGiveBack(t *testing.T) {
	for name, p := range edrProducts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			f := newFlooded(t, p.id, s.dir)
			edr := p.open(t, f)
			s.write("playbooks/high-egress-windows.yaml", cutOff)
			s.settings = func(string) string {
				text := strings.Replace(configuration(""), "  edr: { kind: memory, path: estate.jsonl }\n", "  edr: "+edr+"\n", 1)
				text = strings.Replace(text, "  flows: { kind: memory, path: estate.jsonl }\n", "  flows: { kind: sqlite, path: "+f.flows+" }\n", 1)
				text = strings.Replace(text, "sources:\n", "sources:\n  splunk: { kind: splunk, category: high_egress, os: windows, auth: { bearer: "+sourceToken+" } }\n", 1)
				return text + "routes: { default: direct }\n"
			}
			f.live(t)
			s.start("")
			doctor := s.doctor()
			for _, want := range p.doctor {
				if !strings.Contains(doctor, want) {
					t.Errorf("doctor does not say %q:\n%s", want, doctor)
				}
			}
			c := s.contain(p)
			if user, _ := c.Facts.Process.User.Get(); !strings.Contains(user, "anna") {
				t.Errorf("the sender's user is %v, want anna", c.Facts.Process.User)
			}
			s.until("the host to be given back", func() bool { c = s.see(c.ID); return c.Outcome != "" })
			if c.Outcome != incident.OutcomeGivenBack || f.Isolated(f.id) {
				t.Errorf("the case ended as %s, isolated: %t", c.Outcome, f.Isolated(f.id))
			}
			if n := f.Effects(""); n != 2 {
				t.Errorf("the product accepted %d isolations and releases, want one of each", n)
			}
			s.stop()
		})
	}
}

// doctor is what doctor prints; it reads, and so changes nothing.
func (s *site) doctor() string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "stanch", "doctor", "--config", s.path("stanch.yaml")).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		s.t.Fatal(err)
	}
	return string(out)
}

// contain sends the alert and waits until the isolation is effective.
func (s *site) contain(p edrProduct) incident.Case {
	s.t.Helper()
	alert := p.alert
	if alert == nil {
		alert = map[string]any{
			"id": "flood-1", "category": "high_egress", "rule": "Large outbound traffic",
			"host": map[string]any{"id": p.id, "name": "ws-042.corp.example", "ip": []string{floodIP}, "os": "windows"},
		}
	}
	var accepted api.Accepted
	status := s.post("/v1/alerts/"+cmp.Or(p.source, "siem"), sourceToken, alert, &accepted)
	if status != http.StatusAccepted || len(accepted.Cases) != 1 {
		s.t.Fatalf("the alert: status %d, cases %v", status, accepted.Cases)
	}
	var c incident.Case
	s.until("the isolation to be effective", func() bool {
		c = s.see(accepted.Cases[0].ID)
		return c.Outcome != "" || saw(c, incident.EvVerified, "cut-off")
	})
	if !saw(c, incident.EvConfirmed, "cut-off") || !saw(c, incident.EvVerified, "cut-off") {
		s.t.Fatalf("the case ended as %s", c.Outcome)
	}
	if path, _ := c.Facts.Process.Path.Get(); !strings.HasSuffix(path, `\updatesvc.exe`) {
		s.t.Errorf("the sender is %v, want %s", c.Facts.Process.Path, floodImage)
	}
	return c
}

// judged serves a double whose every request and answer is judged by descriptions
// of its API, by a second validator as well where that is installed.
func judged(t *testing.T, double http.Handler, specs ...string) string {
	t.Helper()
	spec := apispec.Load(t, specs...)
	server := httptest.NewServer(spec.Handler(t, spec.Second(t, double)))
	t.Cleanup(server.Close)
	return server.URL
}

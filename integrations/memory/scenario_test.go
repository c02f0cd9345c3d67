package memory_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// TestScenarios queries each scenario as a playbook would: the shape of the
// traffic, how far it is above the usual, who sends it, and whose host it is.
func TestScenarios(t *testing.T) {
	for _, tt := range []struct {
		scenario    memory.Scenario
		host, ip    string
		role        incident.Role
		process     string
		asset       string
		exceptional bool
	}{
		{memory.Flood, "ws-042", "10.20.4.42", incident.Requester, "powershell.exe", "workstation", true},
		{memory.Quiet, "ws-042", "10.20.4.42", incident.Transfer, "OUTLOOK.EXE", "workstation", false},
		{memory.Reflecting, "srv-dc-01", "10.20.1.5", incident.Reflector, "dns.exe", "domain_controller", true},
		{memory.Backup, "srv-backup-01", "10.20.1.30", incident.Transfer, "VeeamAgent.exe", "backup", true},
	} {
		t.Run(string(tt.scenario), func(t *testing.T) {
			c := newClock()
			e := open(t, memory.Options{Now: c.now})
			must(t, e.Populate(tt.scenario))
			c.move(2 * time.Minute)
			q := integrations.TrafficQuery{IPs: []string{tt.ip}, From: c.now().Add(-15 * time.Minute), To: c.now(), Top: 20}
			seen, err := e.Traffic(t.Context(), q)
			must(t, err)
			known(t, "role", seen.Role, string(tt.role))

			b, err := e.Baseline(t.Context(), integrations.BaselineQuery{
				IPs: q.IPs, To: q.From, Days: 14, Window: 15 * time.Minute,
			})
			must(t, err)
			known(t, "buckets", b.Buckets, 14*96)
			sent, _ := seen.BytesOut.Get()
			p99, _ := b.P99.Get()
			median, _ := b.Median.Get()
			if exceptional := sent > 10*p99; exceptional != tt.exceptional || median == 0 || median >= p99 {
				t.Errorf("it sent %d where the median is %d and the 99th percentile %d", sent, median, p99)
			}

			const skew = 2 * time.Second
			conns, err := e.Connections(t.Context(), integrations.ConnectionQuery{
				Target: target(t, tt.host), From: q.From, To: q.To.Add(skew), Limit: 300,
			})
			must(t, err)
			joined := traffic.Join(seen.Sample, conns)
			known(t, "process", joined.Process.Name, tt.process)
			if joined.Attribution != incident.Exact {
				t.Errorf("the join is %s, want exact", joined.Attribution)
			}
			// Both sides are bounded, and keep the same end of the window.
			if rate, _ := joined.JoinRate.Get(); rate < 0.9 {
				t.Errorf("only %.0f %% of the connections found their flow", 100*rate)
			}

			asset, err := e.Asset(t.Context(), integrations.EndpointQuery{ID: tt.host})
			must(t, err)
			known(t, "asset role", asset.Role, tt.asset)
		})
	}
}

// The flood's script is in the records of what the host ran, with its text; what the
// facts of a test say of the process holds there too.
func TestTheFloodIsAScript(t *testing.T) {
	c := newClock()
	e := open(t, memory.Options{Now: c.now})
	must(t, e.Populate(memory.Flood))
	const skew = 2 * time.Second
	ran := func(pids ...int64) []incident.Execution {
		t.Helper()
		found, err := e.Executions(t.Context(), integrations.ExecutionQuery{
			Target: target(t, "ws-042"), From: c.now().Add(-24 * time.Hour), To: c.now(), Limit: 10, PIDs: pids,
		})
		must(t, err)
		return found
	}
	found := ran(7316)
	if len(found) != 2 {
		t.Fatalf("%d executions of the script's process, want its start and the script", len(found))
	}
	began := e.Start().Add(-10*time.Minute + skew)
	script, start := found[0].Process, found[1].Process
	if !found[0].At.Equal(began) || !found[1].At.Equal(began) || start.ScriptText.IsKnown() {
		t.Errorf("the executions are %+v; want the script and its process's start, both at %s", found, began)
	}
	known(t, "script", script.Script, `C:\Users\anna\AppData\Local\Temp\inv.ps1`)
	if text, _ := script.ScriptText.Get(); !strings.Contains(text, "Send-SimulatedQuery") {
		t.Errorf("the script's text is %v", script.ScriptText)
	}
	known(t, "started", start.Started, began)
	if parents, _ := start.Parents.Get(); !strings.Contains(parents, `WINWORD.EXE < `) {
		t.Errorf("the parents are %v", start.Parents)
	}
	must(t, e.SetFacts("ws-042", incident.Facts{Process: incident.Process{User: incident.Known("other", incident.Assumed)}}))
	for _, x := range ran(7316) {
		known(t, "given user", x.Process.User, "other")
	}
	var untold incident.Facts
	incident.Explain(&untold.Process, "not asked")
	must(t, e.SetFacts("ws-042", untold))
	if found := ran(); len(found) != 0 {
		t.Errorf("executions %+v of a process that is not told", found)
	}
}

// Text and parents are in the record of a start only.
func TestAScriptWithoutAStartIsRefused(t *testing.T) {
	h := sender("ws-042")
	h.Processes[0].ScriptText = "while ($true) {}"
	if err := open(t, memory.Options{}).AddHost(h); err == nil || !strings.Contains(err.Error(), "sender.exe") {
		t.Errorf("error %v", err)
	}
	h.Processes[0].Started = -time.Hour
	must(t, open(t, memory.Options{}).AddHost(h))
}

func TestExporterFeedsAnotherStore(t *testing.T) {
	c := newClock()
	e := open(t, memory.Options{Now: c.now})
	must(t, e.Populate(memory.Flood))
	c.move(15 * time.Minute)
	q := integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: c.now().Add(-15 * time.Minute), To: c.now(), Top: 5}
	store := open(t, memory.Options{Now: c.now})
	store.AddFlows(e.Records(q.From, q.To)...)
	want, err := e.Traffic(t.Context(), q)
	must(t, err)
	got, err := store.Traffic(t.Context(), q)
	must(t, err)
	for name, v := range map[string][2]incident.Value[int64]{
		"bytes_out": {got.BytesOut, want.BytesOut}, "packets_out": {got.PacketsOut, want.PacketsOut},
		"flows": {got.Flows, want.Flows}, "destinations": {got.Destinations, want.Destinations},
	} {
		n, _ := v[1].Get()
		known(t, name, v[0], n)
	}
}

func openSpec(t *testing.T, s integrations.Spec, change func(*memory.Config)) (*memory.Estate, error) {
	t.Helper()
	config := s.NewConfig()
	change(config.(*memory.Config))
	value, err := s.Open(t.Context(), config)
	if err != nil {
		return nil, err
	}
	return value.(*memory.Estate), nil
}

func TestOneSpecIsOneEstate(t *testing.T) {
	same := func(*memory.Config) {}
	s := memory.Spec()
	edr, err := openSpec(t, s, same)
	must(t, err)
	flows, err := openSpec(t, s, same)
	must(t, err)
	if edr != flows {
		t.Error("two integrations of one Spec are two estates")
	}
	if _, err := openSpec(t, s, func(c *memory.Config) { c.Scenario = memory.Quiet }); err == nil ||
		!strings.Contains(err.Error(), `scenario "quiet"`) {
		t.Errorf("another scenario gives %v, want an error that names it", err)
	}
	other, err := openSpec(t, memory.Spec(), same)
	must(t, err)
	if other == edr {
		t.Error("two Specs share an estate")
	}
	if _, err := openSpec(t, memory.Spec(), func(c *memory.Config) { c.Scenario = "party" }); err == nil ||
		!strings.Contains(err.Error(), "flood, quiet, reflector, backup") {
		t.Errorf("an unknown scenario gives %v, want an error that lists the known", err)
	}
	set := integrations.NewSet()
	set.Add("edr", s, edr)
	set.Add("flows", s, flows)
	must(t, set.Close())
}

func TestSpecReopensItsJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.jsonl")
	with := func(c *memory.Config) { c.Path = path }
	first, err := openSpec(t, memory.Spec(), with)
	must(t, err)
	w := world{first, newClock(), t}
	w.apply(w.order(incident.Isolate))
	must(t, first.Close())
	second, err := openSpec(t, memory.Spec(), with)
	must(t, err)
	t.Cleanup(func() { must(t, second.Close()) })
	if !(world{second, newClock(), t}).read(w.order(incident.Isolate)).Stands {
		t.Error("the isolation did not outlive the estate")
	}
	if !second.Start().Equal(first.Start()) {
		t.Errorf("the estate started at %s, want %s", second.Start(), first.Start())
	}
}

func TestProbe(t *testing.T) {
	e := open(t, memory.Options{})
	for _, f := range e.Probe(t.Context()) {
		if !f.OK {
			t.Errorf("finding %q is not OK", f.What)
		}
	}
	e.Fail("probe", integrations.Error{Kind: integrations.Unavailable}, 1)
	if f := e.Probe(t.Context()); len(f) != 1 || f[0].OK || f[0].Fix == "" {
		t.Errorf("findings are %+v, want one that is not OK and has a fix", f)
	}
}

func BenchmarkBaseline(b *testing.B) {
	c := newClock()
	e := open(b, memory.Options{Now: c.now})
	must(b, e.Populate(memory.Flood))
	q := integrations.BaselineQuery{IPs: []string{"10.20.4.42"}, To: c.now(), Days: 14, Window: 15 * time.Minute}
	for b.Loop() {
		if _, err := e.Baseline(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTraffic(b *testing.B) {
	c := newClock()
	e := open(b, memory.Options{Now: c.now})
	must(b, e.Populate(memory.Flood))
	q := integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: c.now().Add(-15 * time.Minute), To: c.now(), Top: 20}
	for b.Loop() {
		if _, err := e.Traffic(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
}

// TestScenarioNames compares the tag that lint reads with the list of scenarios.
func TestScenarioNames(t *testing.T) {
	read := func(name string) error {
		return playbooks.DecodeStrict("stanch.yaml", []byte("scenario: "+name), &memory.Config{}).Err()
	}
	for _, s := range memory.Scenarios() {
		if err := read(string(s)); err != nil {
			t.Errorf("scenario %q does not lint: %v", s, err)
		}
	}
	if err := read("party"); err == nil {
		t.Error("a scenario that does not exist lints")
	}
}

// TestConfiguredDelays reads the delays from stanch.yaml, and cancels a call in
// each: before it had an effect, and when only its answer was due.
func TestConfiguredDelays(t *testing.T) {
	for _, c := range []struct {
		name, text string
		effects    int
	}{
		{"before", "delay: { apply isolate: 1h, undo: 1h }", 0},
		{"answer", "delay_answer: { apply: 1h }", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := memory.Config{Scenario: memory.Flood}
			must(t, playbooks.DecodeStrict("stanch.yaml", []byte(c.text), &config).Err())
			e, err := openSpec(t, memory.Spec(), func(into *memory.Config) { *into = config })
			must(t, err)
			ctx, giveUp := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer giveUp()
			w := world{e, newClock(), t}
			if _, err := e.Apply(ctx, w.order(incident.Isolate)); integrations.KindOf(err) != integrations.Ambiguous {
				t.Errorf("a write that was given up is %v, want it to be ambiguous", err)
			}
			if n := len(e.Effects()); n != c.effects {
				t.Errorf("it had %d effects, want %d", n, c.effects)
			}
			e.Mend()
			if w.apply(w.order(incident.Isolate)); len(e.Effects()) != 1 {
				t.Errorf("repeated, it had %d effects, want 1", len(e.Effects()))
			}
		})
	}
	wrong := func(c *memory.Config) { c.Delay = map[string]time.Duration{"aply": time.Second} }
	if _, err := openSpec(t, memory.Spec(), wrong); err == nil || !strings.Contains(err.Error(), `unknown operation "aply"`) {
		t.Errorf("a delay of what does not exist gives %v", err)
	}
	slow := memory.Spec()
	if _, err := openSpec(t, slow, func(c *memory.Config) { c.Delay = map[string]time.Duration{"read": time.Second} }); err != nil {
		t.Fatal(err)
	}
	if _, err := openSpec(t, slow, func(*memory.Config) {}); err == nil || !strings.Contains(err.Error(), "delay map[read:1s]") {
		t.Errorf("two integrations that differ in delays give %v, want an error that distinguishes them", err)
	}
}

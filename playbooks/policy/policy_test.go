package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

var decisionTime = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

func given[T any](v T) incident.Value[T] { return incident.Known(v, incident.Assumed) }

// someFacts are the facts that the tables start from. Everything else is
// unknown without a reason.
func someFacts() incident.Facts {
	var f incident.Facts
	f.Alert.ID, f.Alert.Source, f.Alert.Status = "a-1", "splunk", incident.Firing
	f.Alert.Category = given("high_egress")
	f.Alert.Host.ID = given("ws-042")
	f.Alert.Host.IP = given([]string{"10.0.0.7", "192.0.2.9"})
	f.Alert.Destination.Port = given[int64](123)
	f.Alert.Destination.Transport = given("udp")
	f.Alert.Time = given(decisionTime.Add(-10 * time.Minute))
	f.Alert.Window = given(15 * time.Minute)
	f.Process.Path = given(`C:\Users\kim\x.exe`)
	f.Process.Signed = given(false)
	f.Traffic.BytesOut = given[int64](4 << 30)
	f.Traffic.Role = given("requester")
	f.Traffic.Attribution = given("exact")
	f.Traffic.JoinRate = given(0.97)
	f.Traffic.Top = given([]incident.TopFlow{
		{IP: "198.51.100.1", Port: 123, Transport: "udp", Bytes: 3 << 30, Packets: 1000, Flows: 9},
		{IP: "198.51.100.2", Port: 53, Transport: "udp", Bytes: 1 << 30, Packets: 500, Flows: 4},
	})
	f.Baseline.P99 = incident.NotKnown[int64]("baseline: 3 of 24 windows")
	f.Baseline.Median = given[int64](0)
	f.Asset.Role = given("workstation")
	return f
}

func at(text string) Expr { return Expr{Text: text, Line: 1, Column: 1} }

func source(rules ...Named) Source {
	return Source{File: "playbook.yaml", Rules: append(rules, Named{Name: "otherwise"}), Facts: incident.FactNames()}
}

func mustCompile(t testing.TB, src Source) *Policy {
	t.Helper()
	p, issues := Compile(src)
	for _, i := range issues {
		t.Errorf("%s:%d:%d: %s", i.File, i.Line, i.Column, i.Message)
	}
	if p == nil {
		t.FailNow()
	}
	return p
}

func paths(missing []incident.Missing) string {
	var out []string
	for _, m := range missing {
		out = append(out, m.Path)
	}
	return strings.Join(out, " ")
}

func TestConditions(t *testing.T) {
	const (
		yes     = incident.True
		no      = incident.False
		unknown = incident.Unsure
		failed  = incident.Failed
	)
	for _, tt := range []struct {
		when    string
		want    incident.Verdict
		missing string // paths, or the error
	}{
		// Three values.
		{`false && baseline.p99 > 1`, no, ""},
		{`baseline.p99 > 1 && false`, no, ""},
		{`true && baseline.p99 > 1`, unknown, "baseline.p99"},
		{`true || baseline.p99 > 1`, yes, ""},
		{`baseline.p99 > 1 || true`, yes, ""},
		{`false || baseline.p99 > 1`, unknown, "baseline.p99"},
		{`!(baseline.p99 > 1)`, unknown, "baseline.p99"},
		{`baseline.p99 > 1 && asset.owner == 'kim'`, unknown, "asset.owner baseline.p99"},
		{`(baseline.p99 > 1 || asset.owner == 'kim') && asset.site == 'hq'`, unknown, "asset.owner asset.site baseline.p99"},
		{`baseline.p99 == baseline.p99`, unknown, "baseline.p99"},
		{`baseline.p99 != 0`, unknown, "baseline.p99"},
		{`asset.owner in ['kim']`, unknown, "asset.owner"},
		{`'a' in asset.tags`, unknown, "asset.tags"},
		{`[asset.owner, 'kim'].exists(o, o == 'kim')`, unknown, "asset.owner"},
		{`alert.host == alert.host`, unknown, "alert.host.name alert.host.os"},

		// Through arithmetic, functions, ternaries and comprehensions.
		{`traffic.bytes_out / max(baseline.p99, bytes('10MiB')) > 20`, unknown, "baseline.p99"},
		{`(baseline.p99 + 1) * 2 - 7 > 0`, unknown, "baseline.p99"},
		{`asset.owner.startsWith('k')`, unknown, "asset.owner"},
		{`size(asset.tags) > 1`, unknown, "asset.tags"},
		{`(process.signed ? baseline.p99 : 5) == 5`, yes, ""},
		{`(!process.signed ? baseline.p99 : 5) == 5`, unknown, "baseline.p99"},
		{`(asset.owner == 'kim' ? 1 : 1) == 1`, unknown, "asset.owner"},
		{`asset.tags.exists(t, t == 'x')`, unknown, "asset.tags"},
		{`traffic.top.exists(f, f.bytes > baseline.p99)`, unknown, "baseline.p99"},
		{`traffic.top.all(f, f.port == 53 || f.bytes > baseline.p99)`, unknown, "baseline.p99"},
		{`amplification(alert.destination.port, alert.process.name).service == ''`, unknown, "alert.process.name"},
		{`traffic.top.map(f, f.bytes)[0] > baseline.p99`, unknown, "baseline.p99"},

		// known asks and never turns an error into an answer.
		{`known(baseline.p99)`, no, ""},
		{`known(traffic.bytes_out)`, yes, ""},
		{`known(baseline)`, no, ""},
		{`known(alert.host)`, no, ""},
		{`known(now)`, yes, ""},
		{`known(baseline.p99 > 1 && true)`, no, ""},
		{`known(baseline.p99 > 1 && false)`, yes, ""},
		{`known(1 / baseline.median)`, failed, "division by zero"},
		{`known(baseline.p99) ? baseline.p99 > 20 : traffic.bytes_out > bytes('2GiB')`, yes, ""},
		{`!known(baseline.p99) && traffic.bytes_out > bytes('5GiB')`, no, ""},

		// Every kind of field.
		{`alert.id == 'a-1' && alert.source == 'splunk' && alert.status == 'firing'`, yes, ""},
		{`'192.0.2.9' in alert.host.ip`, yes, ""},
		{`alert.window == duration('15m')`, yes, ""},
		{`now - alert.time > duration('9m')`, yes, ""},
		{`now.getHours() == 3`, yes, ""},
		{`traffic.join_rate > 0.9`, yes, ""},
		{`process.path == r'C:\Users\kim\x.exe'`, yes, ""},
		{`traffic.top[0].ip == '198.51.100.1' && traffic.top[0].bytes > traffic.top[1].bytes`, yes, ""},
		{`traffic.top.exists(f, f.port == 123 && f.transport == 'udp')`, yes, ""},
		{`traffic.top[0] == traffic.top[0] && traffic.top[0] != traffic.top[1]`, yes, ""},
		{`traffic.top.all(alert, alert.flows > 3)`, yes, ""},
		{`alert.host.ip.exists(i, cidr('10.0.0.0/8').containsIP(i))`, yes, ""},
		{`traffic.top[7].port == 1`, failed, "index out of bounds: 7"},

		// Functions.
		{`max(1, 2) == 2 && min(1, 2) == 1 && max(2, 1) == 2 && min(2, 1) == 1`, yes, ""},
		{`max(1.5, 2.5) == 2.5 && min(1.5, 2.5) == 1.5`, yes, ""},
		{`max(duration('1m'), alert.window) == alert.window`, yes, ""},
		{`bytes('1.5KiB') == 1536 && bytes('1 GB') == 1000000000`, yes, ""},
		{`bytes(alert.id) == 1`, failed, `"a-1" is not a size: write a number and one of KiB, MiB, GiB, KB, MB, GB`},
		{`amplification(alert.destination.port, alert.destination.transport).service == 'NTP'`, yes, ""},
		{`amplification(22, 'tcp').service == '' && amplification(22, 'tcp').factor_high == 0.0`, yes, ""},
		{`amplification(10074, 'udp').factor_high < 60000.0`, yes, ""},
		{`amplification(4294967419, 'udp').service == ''`, yes, ""},
		{`known(amplification(523, 'udp').factor_low)`, no, ""},
		{`amplification(523, 'udp').factor_low > 1.0`, unknown, "amplification(523, 'udp').factor_low"},

		// Errors.
		{`1 / baseline.median > 2`, failed, "division by zero"},
		{`false && 1 / baseline.median > 2`, no, ""},
		{`true && 1 / baseline.median > 2`, failed, "division by zero"},
		{`1 / baseline.median > 2 && baseline.p99 > 1`, unknown, "baseline.p99"},
		{`true || 1 / baseline.median > 2`, yes, ""},
		{`9223372036854775807 + size(traffic.top) > 0`, failed, "integer overflow"},
		{`lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))`, failed, "the cost limit of 100000 is exceeded"},
		{`false && lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))`, failed, "the cost limit of 100000 is exceeded"},
		{`baseline.p99 > 1 && lists.range(1000).all(a, lists.range(1000).all(b, a + b >= 0))`, failed, "the cost limit of 100000 is exceeded"},
	} {
		t.Run(tt.when, func(t *testing.T) {
			p := mustCompile(t, source(Named{"rule", at(tt.when)}))
			r := p.Decide(t.Context(), someFacts(), decisionTime)
			trace := r.Trace.Rules[0]
			if trace.Verdict != tt.want {
				t.Fatalf("verdict is %s (%s), want %s", trace.Verdict, trace.Error, tt.want)
			}
			switch tt.want {
			case failed:
				if trace.Error != tt.missing || r.Err != "rule rule: "+tt.missing || r.Rule != -1 {
					t.Errorf("error is %q, %q, rule %d; want %q and no rule", trace.Error, r.Err, r.Rule, tt.missing)
				}
			default:
				if got := paths(r.Unsure); got != tt.missing {
					t.Errorf("unsure of %q, want %q", got, tt.missing)
				}
				if chosen := map[incident.Verdict]int{yes: 0, no: 1, unknown: 1}[tt.want]; r.Rule != chosen {
					t.Errorf("rule %d is chosen, want %d", r.Rule, chosen)
				}
			}
		})
	}
}

func TestUnsureSaysWhy(t *testing.T) {
	p := mustCompile(t, source(Named{"rule", at(`baseline.p99 > 1`)}))
	r := p.Decide(t.Context(), someFacts(), decisionTime)
	want := []incident.Missing{{Path: "baseline.p99", Why: "baseline: 3 of 24 windows"}}
	if diff := cmp.Diff(want, r.Unsure); diff != "" {
		t.Error(diff)
	}
}

// A destination may be known and what went to it not.
func TestVolumeOfADestinationThatNobodySaw(t *testing.T) {
	f := someFacts()
	top, _ := f.Traffic.Top.Get()
	f.Traffic.Top = given(append(top, incident.TopFlow{IP: "198.51.100.3", Port: 443, Transport: "tcp", Flows: 2, Unseen: true}))
	for when, want := range map[string]incident.Verdict{
		`traffic.top.exists(f, f.bytes > bytes('2GiB'))`:         incident.True,
		`traffic.top.exists(f, f.bytes > bytes('5GiB'))`:         incident.Unsure,
		`traffic.top.all(f, f.packets > 1)`:                      incident.Unsure,
		`traffic.top.all(f, f.packets > 700)`:                    incident.False,
		`traffic.top.exists(f, f.port == 443 && f.flows == 2)`:   incident.True,
		`traffic.top.exists(f, f.unseen && f.bytes == 0)`:        incident.Unsure,
		`traffic.top.filter(f, !f.unseen).all(f, f.packets > 1)`: incident.True,
	} {
		r := mustCompile(t, source(Named{"rule", at(when)})).Decide(t.Context(), f, decisionTime)
		if got := r.Trace.Rules[0]; got.Verdict != want {
			t.Errorf("%s is %s (%s), want %s", when, got.Verdict, got.Error, want)
		}
		for _, m := range r.Unsure {
			if want != incident.Unsure || !strings.HasPrefix(m.Path, "traffic.top.") || m.Why != "no sensor saw what was sent" {
				t.Errorf("%s is unsure of %+v", when, m)
			}
		}
	}
}

func TestFactNotObtainedIsUnknownInAllFields(t *testing.T) {
	f := someFacts()
	f.Asset = incident.Asset{}
	incident.Explain(&f.Asset, "inventory: timed out")
	src := source(Named{"rule", at(`asset.role == 'dns' || asset.site == 'hq'`)})
	r := mustCompile(t, src).Decide(t.Context(), f, decisionTime)
	want := []incident.Missing{{Path: "asset.role", Why: "inventory: timed out"}, {Path: "asset.site", Why: "inventory: timed out"}}
	if diff := cmp.Diff(want, r.Unsure); diff != "" {
		t.Error(diff)
	}
}

func TestMatchAndSubject(t *testing.T) {
	alert := someFacts().Alert
	for _, tt := range []struct {
		match, subject string
		want           incident.Verdict
		missing        string
		is, err        string
	}{
		{`alert.category == 'high_egress'`, `alert.host.id`, incident.True, "", "ws-042", ""},
		{`alert.category == 'x'`, `alert.host.id + '/' + alert.source`, incident.False, "", "ws-042/splunk", ""},
		{`alert.category == 'x' && alert.host.os == 'linux'`, `alert.host.id`, incident.False, "", "ws-042", ""},
		{`alert.host.os == 'windows'`, `alert.host.name`, incident.Unsure, "alert.host.os", "", "subject: alert.host.name is unknown"},
		{`1 / size(alert.host.id) == 0`, `alert.host.ip[4]`, incident.True, "", "", "subject: index out of bounds: 4"},
		{`now > alert.time`, `''`, incident.True, "", "", "subject: it is empty"},
	} {
		p := mustCompile(t, Source{Match: at(tt.match), Subject: at(tt.subject)})
		verdict, missing, err := p.Match(t.Context(), &incident.Facts{Alert: alert}, decisionTime)
		if verdict != tt.want || paths(missing) != tt.missing || err != nil {
			t.Errorf("%s: %s, %q, %v; want %s, %q", tt.match, verdict, paths(missing), err, tt.want, tt.missing)
		}
		subject, err := p.Subject(t.Context(), &incident.Facts{Alert: alert}, decisionTime)
		if subject != tt.is || (tt.err == "") != (err == nil) || err != nil && err.Error() != tt.err {
			t.Errorf("%s: %q, %v; want %q, %q", tt.subject, subject, err, tt.is, tt.err)
		}
	}
	p := mustCompile(t, Source{Match: at(`1 / 0 == alert.count`)})
	verdict, _, err := p.Match(t.Context(), &incident.Facts{Alert: alert}, decisionTime)
	if verdict != incident.Failed || err == nil || err.Error() != "match: division by zero" {
		t.Errorf("failing match: %s, %v", verdict, err)
	}
	if _, err := p.Subject(t.Context(), &incident.Facts{Alert: alert}, decisionTime); err == nil {
		t.Error("a playbook without subject gave one")
	}
}

func TestCancelledContextEndsTheDecision(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("worker stops"))
	p := mustCompile(t, source(Named{"rule", at(`lists.range(5000).all(a, a >= 0)`)}))
	r := p.Decide(ctx, someFacts(), decisionTime)
	if r.Rule != -1 || r.Err != "rule rule: evaluation was interrupted: worker stops" {
		t.Errorf("rule %d, error %q", r.Rule, r.Err)
	}
}

func TestConcurrentUse(t *testing.T) {
	p := mustCompile(t, realistic())
	want, err := json.Marshal(p.Decide(t.Context(), someFacts(), decisionTime))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := json.Marshal(p.Decide(t.Context(), someFacts(), decisionTime))
				if err != nil || string(got) != string(want) {
					t.Errorf("got %s, %v", got, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		if _, issues := Compile(realistic()); len(issues) > 0 {
			t.Error(issues)
		}
	})
	wg.Wait()
}

func TestSameInputSameResult(t *testing.T) {
	src := realistic()
	src.Rules[1].Expr = at(`{'b': baseline.p99, 'a': baseline.p95, 'c': 1}.all(k, k != 'z') && alert.host == alert.host && known(traffic)`)
	var want []byte
	for i := range 200 {
		got, err := json.Marshal(mustCompile(t, src).Decide(t.Context(), someFacts(), decisionTime))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = got
		}
		if string(got) != string(want) {
			t.Fatalf("run %d gave\n%s\nthe first gave\n%s", i, got, want)
		}
	}
}

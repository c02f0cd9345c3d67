package playbooks_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

type secret string

type settings struct {
	Listen  netip.AddrPort            `yaml:"listen"`
	Token   secret                    `yaml:"token,required"`
	Port    int                       `yaml:"port"`
	Debug   bool                      `yaml:"debug"`
	Ratio   float64                   `yaml:"ratio"`
	Keep    time.Duration             `yaml:"keep"`
	Most    int64                     `yaml:"most" unit:"size"`
	Tags    []string                  `yaml:"tags"`
	Parts   map[string]playbooks.Node `yaml:"parts"`
	Skipped string
}

type part struct {
	Address string `yaml:"address,required"`
	Window  time.Duration
}

func TestDecodeStrict(t *testing.T) {
	got := settings{Debug: true, Ratio: 0.5}
	issues := playbooks.DecodeStrict("stanch.yaml", []byte(`
listen: 127.0.0.1:8080
token: abc
port: 7
keep: 14d
most: 10MiB
tags: [a, b]
`), &got)
	if err := issues.Err(); err != nil {
		t.Fatal(err)
	}
	want := settings{
		Listen: netip.MustParseAddrPort("127.0.0.1:8080"), Token: "abc", Port: 7, Debug: true, Ratio: 0.5,
		Keep: 14 * 24 * time.Hour, Most: 10 << 20, Tags: []string{"a", "b"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNodeIsDecodedLaterWithItsPlaces(t *testing.T) {
	var got settings
	text := "token: a\nparts:\n  edr: { kind: memory, address: here }\n  flows:\n    kind: file\n    addrss: there\n"
	if err := playbooks.DecodeStrict("stanch.yaml", []byte(text), &got).Err(); err != nil {
		t.Fatal(err)
	}
	edr := got.Parts["edr"]
	if diff := cmp.Diff([]string{"kind", "address"}, edr.Keys()); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
	var kind string
	if err := edr.Get("kind").Decode(&kind).Err(); err != nil || kind != "memory" {
		t.Fatalf("kind %q, %v", kind, err)
	}
	var p part
	if err := edr.Without("kind").Decode(&p).Err(); err != nil || p.Address != "here" {
		t.Errorf("part %+v, %v", p, err)
	}
	issues := got.Parts["flows"].Without("kind").Decode(&p)
	want := "stanch.yaml:6:5: unknown key \"addrss\" in the value: did you mean 'address'?\n    addrss: there\n    ^"
	if diff := cmp.Diff(want, issues.Error()); diff != "" {
		t.Errorf("issues differ (-want +got):\n%s", diff)
	}
	if i := got.Parts["flows"].Get("kind").Issue("unknown kind %q", "file"); i.String() != `stanch.yaml:5:11: unknown kind "file"` {
		t.Errorf("issue %s", i)
	}
	if missing := got.Parts["none"].Get("kind"); !missing.IsZero() || missing.Decode(&kind) != nil {
		t.Error("a missing part is not empty")
	}
}

func TestExpandReplacesBeforeReading(t *testing.T) {
	expand := func(text string) (string, error) {
		if strings.Contains(text, "${env:NONE}") {
			return "", errors.New("variable NONE is not set")
		}
		return strings.NewReplacer("${env:PORT}", "8080", "${env:ON}", "true").Replace(text), nil
	}
	var got settings
	text := "token: abc\nport: ${env:PORT}\ndebug: ${env:ON}\n"
	if err := playbooks.DecodeStrict("s.yaml", []byte(text), &got, playbooks.Expand(expand)).Err(); err != nil {
		t.Fatal(err)
	}
	if got.Port != 8080 || !got.Debug {
		t.Errorf("got %+v", got)
	}
	issues := playbooks.DecodeStrict("s.yaml", []byte("token: ${env:NONE}\nparts: { a: { address: '${env:NONE}' } }\n"), &got, playbooks.Expand(expand))
	if want := "s.yaml:1:8: token: variable NONE is not set"; len(issues) != 1 || issues[0].String() != want {
		t.Errorf("issues %v, want %s", issues, want)
	}
	if issues := got.Parts["a"].Decode(&part{}); len(issues) != 1 || issues[0].Column != 24 {
		t.Errorf("a part that is decoded later is not expanded: %v", issues)
	}
}

func TestFileTwin(t *testing.T) {
	read := func(path string) (string, error) {
		if path != "/run/token" {
			return "", fmt.Errorf("no such file %q", path)
		}
		return "from a file", nil
	}
	twin := playbooks.FileTwin(reflect.TypeFor[secret](), read)
	var got settings
	if err := playbooks.DecodeStrict("s.yaml", []byte("token_file: /run/token\n"), &got, twin).Err(); err != nil || got.Token != "from a file" {
		t.Errorf("token %q, %v", got.Token, err)
	}
	issues := playbooks.DecodeStrict("s.yaml", []byte("token_file: /nowhere\nport_file: x\n"), &got, twin)
	if len(issues) != 2 {
		t.Errorf("issues %v, want the missing file and the unknown key", issues)
	}
	issues = playbooks.DecodeStrict("s.yaml", []byte("token: a\ntoken_file: /run/token\n"), &got, twin)
	if len(issues) != 1 || !strings.Contains(issues.Error(), "token and token_file") {
		t.Errorf("issues %v, want one about two tokens", issues)
	}
}

func TestDecodeFacts(t *testing.T) {
	f := facts(t, "traffic: { bytes_out: 4GiB, bytes_in: 512, role: unknown, rate: 3Mbit, window: 15m }\nasset: { role: 'unknown', tags: [a] }\n")
	if n, ok := f.Traffic.BytesOut.Get(); n != 4<<30 || !ok || f.Traffic.BytesOut.From() != incident.Assumed {
		t.Errorf("bytes out: %v from %q", f.Traffic.BytesOut, f.Traffic.BytesOut.From())
	}
	if n, _ := f.Traffic.BytesIn.Get(); n != 512 {
		t.Errorf("bytes in: %v", f.Traffic.BytesIn)
	}
	if f.Traffic.Role.IsKnown() || f.Traffic.Role.Why() != "not given" {
		t.Errorf("the plain word unknown is known: %v", f.Traffic.Role)
	}
	if role, ok := f.Asset.Role.Get(); role != "unknown" || !ok {
		t.Errorf("the quoted word unknown is not text: %v", f.Asset.Role)
	}
	if n, _ := f.Traffic.Rate.Get(); n != 3_000_000 {
		t.Errorf("rate: %v", f.Traffic.Rate)
	}
}

func TestGivenIsMergedFieldByField(t *testing.T) {
	file, err := playbooks.LoadTests("t.yaml", []byte(`
playbook: playbook.yaml
given:
  alert: { category: high_egress, host: { id: ws-042, os: windows } }
  asset: { role: server, site: berlin }
cases:
  - name: as given
    expect: { leases: [] }
  - name: another role
    given: { asset: { role: dns }, alert: { host: { os: linux } } }
    timeline: [{ at: 1m, alert: { id: second, host: { name: x } } }]
    expect: { rule: a }
  - name: no role
    given: { asset: { role: unknown } }
    timeline: []
    expect: { rule: a }
  - name: no asset
    given: { asset: unknown }
    expect: { rule: a }
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range file.Cases {
		a := c.Facts.Alert.Host
		got = append(got, fmt.Sprint(c.Facts.Asset.Role, " ", c.Facts.Asset.Site, " ", a.ID, " ", a.OS))
	}
	want := []string{
		"server berlin ws-042 windows", "dns berlin ws-042 linux",
		"unknown (not given) berlin ws-042 windows", "unknown (not given) unknown (not given) ws-042 windows",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts differ (-want +got):\n%s", diff)
	}
	if file.Cases[0].Timeline != nil || file.Cases[2].Timeline == nil {
		t.Error("no timeline and an empty one are the same")
	}
	if file.Cases[0].Expect.Leases == nil || file.Cases[1].Expect.Leases != nil {
		t.Error("an empty list and no list are the same")
	}
	later := file.Cases[1].Timeline[0].Alert
	if id, _ := later.Host.ID.Get(); later.ID != "second" || id != "ws-042" {
		t.Errorf("the later alert is %+v", later)
	}
	if file.Cases[0].Facts.Alert.ID != "" || file.Cases[0].Line != 7 {
		t.Errorf("case %+v", file.Cases[0])
	}
}

func TestCheckComparesNames(t *testing.T) {
	file, err := playbooks.LoadTests("t.yaml", []byte("playbook: p\ncases:\n  - name: a\n    expect: { rule: lout, denied_by: x, awaiting: on-call, steps: [tell, tall] }\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := load(t, demo(t))
	var got []string
	for _, i := range file.Check(p) {
		got = append(got, i.String())
	}
	want := []string{
		`t.yaml:4:21: playbook demo has no rule "lout": did you mean 'loud'?`,
		`t.yaml:4:38: playbook demo has no guardrail "x": there are infrastructure, budget`,
		`t.yaml:4:74: playbook demo has no step "tall": did you mean 'tell'?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("complaints differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"loud", "otherwise"}, file.Uncovered(p)); diff != "" {
		t.Errorf("uncovered differs (-want +got):\n%s", diff)
	}
}

package playbooks_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// demo is a small playbook; each old text is replaced by the new one after it.
func demo(tb testing.TB, replace ...string) string {
	tb.Helper()
	data, err := os.ReadFile("testdata/load/demo.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			tb.Fatalf("the demo playbook does not hold %q", replace[i])
		}
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	return text
}

func load(tb testing.TB, text string) *playbooks.Playbook {
	tb.Helper()
	p, err := playbooks.Load("demo.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestLoadFillsInWhatIsLeftOut(t *testing.T) {
	p := load(t, demo(t, ", with: { window: 15m, top: 20 }", ""))
	if got, want := p.Enrich["traffic"].With, (playbooks.EnrichmentWith{Window: 15 * time.Minute, Top: 20}); got != want {
		t.Errorf("traffic is asked for with %+v, want %+v", got, want)
	}
	if got := p.Enrich["asset"].Timeout; got != 20*time.Second {
		t.Errorf("an enrichment may take %s, want 20s", got)
	}
	for step, want := range map[string]string{"throttle": "stop", "cut-off": "stop", "tell": "continue"} {
		if got := p.Steps[step].OnFailure; got != want {
			t.Errorf("%s on failure: %s, want %s", step, got, want)
		}
	}
	if got := p.Approvals["on-call"].Quorum; got != 1 {
		t.Errorf("quorum %d, want 1", got)
	}
	if p.File() != "demo.yaml" || len(p.Warnings()) != 0 {
		t.Errorf("file %q with warnings %v", p.File(), p.Warnings())
	}
}

func TestLoadReadsUnitsAndUnions(t *testing.T) {
	p := load(t, demo(t, "do: [throttle, cut-off, tell]", "do: [throttle, { approve: on-call, if_denied: [release], if_expired: [tell] }, cut-off]"))
	throttle := p.Steps["throttle"]
	if throttle.With.Rate != 2_000_000 || throttle.TTL != time.Hour || !throttle.UnsureAct {
		t.Errorf("throttle is %+v", throttle)
	}
	if want := (incident.Verify{EgressBelow: 3_000_000, Within: 2 * time.Minute}); *throttle.Verify != want {
		t.Errorf("verify is %+v, want %+v", *throttle.Verify, want)
	}
	want := playbooks.Doings{
		{Step: "throttle"},
		{Approve: "on-call", IfDenied: []string{"release"}, IfExpired: []string{"tell"}},
		{Step: "cut-off"},
	}
	if diff := cmp.Diff(want, p.Decide[0].Do); diff != "" {
		t.Errorf("do differs (-want +got):\n%s", diff)
	}
	if got, want := p.Approvals["on-call"].Ask, (playbooks.Ask{Use: "slack", Channel: "#sec-oncall"}); got != want {
		t.Errorf("ask is %+v, want %+v", got, want)
	}
	if got := p.Guardrails[1]; got.Then != "on-call" || *got.Limit != (playbooks.Limit{Action: incident.Isolate, Per: "site", Max: 5, Window: time.Hour}) {
		t.Errorf("the limit is %+v", got)
	}
}

func TestDigestIsOfTheMeaning(t *testing.T) {
	digest := load(t, demo(t)).Digest()
	if !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("digest %q", digest)
	}
	same := map[string][]string{
		"comments and blank lines": {"unsure: on-call\n", "\n# a comment\nunsure: on-call   # another\n\n"},
		"order of keys":            {"name: demo\nowner: secops\n", "owner: secops\nname: demo\n"},
		"order of steps":           {"steps:\n", "steps:\n  tell: { action: notify, use: slack, with: { channel: '#sec' } }\n", "  tell: { action: notify, use: slack, with: { channel: '#sec' } }\napprovals", "approvals"},
		"quotes":                   {"name: demo", `name: "demo"`},
		"flow or block":            {"asset: { use: inventory }", "asset:\n    use: inventory"},
		"an expression as a block": {"when: much && asset.role == 'workstation'", "when: |\n      much && asset.role == 'workstation'"},
	}
	for name, replace := range same {
		if got := load(t, demo(t, replace...)).Digest(); got != digest {
			t.Errorf("%s change the digest", name)
		}
	}
	other := map[string][]string{
		"mode":        {"mode: shadow", "mode: enforce"},
		"expression":  {"'1GiB'", "'2GiB'"},
		"because":     {"It sends much.", "It sends a lot."},
		"ttl":         {"ttl: 4h", "ttl: 5h"},
		"order of do": {"[throttle, cut-off, tell]", "[tell, throttle, cut-off]"},
		"a let":       {"let:\n", "let:\n  more: 2\n"},
	}
	seen := map[string]string{digest: "the playbook itself"}
	for name, replace := range other {
		got := load(t, demo(t, replace...)).Digest()
		if seen[got] != "" {
			t.Errorf("%s has the digest of %s", name, seen[got])
		}
		seen[got] = name
	}
	two := demo(t, "let:\n", "let:\n  a: 1\n  b: 2\n")
	if load(t, two).Digest() == load(t, strings.Replace(two, "  a: 1\n  b: 2\n", "  b: 2\n  a: 1\n", 1)).Digest() {
		t.Error("the order of lets does not count, though a later one may use an earlier one")
	}
}

func TestTextLoadsAgain(t *testing.T) {
	p := load(t, demo(t))
	again := load(t, string(p.Text()))
	if again.Digest() != p.Digest() {
		t.Error("the text of a playbook loads with another digest")
	}
	p.Text()[0] = '!'
	if load(t, string(p.Text())).Digest() != p.Digest() {
		t.Error("the text of a playbook can be changed from outside")
	}
}

func TestLoadBoundsTheFile(t *testing.T) {
	for name, data := range map[string]string{
		"a megabyte": strings.Repeat("#", playbooks.MaxFile+1),
		"UTF-16":     "\xff\xfea\x00",
		"a bomb":     "a: &a [x, x]\n" + strings.Repeat("b: &b [*a, *a]\n", 1),
	} {
		_, err := playbooks.Load("demo.yaml", []byte(data))
		var issues playbooks.Issues
		if !errors.As(err, &issues) || len(issues) == 0 {
			t.Errorf("%s: %v, want issues", name, err)
		}
	}
}

func TestPlacesInWindowsFiles(t *testing.T) {
	text := strings.ReplaceAll(demo(t, "asset.role == 'workstation'", "asset.rol == 'workstation'"), "\n", "\r\n")
	_, err := playbooks.Load("demo.yaml", []byte("\ufeff"+text))
	var issues playbooks.Issues
	if !errors.As(err, &issues) || len(issues) != 1 || issues[0].Line != 26 {
		t.Fatalf("got %v, want one issue on line 26", err)
	}
}

func TestCheckIntegrationsAsksForEverythingThatIsUsed(t *testing.T) {
	p := load(t, demo(t, "    expire_after", "    escalate: [{ after: 5m, ask: { pager: duty } }]\n"+
		"    fallback: { ask: [{ hook: ops }] }\n    expire_after"))
	var asked []string
	issues := p.CheckIntegrations(func(name string, used playbooks.Use) string {
		line := name + " " + used.Fact + string(used.Action)
		if used.Messenger {
			line += " messenger"
		}
		asked = append(asked, line)
		if name == "gateway" || name == "pager" {
			return "no integration is called " + name
		}
		return ""
	})
	slices.Sort(asked)
	want := []string{"edr endpoint", "edr isolate", "flows traffic", "gateway rate_limit", "hook  messenger", "inventory asset", "pager  messenger", "slack  messenger", "slack notify messenger"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	var at []string
	for _, i := range issues {
		at = append(at, i.String())
	}
	want = []string{"demo.yaml:35:40: no integration is called gateway", "demo.yaml:42:36: no integration is called pager"}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("complaints differ (-want +got):\n%s", diff)
	}
}

// Each integration of a list is checked at its place, and its agent's life, too.
func TestCheckIntegrationsAsksForEachOfAList(t *testing.T) {
	p := load(t, demo(t, "action: rate_limit, use: gateway", "action: rate_limit, use: [qos, gateway]",
		"action: isolate, use: edr, ttl: 4h", "action: isolate, use: [edr, other], ttl: 4h, heard_within: 15m"))
	var asked, at []string
	issues := p.CheckIntegrations(func(name string, used playbooks.Use) string {
		if used.Action == "" && used.Heard == 0 || used.Messenger {
			return ""
		}
		asked = append(asked, strings.TrimSpace(name+" "+string(used.Action)+" "+strings.TrimPrefix(used.Heard.String(), "0s")))
		if name == "gateway" || name == "other" {
			return "no integration is called " + name
		}
		return ""
	})
	slices.Sort(asked)
	if want := []string{"edr  15m0s", "edr isolate", "gateway rate_limit", "other isolate", "qos rate_limit"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	for _, i := range issues {
		at = append(at, i.String())
	}
	if want := []string{"demo.yaml:35:46: no integration is called gateway", "demo.yaml:36:42: no integration is called other"}; !slices.Equal(at, want) {
		t.Errorf("complaints are %q, want %q", at, want)
	}
}

func TestIssuesErr(t *testing.T) {
	warning := playbooks.Issue{File: "a", Message: "mind this", Warning: true}
	if err := (playbooks.Issues{warning}).Err(); err != nil {
		t.Errorf("a warning fails: %v", err)
	}
	if err := (playbooks.Issues{warning, {File: "a", Message: "wrong"}}).Err(); err == nil {
		t.Error("a fault does not fail")
	}
}

func BenchmarkLoad(b *testing.B) {
	all, err := library.Playbooks()
	if err != nil {
		b.Fatal(err)
	}
	at := slices.IndexFunc(all, func(p *playbooks.Playbook) bool { return p.Name == "high-egress-windows" })
	text := all[at].Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := playbooks.Load("playbook.yaml", text); err != nil {
			b.Fatal(err)
		}
	}
}

// The schema, the reference and the editor show this text.
func TestEveryKeyOfThePlaybookIsDocumented(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[playbooks.Playbook](), reflect.TypeFor[playbooks.Step](), reflect.TypeFor[playbooks.Rule](),
		reflect.TypeFor[playbooks.Approval](), reflect.TypeFor[playbooks.Guardrail](), reflect.TypeFor[playbooks.Expect](),
	} {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if key := f.Tag.Get("yaml"); key != "" && key != "-" && f.Tag.Get("doc") == "" {
				t.Errorf("%s.%s has no doc", typ.Name(), f.Name)
			}
		}
	}
}

// What lint refuses by now was reviewed and deployed before: such a text loads,
// decides as it did, with a warning; a changed one is refused.
func TestADeployedTextIsTolerated(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/never-*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range append(files, "testdata/lint/approval-gates-nothing.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := playbooks.Load("playbook.yaml", archive.Files[0].Data)
		if err != nil {
			t.Errorf("%s: the deployed text does not load: %v", file, err)
			continue
		}
		if p.Lint().Err() == nil || p.Lint().Error()+"\n" != string(archive.Files[1].Data) {
			t.Errorf("%s: a changed text would be taken up: %v", file, p.Lint())
		}
		if p.Policy() == nil || p.Digest() == "" || p.Warnings().Err() != nil || len(p.Warnings()) != len(p.Lint()) {
			t.Errorf("%s: it cannot be used, or there is no warning", file)
		}
	}
}

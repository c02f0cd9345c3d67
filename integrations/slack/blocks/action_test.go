package blocks

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAnswerComesBackAsItWent(t *testing.T) {
	answers := map[string]Answer{
		"full": {
			Case: "high-egress-windows/ws-042", Approval: "on-call", PlanDigest: "sha256:" + strings.Repeat("ab", 32),
			Approve: true, Reason: true, Groups: []string{"S012", "S013"}, Label: "Isolate ws-042 for 4 h",
		},
		"denial":              {Case: "p/ws-042", Approval: "on-call", PlanDigest: "sha256:00"},
		"evidence only":       {Case: "p/ws-042"},
		"quotes and brackets": {Case: `p/a"b\c<!channel>&`, Approval: "<on> & \"call\""},
		"many groups":         {Case: "p/ws-042", Groups: manyGroups(40)},
	}
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			value := a.Encode()
			got, err := ParseAnswer(value)
			if err != nil {
				t.Fatalf("ParseAnswer(%q): %v", value, err)
			}
			if diff := cmp.Diff(a, got); diff != "" {
				t.Errorf("the answer changed (-want +got):\n%s", diff)
			}
		})
	}
}

func manyGroups(n int) []string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = "S" + strings.Repeat("0", 10)
	}
	return groups
}

func TestAnswerFits(t *testing.T) {
	long := Answer{
		Case: strings.Repeat("é", maxCaseID/2), Approval: strings.Repeat("a", maxApprovalID),
		PlanDigest: strings.Repeat("d", maxDigest), Label: strings.Repeat("l", 5000), Groups: manyGroups(maxGroups),
	}
	for i := range long.Groups {
		long.Groups[i] = strings.Repeat("g", maxGroup)
	}
	value := long.Encode()
	if n := width(value); n == 0 || n > maxButtonValue {
		t.Fatalf("the value has %d characters; want 1 to %d", n, maxButtonValue)
	}
	got, err := ParseAnswer(value)
	if err != nil {
		t.Fatal(err)
	}
	if got.Case != long.Case || got.Approval != long.Approval || got.PlanDigest != long.PlanDigest {
		t.Errorf("the question was cut: %+v", got)
	}
	if got.Label != "" || len(got.Groups) == 0 || len(got.Groups) == maxGroups {
		t.Errorf("label %q and %d groups are left; want no label and some of the groups", got.Label, len(got.Groups))
	}
}

func TestAnswerThatNoButtonCarries(t *testing.T) {
	for name, a := range map[string]Answer{
		"no case":           {Approval: "on-call"},
		"long case":         {Case: strings.Repeat("c", maxCaseID+1)},
		"escapes that grow": {Case: strings.Repeat("\x01", maxCaseID)},
		"not text":          {Case: "p/\xff"},
		"too many groups":   {Case: "p/ws", Groups: manyGroups(maxGroups + 1)},
	} {
		t.Run(name, func(t *testing.T) {
			if value := a.Encode(); value != "" {
				t.Errorf("Encode gave %.60q; want nothing", value)
			}
		})
	}
}

func TestParseAnswerRefuses(t *testing.T) {
	for value, want := range map[string]string{
		``:                             "EOF",
		`{`:                            "EOF",
		`null`:                         "no case",
		`[]`:                           "array",
		`{"a":"on-call"}`:              "no case",
		`{"c":"p/ws","user":"U1"}`:     `unknown field "user"`,
		`{"c":"p/ws"} {"c":"p/other"}`: "unexpected data after the value",
		`{"c":"p/ws","g":[""]}`:        "group has no name",
		`{"c":"p/ws","y":"true"}`:      "cannot unmarshal",
		"{\"c\":\"p/\xff\"}":           "not UTF-8",
		strings.Repeat(" ", 2001):      "more than 2000",
		strings.Repeat("[", 1999):      "EOF",
		`{"c":"` + strings.Repeat("x", 1001) + `"}`: "more than 1000",
	} {
		if _, err := ParseAnswer(value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAnswer(%.40q) = %v; want an error with %q", value, err, want)
		}
	}
}

func TestOriginComesBackAsItWent(t *testing.T) {
	want := Origin{Answer: Answer{Case: "p/ws-042", Approval: "on-call", PlanDigest: "sha256:00", Reason: true}, Channel: "C1", Message: "1750000000.000100"}
	got, err := ParseOrigin(want.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the origin changed (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "{}", `{"answer":{"c":"p"},"channel":"` + strings.Repeat("c", 65) + `"}`, `{"answer":{"c":"p"},"response_url":"https://x"}`} {
		if _, err := ParseOrigin(bad); err == nil {
			t.Errorf("ParseOrigin(%.60q) took it", bad)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add(Answer{Case: "p/ws", Approval: "on-call", Groups: []string{"S1"}, Label: "Isolate"}.Encode())
	f.Add(`{"c":"\ud800"}`)
	f.Fuzz(func(t *testing.T, value string) {
		a, err := ParseAnswer(value)
		if err != nil {
			return
		}
		again := a.Encode()
		if again == "" {
			return // it was shorter than what Encode writes for it
		}
		if !utf8.ValidString(again) || width(again) > maxButtonValue {
			t.Fatalf("Encode gave %q", again)
		}
		b, err := ParseAnswer(again)
		if err != nil || b.Case != a.Case || b.Approval != a.Approval || b.PlanDigest != a.PlanDigest || b.Approve != a.Approve {
			t.Fatalf("%q came back as %+v, %v; want %+v", value, b, err, a)
		}
	})
}

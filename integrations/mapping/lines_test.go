package mapping_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// idsOf are the ids of what a body holds, or why it is refused.
func idsOf(t *testing.T, s alerts.Source, body []byte) (ids []string, parsed []alerts.Parsed) {
	t.Helper()
	parsed, err := s.Parse(body, time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC))
	if err != nil {
		return []string{err.Error()}, nil
	}
	for _, p := range parsed {
		if p.Wrong != nil {
			ids = append(ids, p.Wrong.Error())
			continue
		}
		ids = append(ids, p.Alert.ID+" "+p.Alert.Rule.String())
	}
	return ids, parsed
}

// Bodies that follow one another, a line for each, are read alone: one that cannot be read
// takes nothing from the others, and what is kept of each is it alone.
func TestABadLineTakesNothingFromTheOthers(t *testing.T) {
	const simple = head + "rule: doc.rule\n"
	const nested = "documents: body.hits\n" + "id: doc.id\nours: 'true'\nhost: { name: doc.host }\nrule: body.rule\n"
	hit := func(id string) string { return fmt.Sprintf(`{"id":%q,"host":"ws-1","rule":"r"}`, id) }
	in := func(rule string, ids ...string) string {
		for i, id := range ids {
			ids[i] = hit(id)
		}
		return `{"rule":"` + rule + `","hits":[` + strings.Join(ids, ",") + `]}`
	}
	for _, c := range []struct {
		text, body string
		want       []string
	}{
		{simple, hit("a") + "\n" + hit("b") + "\r\n", []string{"a r", "b r"}},
		{simple, hit("a") + "\n{\"id\":\n" + hit("c"), []string{"a r", "[1]: is not JSON: it ends too early", "c r"}},
		{simple, hit("a") + "\n7\n[" + hit("c") + "]", []string{"a r", "[1]: is a number, not an object", "c r"}},
		{simple, "no", []string{"is not JSON: byte 2 does not belong there"}},
		{simple, "", []string{"is empty"}},
		{nested, in("x", "a", "b") + "\n" + in("y", "c"), []string{"a x", "b x", "c y"}},
		{nested, in("x", "a") + "\n{\"hits\":[\n" + in("y", "c"), []string{"a x", "[1]: is not JSON: it ends too early", "c y"}},
		{nested, in("x", "a") + "\n{\"hits\":7}\n" + in("y", "c", "d"), []string{"a x", "[1]: holds no alerts: they are a number (ndr.yaml:1:12)", "c y", "d y"}},
	} {
		s := alerts.Source{Spec: parse(t, c.text), Name: "ndr"}
		got, parsed := idsOf(t, s, []byte(c.body))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.body, diff)
		}
		for i, p := range parsed {
			alone, again := idsOf(t, s, p.Body)
			if p.Wrong == nil && (len(alone) != 1 || cmp.Diff(contract.AlertLines(p.Alert), contract.AlertLines(again[0].Alert)) != "") || p.Wrong != nil && (len(alone) != 1 || strings.HasPrefix(alone[0], " ")) {
				t.Errorf("%s: the %d. alone, %s, is read as %q", c.body, i+1, p.Body, alone)
			}
		}
	}
}

// What is beyond the bound of a request is kept with what stands around each.
func TestWhatIsBeyondTheBoundKeepsItsBody(t *testing.T) {
	s := alerts.Source{Spec: parse(t, "documents: body.hits\nid: doc.id\nours: 'true'\nhost: { name: doc.host }\nrule: body.rule\n"), Name: "ndr"}
	var body strings.Builder
	for i := range alerts.MaxAlerts {
		fmt.Fprintf(&body, `{"rule":"r","hits":[{"id":"n%d","host":"ws-1"}]}`+"\n", i)
	}
	body.WriteString(`{"rule":"x","hits":[{"id":"a","host":"ws-1"},{"id":"b","host":"ws-1"}]}` + "\n" + `{"hits":7}` + "\n" + `{"rule":"y","hits":[{"id":"c","host":"ws-1"}]}`)
	_, parsed := idsOf(t, s, []byte(body.String()))
	if len(parsed) != alerts.MaxAlerts+1 {
		t.Fatalf("it is read as %d alerts", len(parsed))
	}
	got, _ := idsOf(t, s, parsed[alerts.MaxAlerts].Body)
	want := []string{"a x", "b x", "[1]: holds no alerts: they are a number (ndr.yaml:1:12)", "c y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the rest: -want +got\n%s", diff)
	}
}

// A state that is not known starts nothing, unless the mapping says that it fires.
func TestAMappingSaysWhichStatesFire(t *testing.T) {
	const states = head + "status: \"doc.state in ['raised', 'seen again'] ? 'firing' : doc.state\"\n"
	for state, want := range map[string]string{
		"raised": "firing", "seen again": "firing", "reopened": "firing", "triggered": "firing", "Closed": "resolved", "odd": "not_alerting",
	} {
		a := one(t, states, `{"id":"a","host":"ws-1","state":"`+state+`"}`)
		if string(a.Status) != want {
			t.Errorf("the state %q makes it %s (%s), not %s", state, a.Status, a.StatusWhy, want)
		}
	}
}

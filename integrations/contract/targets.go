package contract

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Targets checks that an EDR is asked for, and ordered to do, what concerns one device and
// no other: down to what is sent, and what became of the devices.
func Targets(t *testing.T, h FaultsHarness) { t.Helper(); run(t, "Targets", h, targetChecks()) }

func targetChecks() []check[FaultsHarness] {
	return []check[FaultsHarness]{
		{"no target names none, or blanks", checkNoTarget},
		{"a text that is not one id is refused, and is no other device's", checkHostileTargets},
		{"an order names the one device, where the product reads it", checkOneTarget},
		{"a query with a text that is no identifier finds nothing", checkHostileQueries},
	}
}

// hostile are texts of which none is the id of the one device, by what each tries.
func hostile(id, other string) map[string]string {
	return map[string]string{
		"all": "all", "a star": "*", "a star behind": id + "*", "two": id + "," + other, "two with a blank": id + " " + other,
		"two lines": id + "\n" + other, "a header": id + "\r\nX-Forwarded-For: 1", "a blank before": " " + id, "a blank behind": id + " ",
		"the beginning": id[:len(id)-1], "the end": id[1:], "the half": id[:len(id)/2], "more": id + "0", "two joined": id + other,
		"JSON": id + `"],"ids":["` + other, "another member": `x"},"filter":{"ids":["` + other + `"]}`, "FQL": id + `'+device_id:*'`,
		"OData": `' or 1 eq 1 or id eq '`, "KQL": `" or true //`, "a query language": `* or agent.id : *`, "SQL": "' OR '1'='1",
		"a percent": "%2a", "an encoded comma": id + "%2c" + other, "an encoded path": "..%2f" + other, "a path": "../" + other,
		"back": id + "/../" + other, "a parameter": id + "?agents_list=" + other, "another parameter": id + "&agents_list=" + other, "a fragment": id + "#",
		"a zero byte": id + "\x00", "other digits": "٠٠١", "long": strings.Repeat("a", 300), "long digits": strings.Repeat("1", 300),
	}
}

// targeted are the operations that are about one device.
func targeted() []operation {
	return slices.DeleteFunc(operations(), func(o operation) bool { return o.name == "find" || o.name == "probe" })
}

func checkNoTarget(t testing.TB, h FaultsHarness) {
	for _, id := range []string{"", " ", "\t\n"} {
		if target, err := incident.DeviceTarget(id, "ws-042"); err == nil || !target.IsZero() {
			t.Errorf("%q makes a target", id)
		}
	}
	for _, op := range targeted() {
		w := h.Open(t)
		if !op.of(w.Client) {
			continue
		}
		op.prepare(t, h, &w)
		w.Target = incident.Target{}
		refuses(t, h, op, w, "no target")
	}
}

// refuses fails unless the operation is refused before anything is sent.
func refuses(t testing.TB, h FaultsHarness, op operation, w FaultsWorld, what string) {
	t.Helper()
	sent, actions := len(w.Front.Sent()), len(w.World.Actions(""))
	_, err := op.do(t.Context(), w)
	h.want(t, op.name+" of "+what, err, integrations.Invalid)
	if n := len(w.Front.Sent()) - sent; n != 0 {
		t.Errorf("%s of %s: %d requests were sent", op.name, what, n)
	}
	if n := len(w.World.Actions("")) - actions; n != 0 {
		t.Errorf("%s of %s: %d actions were ordered", op.name, what, n)
	}
}

func checkHostileTargets(t testing.TB, h FaultsHarness) {
	for _, op := range targeted() {
		w := h.Open(t)
		if !op.of(w.Client) {
			continue
		}
		op.prepare(t, h, &w)
		id, other := w.Target.ID(), w.Other.ID()
		texts := hostile(id, other)
		for _, what := range slices.Sorted(maps.Keys(texts)) {
			target, err := incident.DeviceTarget(texts[what], "ws-042")
			if err != nil || texts[what] == other {
				continue // It is no target, or it is one.
			}
			w.Target = target
			checkHostile(t, h, op, w, what)
		}
		w.untouched(t, h, op.name+" of texts that are no ids")
	}
}

// checkHostile fails unless an operation on a text is invalid, and nothing is sent, or the
// text has the form of an id, of no device: then it is asked for, and nothing is ordered.
func checkHostile(t testing.TB, h FaultsHarness, op operation, w FaultsWorld, what string) {
	t.Helper()
	sent, actions := len(w.Front.Sent()), len(w.World.Actions(""))
	_, err := op.do(t.Context(), w)
	what = op.name + " of " + what
	h.noSecret(t, what, err)
	now := w.Front.Sent()[sent:]
	e, ok := errors.AsType[*integrations.Error](err)
	switch {
	case !ok || e.Kind != integrations.Invalid && e.Kind != integrations.NotFound:
		t.Errorf("%s: error %v, want one of kind invalid or not_found", what, err)
	case strings.ContainsFunc(e.Error(), unicode.IsControl) || len(e.Error()) > 1000:
		t.Errorf("%s: the error is long, or has a control character: %.300q", what, e.Error())
	case len(now) > 0 && !h.form(w):
		t.Errorf("%s: it is no id, and %s %s was sent", what, now[0].Method, now[0].Target)
	}
	for _, s := range now {
		if h.Orders(s) {
			t.Errorf("%s: %s %s was sent", what, s.Method, s.Target)
		}
	}
	if n := len(w.World.Actions("")) - actions; n != 0 {
		t.Errorf("%s: %d actions were ordered", what, n)
	}
}

// form reports whether the target's text has at least the characters of an id: what is
// sent cannot be anything else then.
func (h FaultsHarness) form(w FaultsWorld) bool {
	return !strings.ContainsFunc(w.Target.ID(), func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF-", r) })
}

// untouched fails unless nothing has happened to the other device.
func (w FaultsWorld) untouched(t testing.TB, h FaultsHarness, when string) {
	t.Helper()
	w.World.Settle()
	id := w.Other.ID()
	if n := len(w.World.Actions(id)); n > 0 || w.World.Isolated(id) || !w.World.Runs(id, w.Process.PID) {
		t.Errorf("%s: of the other device, %d actions were ordered; isolated is %t, its process runs %t", when, n, w.World.Isolated(id), w.World.Runs(id, w.Process.PID))
	}
}

func checkOneTarget(t testing.TB, h FaultsHarness) {
	for _, op := range operations() {
		w := h.Open(t)
		if !op.of(w.Client) || op.done == nil {
			continue
		}
		r := attempt(t, h, op, w, Outage{})
		h.fine(t, op.name, r.err)
		w.World.Settle()
		if err := op.done(w); err != nil {
			t.Errorf("%s: %v", op.name, err)
		}
		orders := 0
		for _, s := range r.sent {
			if h.Orders(s) {
				orders++
				if ids := h.Names(s); !slices.Equal(ids, []string{w.Target.ID()}) {
					t.Errorf("%s: %s %s %s names the devices %v, want %s alone", op.name, s.Method, s.Target, s.Body, ids, w.Target.ID())
				}
			}
			if !strings.HasPrefix(w.Other.ID(), w.Target.ID()) && strings.Contains(s.Target+string(s.Body), w.Other.ID()) {
				t.Errorf("%s: %s %s %s has the id of the other device", op.name, s.Method, s.Target, s.Body)
			}
		}
		if orders == 0 {
			t.Errorf("%s: no order was sent", op.name)
		}
		w.untouched(t, h, op.name)
		if of := w.World.Actions(w.Target.ID()); len(of) != len(w.World.Actions("")) || slices.ContainsFunc(of, func(a edrtest.Action) bool { return a.Host != w.Target.ID() }) {
			t.Errorf("%s: actions on other devices than the target", op.name)
		}
	}
}

func checkHostileQueries(t testing.TB, h FaultsHarness) {
	w := h.Open(t)
	finder, ok := w.Client.(integrations.Endpoints)
	if !ok {
		return // It finds nothing.
	}
	byID, byName := hostile(w.Target.ID(), w.Other.ID()), hostile("ws-042", "ws-0421")
	// A blank around an identifier is not one of its characters, and a dot may end a name.
	for _, what := range []string{"a blank before", "a blank behind"} {
		delete(byID, what)
		delete(byName, what)
	}
	queries := map[string]integrations.EndpointQuery{}
	for what, text := range byID {
		if text != w.Other.ID() {
			queries["id "+what] = integrations.EndpointQuery{ID: text}
		}
	}
	for what, text := range byName {
		queries["name "+what] = integrations.EndpointQuery{Name: text}
		queries["address "+what] = integrations.EndpointQuery{IPs: []string{strings.ReplaceAll(strings.ReplaceAll(text, "ws-0421", "192.0.2.21"), "ws-042", "192.0.2.2") + "x"}}
	}
	for _, what := range slices.Sorted(maps.Keys(queries)) {
		found, err := finder.Endpoints(t.Context(), queries[what])
		h.noSecret(t, what, err)
		if err != nil && integrations.KindOf(err) != integrations.Invalid || len(found) > 0 {
			t.Errorf("%s %.100q finds %d devices, %v; want none", what, queries[what], len(found), err)
		}
	}
}

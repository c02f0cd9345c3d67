package pagerduty

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	_ integrations.OnCall    = (*PagerDuty)(nil)
	_ integrations.Messenger = (*PagerDuty)(nil)
	_ integrations.Updater   = (*PagerDuty)(nil)
	_ integrations.Prober    = (*PagerDuty)(nil)
)

func TestMessenger(t *testing.T) {
	contract.Messenger(t, contract.MessengerHarness{
		Knobs: contract.Knobs{Kind: "pagerduty", Secrets: []string{token, routingKey}},
		Open: func(t testing.TB) contract.MessengerWorld {
			f := newFake(t)
			return contract.MessengerWorld{Messenger: f.pager(), Channel: "secops", Sent: f.sent, Break: f.Break}
		},
	})
}

func TestUpdater(t *testing.T) {
	const silent = "PagerDuty's Events API takes events and does not return alerts"
	contract.Updater(t, contract.UpdaterHarness{
		Knobs: contract.Knobs{
			Kind: "pagerduty", Secrets: []string{token, routingKey},
			Skip: map[string]string{
				"a message that was updated is still the same for post": silent,
				"a message that is not there is not found":              silent,
			},
		},
		Open: func(t testing.TB) contract.UpdaterWorld {
			f := newFake(t)
			p := f.pager()
			return contract.UpdaterWorld{Messenger: p, Updater: p, Channel: "secops", Seen: f.seen, Break: f.Break}
		},
	})
}

// wrong fails unless err is of the kind and keeps the secrets.
func wrong(t testing.TB, err error, kind integrations.Kind) *integrations.Error {
	t.Helper()
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("error %v, want one of kind %s", err, kind)
	}
	for _, secret := range []string{token, routingKey} {
		if strings.Contains(fmt.Sprintf("%+v %#v", err, err), secret) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	return e
}

func users(accounts []integrations.Account) []string {
	out := []string{}
	for _, a := range accounts {
		out = append(out, a.User)
	}
	return out
}

func TestOnCall(t *testing.T) {
	f := newFake(t)
	f.rota["PEMPTY1"] = nil
	for _, who := range []struct {
		level int
		user  string
	}{{1, "PZOE"}, {1, "PADA"}, {2, "PBOB"}, {1, "PZOE"}} {
		f.onDuty("PSECOPS", who.level, who.user)
	}
	f.onDuty("POTHERS", 1, "PEVE")
	p := f.pager()
	for _, tt := range []struct {
		q    integrations.OnCallQuery
		want []string
	}{
		{integrations.OnCallQuery{Policy: "PSECOPS", Level: 1}, []string{"PADA", "PZOE"}},
		{integrations.OnCallQuery{Policy: "PSECOPS", Level: 2}, []string{"PBOB"}},
		{integrations.OnCallQuery{Policy: "PSECOPS", Level: 3}, []string{}},
		{integrations.OnCallQuery{Policy: "PEMPTY1", Level: 1}, []string{}},
	} {
		got, err := p.OnCall(t.Context(), tt.q)
		if err != nil || got == nil || !slices.Equal(users(got), tt.want) {
			t.Errorf("%+v: %v, %v; want %v", tt.q, got, err, tt.want)
		}
		if slices.ContainsFunc(got, func(a integrations.Account) bool { return a.Email != "" }) {
			t.Errorf("%+v: an e-mail address counts as proof, though match_email is not set", tt.q)
		}
	}
	vouching := f.open(Config{Token: token, MatchEmail: true})
	got, err := vouching.OnCall(t.Context(), integrations.OnCallQuery{Policy: "PSECOPS", Level: 2})
	if want := []integrations.Account{{User: "PBOB", Email: "PBOB@example.com"}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("on call are %+v, %v; want %+v", got, err, want)
	}
}

func TestOnCallReadsAllPages(t *testing.T) {
	for name, tt := range map[string]struct{ smaller, pages int }{"as asked for": {0, 4}, "smaller ones": {30, 11}} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.smaller = tt.smaller
			want := []string{}
			for i := range 320 {
				user := fmt.Sprintf("P%04d", i)
				want = append(want, user)
				f.onDuty("PSECOPS", 1, user)
			}
			got, err := f.pager().OnCall(t.Context(), integrations.OnCallQuery{Policy: "PSECOPS", Level: 1})
			if err != nil || !slices.Equal(users(got), want) || f.pages != tt.pages {
				t.Errorf("%d users on %d pages, %v; want %d on %d", len(got), f.pages, err, len(want), tt.pages)
			}
		})
	}
	f := newFake(t)
	for i := range 10_001 {
		f.onDuty("PSECOPS", 1, fmt.Sprintf("P%d", i))
	}
	_, err := f.pager().OnCall(t.Context(), integrations.OnCallQuery{Policy: "PSECOPS", Level: 1})
	// A part of the rota is not the rota.
	wrong(t, err, integrations.Unavailable)
}

func TestOnCallFails(t *testing.T) {
	f := newFake(t)
	f.onDuty("PSECOPS", 1, "PADA")
	right := integrations.OnCallQuery{Policy: "PSECOPS", Level: 1}
	for _, tt := range []struct {
		name  string
		pager *PagerDuty
		q     integrations.OnCallQuery
		fault contract.Fault
		kind  integrations.Kind
	}{
		{"an unknown policy", f.pager(), integrations.OnCallQuery{Policy: "PNOBODY", Level: 1}, contract.Works, integrations.NotFound},
		{"no policy", f.pager(), integrations.OnCallQuery{Level: 1}, contract.Works, integrations.Invalid},
		{"a path for a policy", f.pager(), integrations.OnCallQuery{Policy: "../users", Level: 1}, contract.Works, integrations.Invalid},
		{"level 0", f.pager(), integrations.OnCallQuery{Policy: "PSECOPS"}, contract.Works, integrations.Invalid},
		{"no token", f.open(Config{Services: map[string]Service{"secops": {RoutingKey: routingKey}}}), right, contract.Works, integrations.Invalid},
		{"a wrong token", f.open(Config{Token: "other"}), right, contract.Works, integrations.Denied},
		{"down", f.pager(), right, contract.Down, integrations.Unavailable},
		{"a lost answer", f.pager(), right, contract.LoseAnswer, integrations.Unavailable},
		{"refused", f.pager(), right, contract.Deny, integrations.Denied},
		{"throttled", f.pager(), right, contract.Throttle, integrations.Throttled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.Break(tt.fault)
			_, err := tt.pager.OnCall(t.Context(), tt.q)
			if e := wrong(t, err, tt.kind); tt.fault == contract.Throttle && e.After != contract.ThrottledFor {
				t.Errorf("throttled for %s, want %s", e.After, contract.ThrottledFor)
			}
		})
	}
}

func TestOnCallIsStrict(t *testing.T) {
	ada := `{"escalation_policy":{"id":"PSECOPS"},"escalation_level":1,"user":{"id":"PADA"}}`
	for name, body := range map[string]string{
		"nothing":              ``,
		"no list":              `{"more":false}`,
		"null for the list":    `{"oncalls":null,"more":false}`,
		"no word of more":      `{"oncalls":[` + ada + `]}`,
		"another policy":       `{"oncalls":[` + ada + `,` + strings.Replace(ada, "PSECOPS", "POTHERS", 1) + `],"more":false}`,
		"no person":            `{"oncalls":[{"escalation_policy":{"id":"PSECOPS"},"escalation_level":1,"user":null}],"more":false}`,
		"the same page always": `{"oncalls":[` + ada + `],"more":true,"limit":0,"offset":0}`,
		"another page":         `{"oncalls":[` + ada + `],"more":true,"limit":100,"offset":900}`,
		"backwards":            `{"oncalls":[` + ada + `],"more":true,"limit":-100,"offset":0}`,
		"html":                 `<html>sign in</html>`,
	} {
		t.Run(name, func(t *testing.T) {
			s := faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
			f := newFake(t)
			p := f.pager()
			p.api = s.URL()
			got, err := p.OnCall(t.Context(), integrations.OnCallQuery{Policy: "PSECOPS", Level: 1})
			if wrong(t, err, integrations.Unavailable); len(got) > 0 || s.Calls() != 1 {
				t.Errorf("on call are %v after %d calls, want no account after one", got, s.Calls())
			}
		})
	}
}

func TestEvent(t *testing.T) {
	f := newFake(t)
	m := message("stanch-key-1")
	m.Card = &integrations.Card{State: integrations.CardAsking, Case: "high-egress/ws-042", Subject: "ws-042"}
	m.Mention = "@sec-oncall"
	r, err := f.pager().Post(t.Context(), m)
	if err != nil || r.Ref != "secops/alert/stanch-key-1" || r.At.IsZero() || r.Detail != "" {
		t.Fatalf("receipt %+v, %v", r, err)
	}
	want := []event{{
		RoutingKey: routingKey, Action: "trigger", Dedup: "stanch-key-1", Client: "Stanch", ClientURL: m.URL,
		Payload: &payload{
			Summary: "ws-042 sends 4 GiB", Source: "ws-042", Severity: "error",
			Details: details{Case: "high-egress/ws-042", Lines: []string{"Who: x.exe"}},
		},
		Links: []link{{m.URL, "The case in Stanch"}},
	}}
	if diff := cmp.Diff(want, f.events); diff != "" {
		t.Error(diff)
	}
}

func TestEventKeepsToTheLimits(t *testing.T) {
	f := newFake(t)
	m := message(strings.Repeat("k", 256))
	m.Title = "ws-042\n\u202esends\x00 " + strings.Repeat("ü", 2000)
	m.URL = "/v1/cases/1" // Stanch's own address is not configured.
	m.Lines = slices.Repeat([]string{strings.Repeat("界", 5000)}, 500)
	r, err := f.pager().Post(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	e := f.events[0]
	if e.Dedup != incident.DigestOf([]byte(m.Key)) || r.Ref != "secops/alert/"+e.Dedup {
		t.Errorf("the key is %q, the receipt %q", e.Dedup, r.Ref)
	}
	if !strings.HasPrefix(e.Payload.Summary, "ws-042  sends  üüü") || utf8.RuneCountInString(e.Payload.Summary) != 1024 {
		t.Errorf("the summary is %.40q, of %d characters", e.Payload.Summary, utf8.RuneCountInString(e.Payload.Summary))
	}
	if n := len(e.Payload.Details.Lines); n != maxLines+1 || e.Payload.Details.Lines[maxLines] != "and 440 more lines" {
		t.Errorf("%d lines, the last %q", n, e.Payload.Details.Lines[n-1])
	}
	if e.Links != nil || e.ClientURL != "" {
		t.Errorf("links to nowhere: %v %q", e.Links, e.ClientURL)
	}
	if _, err := f.pager().Post(t.Context(), integrations.Message{Key: "k", Channel: "secops"}); err != nil {
		t.Errorf("a message without a title: %v", err)
	}
}

func TestSeverity(t *testing.T) {
	for severity, want := range map[string]string{
		"critical": "critical", "high": "error", "medium": "warning", "low": "info", "info": "info", "": "error", "weird": "error",
	} {
		if got := severityOf(severity); got != want {
			t.Errorf("%q is %q, want %q", severity, got, want)
		}
	}
}

func TestUpdate(t *testing.T) {
	type step struct {
		state integrations.CardState // empty: no card
		title string
	}
	for name, tt := range map[string]struct {
		first integrations.CardState
		then  []step
		want  string
	}{
		"asked, answered": {
			integrations.CardAsking,
			[]step{{integrations.CardAsking, "asked again"}, {integrations.CardApproved, "approved"}, {integrations.CardConfirmed, "isolated"}},
			`k resolved ["ws-042 sends 4 GiB" "asked again"]`,
		},
		"expired":  {integrations.CardAsking, []step{{integrations.CardExpired, "expired"}}, `k resolved ["ws-042 sends 4 GiB"]`},
		"a notice": {integrations.CardTold, []step{{integrations.CardTold, "given back"}}, `k open ["ws-042 sends 4 GiB"]`},
		"a digest": {"", []step{{"", "3 wait"}, {"", "2 wait"}}, `k open ["ws-042 sends 4 GiB" "3 wait" "2 wait"]`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			p, m := f.pager(), message("k")
			show := func(s step) {
				m.Title, m.Card = s.title, nil
				if s.state != "" {
					m.Card = &integrations.Card{State: s.state}
				}
			}
			show(step{tt.first, m.Title})
			r, err := p.Post(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range tt.then {
				show(s)
				again, err := p.Update(t.Context(), r, m)
				if err != nil || again.Ref != r.Ref {
					t.Fatalf("update to %q: %+v, %v", s.title, again, err)
				}
			}
			if diff := cmp.Diff([]string{tt.want}, f.state()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestThread(t *testing.T) {
	f := newFake(t)
	p := f.pager()
	first, err := p.Post(t.Context(), message("question"))
	if err != nil {
		t.Fatal(err)
	}
	reminder := message("reminder")
	reminder.Title, reminder.Thread = "still waiting", first.Ref
	reminder.Card = &integrations.Card{State: integrations.CardAsking}
	r, err := p.Post(t.Context(), reminder)
	if err != nil {
		t.Fatal(err)
	}
	reminder.Card.State = integrations.CardApproved
	if _, err := p.Update(t.Context(), r, reminder); err != nil {
		t.Fatal(err)
	}
	// The reminder pages no one anew, and its end is not that of the question.
	if diff := cmp.Diff([]string{`question open ["ws-042 sends 4 GiB" "still waiting"]`}, f.state()); diff != "" {
		t.Error(diff)
	}
	for _, thread := range []string{"elsewhere/alert/k", "secops/k", "1772337600.000100"} {
		reminder.Thread = thread
		_, err := p.Post(t.Context(), reminder)
		wrong(t, err, integrations.Invalid)
	}
}

func TestEventsFail(t *testing.T) {
	f := newFake(t)
	p := f.open(Config{Services: map[string]Service{"secops": {RoutingKey: "fedcba98765432100123456789abcdef"}}})
	_, err := p.Post(t.Context(), message("k"))
	if e := wrong(t, err, integrations.Invalid); !strings.Contains(e.Error(), `is the routing key of service "secops" right?`) ||
		strings.Contains(e.Error(), "fedcba") {
		t.Errorf("the error does not help, or shows the key: %v", e)
	}
	m := message("k")
	m.Channel = "#sec"
	_, err = f.pager().Post(t.Context(), m)
	if e := wrong(t, err, integrations.Invalid); !strings.Contains(e.Error(), "it has secops") {
		t.Errorf("the error does not say which services there are: %v", e)
	}
	for ref, kind := range map[string]integrations.Kind{
		"": integrations.Invalid, "x": integrations.Invalid, "secops/alert/": integrations.Invalid, "secops/other/k": integrations.Invalid,
		"dissolved/alert/k": integrations.NotFound,
	} {
		_, err := f.pager().Update(t.Context(), incident.Receipt{Ref: ref}, message("k"))
		wrong(t, err, kind)
	}
	if f.sent() != 0 {
		t.Errorf("alerts were opened: %v", f.state())
	}
}

func TestEventsAnswer(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		kind   integrations.Kind
		after  time.Duration
	}{
		"throttled without a word": {http.StatusTooManyRequests, "", integrations.Throttled, throttled},
		"broken":                   {http.StatusInternalServerError, "", integrations.Ambiguous, 0},
		"not its status":           {http.StatusOK, `{"status":"success","dedup_key":"k"}`, integrations.Ambiguous, 0},
		"not its key":              {http.StatusAccepted, `{"status":"success","dedup_key":"other"}`, integrations.Ambiguous, 0},
		"torn":                     {http.StatusAccepted, `{"status":"succ`, integrations.Ambiguous, 0},
		"somebody's page":          {http.StatusAccepted, `<html>`, integrations.Ambiguous, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			p := newFake(t).pager()
			p.events = s.URL()
			_, err := p.Post(t.Context(), message("k"))
			if e := wrong(t, err, tt.kind); e.After != tt.after || s.Calls() != 1 {
				t.Errorf("wait %s after %d calls, want %s after one", e.After, s.Calls(), tt.after)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	good := map[string]Service{"secops": {RoutingKey: routingKey}}
	for name, tt := range map[string]struct {
		config any
		ok     bool
	}{
		"both":               {&Config{Region: "us", Token: token, Services: good}, true},
		"on call alone":      {&Config{Region: "eu", Token: token}, true},
		"pages alone":        {&Config{Region: "us", Services: good}, true},
		"nothing":            {&Config{Region: "us"}, false},
		"another region":     {&Config{Region: "mars", Token: token}, false},
		"a slash":            {&Config{Region: "us", Services: map[string]Service{"a/b": {RoutingKey: routingKey}}}, false},
		"no routing key":     {&Config{Region: "us", Services: map[string]Service{"secops": {}}}, false},
		"no name":            {&Config{Region: "us", Services: map[string]Service{"": {RoutingKey: routingKey}}}, false},
		"another's settings": {"text", false},
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := Spec().Open(t.Context(), tt.config)
			if !tt.ok {
				wrong(t, err, integrations.Invalid)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p := opened.(*PagerDuty); strings.Contains(p.api, ".eu.") != (name == "on call alone") || p.Close() != nil {
				t.Errorf("the account is queried at %s", p.api)
			}
		})
	}
}

func TestExampleDecodes(t *testing.T) {
	var file struct {
		Integrations map[string]playbooks.Node `yaml:"integrations"`
	}
	issues := playbooks.DecodeStrict("stanch.yaml", []byte("integrations:\n  "+Spec().Example+"\n"), &file,
		playbooks.FileTwin(reflect.TypeFor[integrations.Secret](), func(path string) (string, error) { return "text of " + path, nil }))
	if err := issues.Err(); err != nil {
		t.Fatal(err)
	}
	c := Spec().NewConfig()
	if err := file.Integrations["pager"].Without("kind").Decode(c).Err(); err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Token: "text of /run/secrets/pagerduty", Region: "us",
		Services: map[string]Service{"secops": {RoutingKey: "text of /run/secrets/pagerduty-secops"}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the example is not read as it should be")
	}
}

func TestProbe(t *testing.T) {
	f := newFake(t)
	good := map[string]Service{"secops": {RoutingKey: routingKey}}
	for name, tt := range map[string]struct {
		config Config
		fault  contract.Fault
		bad    []string // what the findings that are not OK are about
		count  int
	}{
		"all well":        {Config{Token: token, Services: good}, contract.Works, nil, 4},
		"a wrong token":   {Config{Token: "other"}, contract.Works, []string{"oncalls", "escalation_policies"}, 2},
		"a torn key":      {Config{Services: map[string]Service{"secops": {RoutingKey: "short"}}}, contract.Works, []string{`"secops"`}, 2},
		"it is down":      {Config{Token: token, Services: good}, contract.Down, []string{"oncalls", "escalation_policies", "Events API"}, 4},
		"it is throttled": {Config{Token: token}, contract.Throttle, []string{"oncalls", "escalation_policies"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f.Break(tt.fault)
			found := f.open(tt.config).Probe(t.Context())
			var bad []string
			for _, finding := range found {
				if strings.Contains(finding.What, token) || strings.Contains(finding.What, routingKey) || finding.OK == (finding.Fix != "") {
					t.Errorf("finding %+v shows a secret, or has no fix", finding)
				}
				if !finding.OK {
					bad = append(bad, finding.What)
				}
			}
			if len(found) != tt.count || len(bad) != len(tt.bad) {
				t.Fatalf("findings %+v, want %d of which %v are bad", found, tt.count, tt.bad)
			}
			for i, about := range tt.bad {
				if !strings.Contains(bad[i], about) {
					t.Errorf("finding %q is not about %s", bad[i], about)
				}
			}
		})
	}
	if f.sent() != 0 {
		t.Errorf("probing paged people: %v", f.state())
	}
}

// Whatever PagerDuty answers, no one is on call by another policy, and reading
// ends.
func FuzzReadPage(f *testing.F) {
	f.Add([]byte(`{"oncalls":[{"escalation_policy":{"id":"PSECOPS"},"escalation_level":1,"user":{"id":"PADA"}}],"limit":100,"offset":0,"more":false}`), 0)
	f.Add([]byte(`{"oncalls":[],"limit":25,"offset":100,"more":true}`), 100)
	f.Add([]byte(`{"oncalls":null}`), 0)
	p := &PagerDuty{}
	f.Fuzz(func(t *testing.T, body []byte, offset int) {
		got, err := readPage(body, "PSECOPS", offset)
		if err != nil {
			return
		}
		if *got.More && (got.next() <= offset || got.next() > maxEntries) {
			t.Errorf("after %d comes %d", offset, got.next())
		}
		accounts, err := p.accounts(got.OnCalls, 1)
		if err != nil {
			return
		}
		if !slices.IsSortedFunc(accounts, func(a, b integrations.Account) int { return strings.Compare(a.User, b.User) }) {
			t.Errorf("%v is not sorted", accounts)
		}
		for i, a := range accounts {
			if a.User == "" || a.Email != "" || i > 0 && accounts[i-1].User == a.User {
				t.Errorf("%v has no account, one twice, or an address that does not count as proof", accounts)
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add("ws-042\r\n\u202esends", 10)
	f.Add("\xff\xfe", 1)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 1 + (most&0x7fffffff)%2000
		got := line(text, most)
		if utf8.RuneCountInString(got) > most || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q is not a line of %d characters", got, most)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
	})
}

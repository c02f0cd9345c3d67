package httpapi_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func cut(endpoint string) (method, path string, ok bool) { return strings.Cut(endpoint, " ") }

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func only(p ...*playbooks.Playbook) func() []*playbooks.Playbook {
	return func() []*playbooks.Playbook { return p }
}

func TestASourceIsClosedUnlessItProvesItself(t *testing.T) {
	s := newSide(t, func(o *httpapi.Options) {
		o.Sources["open"] = source(t, sender{Name: "open", Kind: "stanch"})
	})
	body := alert("a", "high_egress", host(t))
	first := s.call("POST", "/v1/alerts/siem", "", body)
	for name, a := range map[string]answer{
		"no credential":         first,
		"a wrong token":         s.call("POST", "/v1/alerts/siem", "guess", body),
		"a person's token":      s.call("POST", "/v1/alerts/siem", aliceToken, body),
		"a source without auth": s.call("POST", "/v1/alerts/open", siemToken, body),
		"an unknown source":     s.call("POST", "/v1/alerts/nobody", siemToken, body),
	} {
		a.refused(http.StatusUnauthorized, "unauthorized")
		if string(a.body) != string(first.body) {
			t.Errorf("%s is answered %s, which tells it apart", name, a.body)
		}
	}
}

func TestASignedRequestIsAnsweredAgainWithoutEffect(t *testing.T) {
	const secret = "0123456789abcdef"
	s := newSide(t, func(o *httpapi.Options) {
		o.Sources["signed"] = source(t, sender{Name: "signed", Kind: "stanch", Auth: auth.Auth{HMAC: &auth.HMAC{Secret: secret}}})
	})
	h := host(t)
	body := alert("a", "high_egress", h)
	sign := func(at time.Time) func(*http.Request) {
		return header(auth.SignatureHeader, httpx.Signature(integrations.Secret(secret), at, []byte(body)))
	}
	now := time.Now()
	var first, again api.Accepted
	s.call("POST", "/v1/alerts/signed", "", body, sign(now)).is(202, &first)
	s.until(first.Cases[0], "the host is contained", contained)
	s.call("POST", "/v1/alerts/signed", "", body, sign(now)).is(202, &again)
	if first.Cases[0].Run != again.Cases[0].Run {
		t.Errorf("the replay went to run %s, not %s", again.Cases[0].Run, first.Cases[0].Run)
	}
	if c := s.show(first.Cases[0].ID, ""); len(c.AlertKeys) != 1 || applied(h) != 1 {
		t.Errorf("the replay had an effect: %v, %d effects", c.AlertKeys, applied(h))
	}
	s.call("POST", "/v1/alerts/signed", "", body, sign(now.Add(-time.Hour))).refused(401, "unauthorized")
	s.call("POST", "/v1/alerts/signed", "", body+" ", sign(now)).refused(401, "unauthorized")
}

func TestABodyIsBounded(t *testing.T) {
	s := newSide(t)
	s.call("POST", "/v1/alerts/siem", siemToken, make([]byte, api.DefaultBody+1)).refused(413, "too_large")
	s.call("POST", "/v1/pause", aliceToken, `{"reason":"`+strings.Repeat("x", 100<<10)+`"}`).refused(413, "too_large")
}

func TestAcceptedMeansThatTheEngineHoldsIt(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("held", "ask", host(t))).Cases[0]
	history := shared.client.GetWorkflowHistory(t.Context(), protocol.CaseWorkflowID(ref.ID), ref.Run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	event, err := history.Next()
	if err != nil {
		t.Fatal(err)
	}
	input := event.GetWorkflowExecutionStartedEventAttributes().GetInput().String()
	if !strings.Contains(input, "held") {
		t.Errorf("the case's history begins without the alert: %s", input)
	}
}

func TestNothingIsAcceptedWhenTheEngineIsAway(t *testing.T) {
	away, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	o := options(t)
	o.Engine, o.Log = engine.New(away, engine.Options{}), slog.New(slog.DiscardHandler)
	handler := httpapi.New(o).Handler()
	for _, body := range []string{alert("a", "high_egress", "ws-1"), alert("a", "high_egress", "ws-1", `,"status":"resolved"`), "{"} {
		// A sender that waits half a second.
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		req := httptest.NewRequestWithContext(ctx, "POST", "/v1/alerts/siem", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+siemToken)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		cancel()
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s is answered %d %s", body, w.Code, w.Body)
		}
	}
}

func TestWhatIsWrongIsNamedKeptAndRetried(t *testing.T) {
	h := host(t)
	body := alert("late", "new_kind", h)
	// A playbook that needs facts that the alert does not have.
	named := playbook(t, "named", "new_kind", "", 1)
	picky, err := playbooks.Load("named.yaml", []byte(strings.Replace(string(named.Text()), "subject: alert.host.id", "subject: alert.process.path", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s := newSide(t, func(o *httpapi.Options) { o.Playbooks = only(picky) })
	why := s.call("POST", "/v1/alerts/siem", siemToken, body).refused(422, "rejected")
	if why.Field != "alert.process.path" || !strings.Contains(why.Error, "playbook named") || why.Rejected == "" {
		t.Fatalf("the refusal is %+v", why)
	}
	again := s.call("POST", "/v1/alerts/siem", siemToken, body).refused(422, "rejected")
	if again.Rejected != why.Rejected {
		t.Errorf("the same body is kept as %s and as %s", why.Rejected, again.Rejected)
	}
	eventually(t, "it is listed", func() bool {
		var list api.RejectedList
		s.call("GET", "/v1/rejected", aliceToken, nil).is(200, &list)
		at := slices.IndexFunc(list.Rejected, func(r protocol.RejectedAlert) bool { return r.ID == why.Rejected })
		return at >= 0 && list.Rejected[at].Field == why.Field && list.Rejected[at].Body == nil
	})
	var record protocol.RejectedAlert
	s.call("GET", "/v1/rejected/"+why.Rejected, aliceToken, nil).is(200, &record)
	if string(record.Body) != body || record.Source != "siem" {
		t.Errorf("kept is %+v", record)
	}
	retry := "/v1/rejected/" + why.Rejected + "/retry"
	s.call("POST", retry, aliceToken, nil).refused(422, "rejected")
	gone := newSide(t, func(o *httpapi.Options) { o.Sources = nil })
	gone.call("POST", retry, aliceToken, nil).refused(409, "invalid")

	mended := newSide(t, func(o *httpapi.Options) { o.Playbooks = only(named) })
	var got api.Accepted
	mended.call("POST", retry, aliceToken, nil).is(202, &got)
	if got.Cases[0].ID != "named/"+h {
		t.Errorf("the retry went to %+v", got.Cases)
	}
	c := mended.over(got.Cases[0])
	if len(c.AlertKeys) != 1 || c.AlertKeys[0] != "siem/late" {
		t.Errorf("the case has %v", c.AlertKeys)
	}
	eventually(t, "it is no longer listed", func() bool {
		var list api.RejectedList
		s.call("GET", "/v1/rejected", aliceToken, nil).is(200, &list)
		return !slices.ContainsFunc(list.Rejected, func(r protocol.RejectedAlert) bool { return r.ID == why.Rejected })
	})
	mended.call("POST", retry, aliceToken, nil).refused(409, "not_pending")
}

func TestABodyThatCannotBeReadIsKeptWhole(t *testing.T) {
	s := newSide(t)
	h := host(t)
	for _, body := range []string{`not json`, alert("a", "high_egress", h) + alert("b", "high_egress", h), `{"alerts":[` + alert("a", "high_egress", h), "\xff{"} {
		why := s.call("POST", "/v1/alerts/siem", siemToken, body).refused(422, "rejected")
		var record protocol.RejectedAlert
		s.call("GET", "/v1/rejected/"+why.Rejected, aliceToken, nil).is(200, &record)
		if why.Field != "" || string(record.Body) != body || record.Size != 0 {
			t.Errorf("%s: refused with %+v, kept as %s", body, why, record.Body)
		}
	}
	s.call("GET", "/v1/cases/contain/"+h, aliceToken, nil).refused(404, "not_found")
}

// One alert that is invalid or too large does not affect the others.
func TestEachAlertOfARequestStandsAlone(t *testing.T) {
	s := newSide(t, func(o *httpapi.Options) {
		large := o.Sources["siem"]
		large.MaxBody = api.MaxBody
		o.Sources["siem"] = large
	})
	h := host(t)
	long := `{"id":"long","host":{"id":"x"},"rule":"` + strings.Repeat("x", 3<<19) + `"}`
	bodies := []string{
		alert("a", "note", h), `{"id":"b","host":{"id":"x"},"hots":7}`, alert("c", "note", h), long, `7`, alert("d", "note", h, `,"status":"sample"`),
		`{"id":"nobody","category":"note"}`,
	}
	var got api.Accepted
	s.call("POST", "/v1/alerts/siem", siemToken, several(bodies...)).is(202, &got)
	if len(got.Cases) != 1 || got.Cases[0].Alerts+len(got.Recorded) != 3 {
		t.Fatalf("accepted as %+v", got)
	}
	if c := s.over(got.Cases[0]); !slices.Equal(c.AlertKeys[:2], []string{"siem/a", "siem/c"}) {
		t.Errorf("the case has %v", c.AlertKeys)
	}
	want := []api.RejectedRef{
		{Index: 1, Alert: "b", Path: "alerts[1].hots"}, {Index: 3, Alert: "long", Path: "alerts[3]"}, {Index: 4, Path: "alerts[4]"}, {Index: 6, Alert: "nobody", Path: "alerts[6].host"},
	}
	if len(got.Rejected) != len(want) {
		t.Fatalf("rejected are %+v", got.Rejected)
	}
	for i, ref := range got.Rejected {
		var record protocol.RejectedAlert
		s.call("GET", "/v1/rejected/"+ref.ID, aliceToken, nil).is(200, &record)
		body := bodies[ref.Index]
		if !strings.HasPrefix(body, string(record.Body)) || record.Size == 0 && string(record.Body) != body || record.Problem != ref.Problem || record.Field != ref.Path {
			t.Errorf("alert %d is kept as %s of %d bytes, for %q", ref.Index, record.Field, len(record.Body), record.Problem)
		}
		if cut := ref.Alert == "long"; cut != (record.Size == len(body)) || cut != strings.Contains(ref.Problem, "bytes are kept") {
			t.Errorf("alert %d: %d of %d bytes are kept, for %q", ref.Index, len(record.Body), record.Size, ref.Problem)
		}
		if ref.Problem == "" {
			t.Errorf("alert %d is rejected without a reason", ref.Index)
		}
		if ref.ID = ""; ref.Index != want[i].Index || ref.Alert != want[i].Alert || ref.Path != want[i].Path {
			t.Errorf("rejected %+v, want %+v", ref, want[i])
		}
	}
	s.call("POST", "/v1/rejected/"+got.Rejected[1].ID+"/retry", aliceToken, nil).refused(409, "cut")
	s.call("POST", "/v1/rejected/"+got.Rejected[0].ID+"/retry", aliceToken, nil).refused(422, "rejected")
}

func TestOnlyARequestOfWhichNothingIsTakenIsRefused(t *testing.T) {
	s := newSide(t)
	h := host(t)
	var why struct {
		Field, Rejected string
		Alerts          []api.RejectedRef
	}
	s.call("POST", "/v1/alerts/siem", siemToken, several(`{"id":"a","host":{"id":"x"},"hots":7}`, `{"host":{}}`)).is(422, &why)
	if len(why.Alerts) != 2 || why.Rejected == "" || why.Rejected != why.Alerts[0].ID || why.Field != "alerts[0].hots" || why.Alerts[1].Index != 1 {
		t.Errorf("refused with %+v", why)
	}
	// Recorded is taken.
	got := s.send(several(`{"host":{}}`, alert("r", "note", h, `,"status":"resolved"`)))
	if len(got.Recorded) != 1 || len(got.Rejected) != 1 {
		t.Errorf("accepted as %+v", got)
	}
	// More alerts than one request may have lose none.
	var bodies []string
	for i := range alerts.MaxAlerts + 2 {
		bodies = append(bodies, alert(fmt.Sprint(i), "note", h))
	}
	got = s.send(several(bodies...))
	if len(got.Cases) != 1 || got.Cases[0].Alerts != alerts.MaxAlerts || len(got.Rejected) != 1 || got.Rejected[0].Index != alerts.MaxAlerts {
		t.Fatalf("%d alerts were accepted as %+v", len(bodies), got)
	}
	var rest api.Accepted
	s.call("POST", "/v1/rejected/"+got.Rejected[0].ID+"/retry", aliceToken, nil).is(202, &rest)
	if len(rest.Cases) != 1 || rest.Cases[0].Alerts != 2 {
		t.Errorf("the rest was accepted as %+v", rest)
	}
}

// An alert that is larger encoded than the engine takes is taken without its
// original document.
func TestALargeAlertIsTakenWithoutItsDocument(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "note", host(t), `,"rule":"`+strings.Repeat("<", 60<<10)+`"`)).Cases[0]
	if c := s.over(ref); len(c.AlertKeys) != 1 || len(c.Facts.Alert.Rule.String()) != 60<<10 {
		t.Errorf("the case has %v, of rule %.20s", c.AlertKeys, c.Facts.Alert.Rule)
	}
}

// Bytes that are not text are nowhere in an answer, and identify no object.
func TestBytesThatAreNoText(t *testing.T) {
	s := newSide(t)
	ref := s.send("{\"id\":\"a\xff\",\"category\":\"note\",\"rule\":\"r\xff\xfe\",\"host\":{\"id\":\"" + host(t) + "\"}}").Cases[0]
	if a := s.call("GET", "/v1/cases/"+ref.ID, aliceToken, nil).is(200, nil); !utf8.Valid(a.body) {
		t.Error("the case is shown with a byte that is no text")
	}
	if a := s.call("POST", "/v1/alerts/siem", siemToken, "{\"\xff\":1,\"host\":{\"id\":\"x\"}}"); !utf8.Valid(a.body) {
		t.Errorf("the refusal %q holds a byte that is no text", a.body)
	}
	paths := []string{
		"GET /v1/cases/%s/a", "GET /v1/cases/note/a%s", "POST /v1/cases/note/a%s/decide", "POST /v1/cases/note/%s/close", "GET /v1/rejected/siem/%s",
		"POST /v1/rejected/%s/0/retry", "POST /v1/alerts/%s", "POST /v1/alerts/siem%s", "GET /%s", "GET /v1/cases/note/a?run=%s", "GET /v1/cases?subject=%s",
		"POST /v1/leases/%s", "GET /healthz%s", "POST /v1/interactions/%s",
	}
	for _, path := range paths {
		method, path, _ := cut(path)
		for _, bytes := range []string{"%ff", "%00", "%c3%28", "%C0%AF", "%ed%a0%80", "x%0a", "%7f", "%c2%85"} {
			for _, token := range []string{aliceToken, siemToken, ""} {
				a := s.call(method, strings.Replace(path, "%s", bytes, 1), token, nil)
				a.refused(400, "invalid")
				if !utf8.Valid(a.body) {
					t.Errorf("%s with %s: the answer holds a byte that is no text", path, bytes)
				}
			}
		}
	}
}

func TestRepeatsHaveNoSecondEffect(t *testing.T) {
	s := newSide(t)
	h := host(t)
	body := alert("same", "high_egress", h)
	first := s.send(body).Cases[0]
	s.until(first, "the host is contained", contained)
	for range 3 {
		if again := s.send(body).Cases[0]; again.ID != first.ID || again.Run != first.Run {
			t.Fatalf("the repeat went to %+v, not %+v", again, first)
		}
	}
	// A receiver that has never heard of the subject finds the same case.
	if other := newSide(t).send(body).Cases[0]; other.Run != first.Run || other.Repeat {
		t.Errorf("another receiver sent it to %+v", other)
	}
	c := s.show(first.ID, first.Run)
	if len(c.AlertKeys) != 1 || applied(h) != 1 {
		t.Errorf("the case has alerts %v and %d effects", c.AlertKeys, applied(h))
	}
}

func TestALateRepeatStartsNothing(t *testing.T) {
	s := newSide(t)
	h := host(t)
	first := s.send(several(alert("one", "note", h), alert("two", "note", h))).Cases[0]
	s.over(first)
	for _, from := range []*side{s, newSide(t)} {
		if again := from.send(alert("two", "note", h)).Cases[0]; again.Run != first.Run || !again.Repeat {
			t.Fatalf("the late repeat went to %+v, the case was %+v", again, first)
		}
	}
	next := s.send(several(alert("two", "note", h), alert("three", "note", h))).Cases[0]
	if next.ID != first.ID || next.Run == first.Run || next.Repeat {
		t.Fatalf("a new alert went to %+v", next)
	}
	c := s.over(next)
	if !slices.Equal(c.AlertKeys, []string{"siem/three"}) {
		t.Errorf("the next case has %v", c.AlertKeys)
	}
	if again := s.send(alert("one", "note", h)).Cases[0]; again.Run != next.Run || !again.Repeat {
		t.Errorf("a repeat from two cases ago went to %+v", again)
	}
	if old := s.show(first.ID, first.Run); len(old.AlertKeys) != 2 {
		t.Errorf("the first case is shown with %v", old.AlertKeys)
	}
}

func TestOneRequestMayGoToSeveralCases(t *testing.T) {
	s := newSide(t)
	a, b := host(t), host(t)
	got := s.send(several(alert("1", "note", a), alert("2", "note", b), alert("3", "note", a)))
	if len(got.Cases) != 2 || got.Cases[0].ID != "note/"+a || got.Cases[0].Alerts != 2 || got.Cases[1].ID != "note/"+b || got.Cases[1].Alerts != 1 {
		t.Fatalf("accepted as %+v", got)
	}
	if c := s.over(got.Cases[0]); !slices.Equal(c.AlertKeys, []string{"siem/1", "siem/3"}) {
		t.Errorf("the first case has %v", c.AlertKeys)
	}
}

func TestWhatDoesNotFireStartsNothing(t *testing.T) {
	s := newSide(t)
	h := host(t)
	resolved := alert("r", "ask", h, `,"status":"resolved"`)
	got := s.send(resolved)
	if len(got.Cases) != 0 || len(got.Recorded) != 1 {
		t.Fatalf("accepted as %+v", got)
	}
	s.call("GET", "/v1/cases/ask/"+h, aliceToken, nil).refused(404, "not_found")
	s.call("POST", "/v1/rejected/"+got.Recorded[0]+"/retry", aliceToken, nil).refused(409, "recorded")

	ref := s.send(alert("f", "ask", h)).Cases[0]
	s.until(ref, "the case asks", awaiting)
	joined := s.send(alert("f2", "ask", h, `,"status":"resolved"`))
	if len(joined.Cases) != 1 || joined.Cases[0].ID != ref.ID || len(joined.Recorded) != 0 {
		t.Fatalf("while the case is open it is accepted as %+v", joined)
	}
	c := s.until(ref, "it joined", func(c incident.Case) bool { return len(c.AlertKeys) == 2 })
	if !awaiting(c) {
		t.Errorf("a resolved alert made the case %s", c.Status)
	}
}

func TestAnAlertThatNoPlaybookTakesIsSeen(t *testing.T) {
	s := newSide(t)
	h := host(t)
	got := s.send(alert("a", "weather", h))
	if got.Cases[0].ID != playbooks.Unmatched+"/"+h {
		t.Fatalf("accepted as %+v", got)
	}
	c := s.over(got.Cases[0])
	if c.Outcome != incident.OutcomeNoPlaybook || len(c.AlertKeys) != 1 {
		t.Errorf("the case ended %s with %v", c.Outcome, c.AlertKeys)
	}
}

func TestAStormIsOneCase(t *testing.T) {
	const storm = 500
	s := newSide(t)
	h := host(t)
	runs, errs := make([]string, storm), make([]error, storm)
	var sending sync.WaitGroup
	for i := range storm {
		sending.Go(func() { runs[i], errs[i] = s.insist(alert(fmt.Sprint(i), "high_egress", h)) })
	}
	sending.Wait()
	for i := range storm {
		if errs[i] != nil || runs[i] != runs[0] {
			t.Fatalf("alert %d went to run %q, the first to %q: %v", i, runs[i], runs[0], errs[i])
		}
	}
	ref := api.CaseRef{ID: "contain/" + h, Run: runs[0]}
	c := s.until(ref, "all alerts are in the case", func(c incident.Case) bool { return len(c.AlertKeys) == storm && contained(c) })
	slices.Sort(c.AlertKeys)
	if len(slices.Compact(c.AlertKeys)) != storm || applied(h) != 1 {
		t.Errorf("the case has %d distinct alerts and %d effects", len(slices.Compact(c.AlertKeys)), applied(h))
	}
	described, err := shared.client.DescribeWorkflowExecution(t.Context(), "case/"+ref.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := described.GetWorkflowExecutionInfo().GetHistoryLength(); n > 400 {
		t.Errorf("%d alerts made a history of %d events: they did not travel together", storm, n)
	}
}

func TestALargeRequestIsDivided(t *testing.T) {
	s := newSide(t)
	h := host(t)
	// Escaped, the angle brackets take six times their room.
	command := `,"process":{"command_line":"` + strings.Repeat("<", 20<<10) + `"}`
	var bodies []string
	for i := range 20 {
		bodies = append(bodies, alert(fmt.Sprint(i), "note", h, command))
	}
	ref := s.send(several(bodies...)).Cases[0]
	s.until(ref, "all are in the case", func(c incident.Case) bool { return len(c.AlertKeys) == len(bodies) })
}

func TestAFloodIsThrottled(t *testing.T) {
	s := newSide(t, func(o *httpapi.Options) {
		o.Sources["siem"] = source(t, sender{Name: "siem", Kind: "stanch", Rate: 0.2, Auth: auth.Auth{Bearer: siemToken}})
	})
	body := alert("a", "note", host(t))
	s.call("POST", "/v1/alerts/siem", "guess", body).refused(401, "unauthorized") // does not count towards the rate
	s.call("POST", "/v1/alerts/siem", siemToken, body).is(202, nil)
	a := s.call("POST", "/v1/alerts/siem", siemToken, body)
	a.refused(429, "throttled")
	if got := a.header.Get("Retry-After"); got != "5" {
		t.Errorf("Retry-After is %q, want 5", got)
	}
}

func TestHostileNamesStayData(t *testing.T) {
	needsEngine(t)
	s := newSide(t)
	name := "ws/../42' OR '1'='1"
	ref := s.send(fmt.Sprintf(`{"id":"a","category":"note","host":{"id":%q}}`, name)).Cases[0]
	if want := "note/ws%2f..%2f42%27%20or%20%271%27%3d%271"; ref.ID != want {
		t.Fatalf("the case is %q, want %q", ref.ID, want)
	}
	var c incident.Case
	path := strings.TrimPrefix(ref.URL, s.url)
	s.call("GET", path, aliceToken, nil).is(200, &c)
	if c.ID != ref.ID {
		t.Errorf("the link %s shows case %q", ref.URL, c.ID)
	}
	var list api.CaseList
	eventually(t, "it is found by its name", func() bool {
		s.call("GET", "/v1/cases?subject="+hexQuery(name), aliceToken, nil).is(200, &list)
		return len(list.Cases) == 1 && list.Cases[0].ID == ref.ID
	})
}

// hexQuery writes every byte as %xx.
func hexQuery(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString("%" + hex.EncodeToString([]byte{c}))
	}
	return b.String()
}

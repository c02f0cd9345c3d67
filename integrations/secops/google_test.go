package secops

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/secops/secopsfake"
)

// Whatever an answer is like, nothing is lost and nothing comes twice.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	none := secopsfake.Fault{None: true}
	inside := `{"error":{"code":500,"message":"internal","status":"INTERNAL"}}`
	stream := `[{"error":{"code":500,"message":"internal","status":"INTERNAL"}}]`
	for name, c := range map[string]struct {
		faults []secopsfake.Fault
		// told is in the error of the first Pull; empty where there is none.
		told string
	}{
		"a page that is cut":       {[]secopsfake.Fault{none, {Cut: true}}, "list detections"},
		"the first page is cut":    {[]secopsfake.Fault{{Cut: true}}, "list detections"},
		"a server that fails":      {[]secopsfake.Fault{none, none, {Status: 503}}, "HTTP status 503"},
		"a server that is late":    {[]secopsfake.Fault{none, {Status: 504}}, "HTTP status 504"},
		"a connection that ends":   {[]secopsfake.Fault{none, {}}, ""},
		"an error inside":          {[]secopsfake.Fault{none, {Status: 200, Body: inside}}, "the answer is an error"},
		"an error inside a list":   {[]secopsfake.Fault{none, {Status: 200, Body: stream}}, "list detections"},
		"half a document":          {[]secopsfake.Fault{none, {Status: 200, Body: `{"detections":[{"id":`}}, "not the JSON that was expected"},
		"a list that is null":      {[]secopsfake.Fault{{Status: 200, Body: `{"detections":null,"nextPageToken":""}`}, none}, ""},
		"detections that are null": {[]secopsfake.Fault{none, {Status: 200, Body: `{"detections":[null]}`}}, ""},
		"too often": {[]secopsfake.Fault{
			{Status: 429}, none, {Status: 429, After: time.Millisecond, How: secopsfake.InHeader}, {Status: 429, After: time.Millisecond, How: secopsfake.InDetails},
		}, ""},
		"a token that was revoked": {[]secopsfake.Fault{none, {Revoke: true}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add(w.now().Add(-time.Second), ids(0, 10)...)
			p := w.open()
			p.config.Lookback = time.Hour
			w.double.Fail(c.faults...)
			var b basket
			err := p.pass(t.Context(), alerts.Each(b.take))
			if (err == nil) != (c.told == "") || err != nil && !strings.Contains(err.Error(), c.told) {
				t.Errorf("it is told as %v, want %q", err, c.told)
			}
			if err != nil {
				if _, lagErr := p.Lag(t.Context()); !errors.Is(lagErr, err) {
					t.Errorf("meanwhile the lag is told as %v", lagErr)
				}
			}
			if err := p.pass(t.Context(), alerts.Each(b.take)); err != nil {
				t.Fatalf("fetch again: %v", err)
			}
			slices.Sort(b)
			if want := ids(0, 10); !slices.Equal(b, want) {
				t.Errorf("%q were taken, want %q", b, want)
			}
		})
	}
}

// A page that goes on with itself ends the pass, and is told.
func TestAPageThatGoesOnForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.now().Add(-time.Second), ids(0, 10)...)
	p := w.open()
	p.config.Lookback = time.Hour
	var b basket
	w.double.Loop(true)
	if err := p.pass(t.Context(), alerts.Each(b.take)); err == nil || !strings.Contains(err.Error(), "a page that was listed before") {
		t.Errorf("it is told as %v", err)
	}
	w.double.Loop(false)
	if err := p.pass(t.Context(), alerts.Each(b.take)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(b)
	if want := ids(0, 10); !slices.Equal(b, want) {
		t.Errorf("%q were taken, want %q", b, want)
	}
}

// In whatever order detections are listed, however page tokens count and whatever blanks an
// answer has, each comes once; also those that were created, or shown, meanwhile.
func TestListsOfAnyForm(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*secopsfake.Options){
		"in an order of its own":      func(o *secopsfake.Options) { o.Unordered = true },
		"tokens that count":           func(o *secopsfake.Options) { o.Positions = true },
		"both":                        func(o *secopsfake.Options) { o.Unordered, o.Positions = true, true },
		"other blanks in each answer": func(o *secopsfake.Options) { o.Pretty = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, change)
			for i, id := range ids(0, 20) {
				w.add(w.now().Add(time.Duration(i-21)*time.Minute), id)
			}
			p := w.open()
			p.config.Lookback = time.Hour
			w.takes(p, ids(0, 20)...)
			late := aDetection("de_020", first, w.now().Add(-4*time.Minute))
			w.double.Put(late, time.Time{}, w.now().Add(3*time.Minute))
			w.pass(time.Minute)
			w.takes(p)
			w.pass(3 * time.Minute)
			w.add(w.now().Add(-30*time.Second), "de_021")
			w.takes(p, "de_020", "de_021")
			w.takes(p)
		})
	}
}

// A rule that people edit has another revision: what the one before has found is fetched all
// the same.
func TestARuleThatIsEdited(t *testing.T) {
	t.Parallel()
	for _, named := range []string{aRule, aRule + "@-", "-"} {
		w := newWorld(t)
		p := w.open()
		p.config.Rule = named
		w.add(w.now().Add(-time.Minute), "de_000")
		w.double.Revise(aRule, aRule+"@"+second)
		w.double.Add(aDetection("de_001", second, w.now().Add(-time.Second)))
		w.takes(p, "de_000", "de_001")
	}
	w := newWorld(t)
	p := w.open()
	p.config.Rule = aRule + "@" + first
	w.add(w.now().Add(-time.Minute), "de_000")
	w.double.Add(aDetection("de_001", second, w.now().Add(-time.Second)))
	w.takes(p, "de_000")
}

// The API may cut a page by its size, and what it cuts off has no page of its own: it is asked
// for in smaller pages. Where one detection alone is too large, the others are taken, and it
// is told.
func TestPagesThatAreTruncated(t *testing.T) {
	t.Parallel()
	small := len(aDetection("de_000", first, time.Now()))
	w := newWorld(t, func(o *secopsfake.Options) { o.MaxPage, o.MaxBytes = 1000, 3*small })
	for i, id := range ids(0, 40) {
		w.add(w.now().Add(time.Duration(i-41)*time.Second), id)
	}
	p := w.open()
	p.config.Lookback = time.Hour
	w.takes(p, ids(0, 40)...)

	w.pass(time.Minute)
	large := strings.TrimSuffix(aDetection("de_large", first, w.now().Add(-30*time.Second)), "}") + `,"description":"` + strings.Repeat("x", 4*small) + `"}`
	w.double.Add(large)
	w.add(w.now().Add(-40*time.Second), "de_040")
	w.add(w.now().Add(-20*time.Second), "de_041")
	var b basket
	err := p.pass(t.Context(), alerts.Each(b.take))
	if integrations.KindOf(err) != integrations.Unavailable || err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a detection that is too large is told as %v", err)
	}
	if _, lagErr := p.Lag(t.Context()); !errors.Is(lagErr, err) {
		t.Errorf("meanwhile the lag is told as %v", lagErr)
	}
	if slices.Sort(b); !slices.Equal(b, []string{"de_040", "de_041"}) {
		t.Errorf("beside it %q were taken", b)
	}
	// It blocks nothing, and is told as long as it is listed.
	w.pass(time.Minute)
	w.add(w.now().Add(-time.Second), "de_042")
	b = nil
	if err := p.pass(t.Context(), alerts.Each(b.take)); err == nil {
		t.Error("it is not told any more")
	}
	if !slices.Equal(b, []string{"de_042"}) {
		t.Errorf("then %q were taken", b)
	}
	w.pass(time.Hour)
	if err := p.pass(t.Context(), alerts.Each(b.take)); err == nil {
		t.Error("it is not told while it is listed")
	}
	w.pass(time.Hour)
	w.takes(p)
}

// Where the API says how long to wait, in a header or in the details of its error, it is
// waited for just that long.
func TestTheWaitIsTheAPIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.open()
	p.impatient = time.Hour
	w.double.Fail(secopsfake.Fault{Status: 429, After: time.Millisecond, How: secopsfake.InDetails})
	w.add(w.now().Add(-time.Second), "de_000")
	w.takes(p, "de_000")
}

// An account without its permission, or an instance that is another's, is told with what to
// check.
func TestDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *secopsfake.Options) { o.Denied = true })
	var b basket
	err := w.open().pass(t.Context(), alerts.Each(b.take))
	if integrations.KindOf(err) != integrations.Denied || !strings.Contains(err.Error(), "chronicle.legacies.legacySearchDetections") {
		t.Errorf("it is told as %v", err)
	}
}

// Every token that ends in the middle is replaced.
func TestTokensThatEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *secopsfake.Options) { o.TokenLifetime = 10 * time.Minute })
	p := w.open()
	w.add(w.now().Add(-time.Second), ids(0, 4)...)
	w.takes(p, ids(0, 4)...)
	w.pass(20 * time.Minute)
	w.add(w.now().Add(-time.Second), ids(4, 4)...)
	w.takes(p, ids(4, 4)...)
	if got := w.double.Tokens(); got != 2 {
		t.Errorf("%d tokens were fetched, want two", got)
	}
}

// Every question names both ends of its time, and its pages differ from it in nothing else.
func TestQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(w.now().Add(-time.Second), ids(0, 10)...)
	p := w.open()
	p.config.Lookback = time.Hour
	w.takes(p, ids(0, 10)...)
	asked := map[string]int{}
	for _, text := range w.double.Queries() {
		q, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		q.Del("pageToken")
		asked[q.Encode()]++
	}
	if len(asked) != 1 || len(w.double.Queries()) != 4 {
		t.Errorf("10 detections in pages of 3 are asked for by %v", asked)
	}
}

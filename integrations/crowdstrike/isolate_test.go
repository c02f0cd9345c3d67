package crowdstrike

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// record is a device as Falcon returns it.
func record(status string, tags ...string) string {
	quoted := make([]string, 0, len(tags))
	for _, tag := range tags {
		quoted = append(quoted, fmt.Sprintf("%q", tag))
	}
	return fmt.Sprintf(`[{"device_id":%q,"hostname":"WS-042","status":%q,"tags":[%s],"last_seen":"2026-11-30T06:00:00Z"}]`, aid, status, strings.Join(quoted, ","))
}

func TestReadings(t *testing.T) {
	const key = "lease/1"
	own, ended, other := mark(key), lifted(key), mark("lease/2")
	for _, test := range []struct {
		name, status    string
		tags            []string
		stands, pending bool
		key             string
	}{
		{"nothing", "normal", nil, false, false, ""},
		{"a leftover", "normal", []string{own, ended, other}, false, false, ""},
		{"ordered by us", "containment_pending", []string{own}, false, true, key},
		{"ordered by somebody", "containment_pending", []string{"FalconGroupingTags/servers"}, false, true, ""},
		{"contained by us", "contained", []string{"SensorGroupingTags/a", own}, true, false, key},
		{"contained by another lease", "contained", []string{other}, true, false, other},
		{"contained by hand", "contained", nil, true, false, ""},
		{"contained by hand after our lift", "contained", []string{ended}, true, false, ""},
		{"contained by hand after our lift, with both marks", "contained", []string{own, ended}, true, false, ""},
		{"lifted by us", "lift_containment_pending", []string{own}, false, true, key},
		{"lifted by us, and marked so", "lift_containment_pending", []string{ended}, false, true, key},
		{"lifted by another", "lift_containment_pending", []string{other}, false, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, _ := falcon(t, map[string][]reply{
				"GET " + devicePath: {ok(record(test.status, test.tags...))},
				"GET " + onlinePath: {ok(`[{"id":"` + aid + `","state":"online"}]`)},
			})
			r, err := f.Read(t.Context(), isolation(t, aid))
			if err != nil {
				t.Fatal(err)
			}
			if r.Stands != test.stands || r.Pending != test.pending || r.Key != test.key {
				t.Errorf("it reads %+v", r)
			}
		})
	}
}

// When the sensor was heard is told where that proves something: an old time may only
// have been noted late, unless the sensor is offline.
func TestReadTellsWhenTheSensorWasHeard(t *testing.T) {
	now := time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC)
	last := func(ago time.Duration) string { return now.Add(-ago).Format(time.RFC3339) }
	for name, test := range map[string]struct {
		presence string
		want     time.Duration // ago; negative: it is not told
	}{
		"online, just now":          {`{"id":"` + aid + `","state":"online","last_seen":"` + last(time.Minute) + `"}`, time.Minute},
		"online, noted late":        {`{"id":"` + aid + `","state":"online","last_seen":"` + last(30*time.Minute) + `"}`, -1},
		"online, without a time":    {`{"id":"` + aid + `","state":"online"}`, -1},
		"offline":                   {`{"id":"` + aid + `","state":"offline","last_seen":"` + last(30*time.Minute) + `"}`, 30 * time.Minute},
		"offline, by its record":    {`{"id":"` + aid + `","state":"offline"}`, time.Hour},
		"unknown":                   {`{"id":"` + aid + `","state":"unknown","last_seen":"` + last(30*time.Minute) + `"}`, -1},
		"nothing is said of it":     {``, -1},
		"unknown, but it was heard": {`{"id":"` + aid + `","state":"unknown","last_seen":"` + last(time.Minute) + `"}`, time.Minute},
	} {
		f, _ := falcon(t, map[string][]reply{"GET " + devicePath: {ok(record("contained", mark("lease/1")))}, "GET " + onlinePath: {ok("[" + test.presence + "]")}})
		f.now = func() time.Time { return now }
		r, err := f.Read(t.Context(), isolation(t, aid))
		want := now.Add(-test.want)
		if test.want < 0 {
			want = time.Time{}
		}
		if err != nil || !r.Heard.Equal(want) {
			t.Errorf("%s: it was heard at %s, %v; want %s", name, r.Heard, err, want)
		}
	}
}

func TestReadTellsThatTheDeviceIsOffline(t *testing.T) {
	f, _ := falcon(t, map[string][]reply{
		"GET " + devicePath: {ok(record("containment_pending", mark("lease/1")))},
		"GET " + onlinePath: {ok(`[{"id":"` + aid + `","state":"offline"}]`)},
	})
	r, err := f.Read(t.Context(), isolation(t, aid))
	if err != nil || !r.Pending || !strings.Contains(r.Detail, "offline; queued at Falcon") {
		t.Errorf("it reads %+v, %v", r, err)
	}
}

// A status that is not known is not taken for a device without containment.
func TestUnknownStatusStopsEverything(t *testing.T) {
	for _, status := range []string{"", "containment_failed"} {
		f, r := falcon(t, map[string][]reply{"GET " + devicePath: {ok(record(status, mark("lease/1")))}})
		o := isolation(t, aid)
		if got, err := f.Read(t.Context(), o); integrations.KindOf(err) != integrations.Unavailable || err == nil {
			t.Errorf("read with status %q: %+v, %v", status, got, err)
		}
		if _, err := f.Apply(t.Context(), o); err == nil {
			t.Errorf("apply with status %q is accepted", status)
		}
		if _, err := f.Undo(t.Context(), o); err == nil {
			t.Errorf("undo with status %q is accepted", status)
		}
		if writes := r.writes(); len(writes) > 0 {
			t.Errorf("with status %q was written: %+v", status, writes)
		}
	}
}

// The bytes of a containment: the mark first, then exactly one device.
func TestApplyMarksAndThenContains(t *testing.T) {
	own := mark("lease/1")
	f, r := falcon(t, map[string][]reply{
		"GET " + devicePath:   {ok(record("normal", mark("lease/0"))), ok(record("normal", own))},
		"PATCH " + tagsPath:   {ok(`[{"device_id":"` + aid + `","updated":true}]`)},
		"POST " + actionsPath: {{202, `{"meta":{},"resources":[{"id":"` + aid + `","path":"/devices/entities/devices/v1"}],"errors":null}`}},
	})
	if _, err := f.Apply(t.Context(), isolation(t, aid)); err != nil {
		t.Fatal(err)
	}
	writes := r.writes()
	want := []string{
		`{"action":"remove","device_ids":["` + aid + `"],"tags":["` + mark("lease/0") + `"]}`,
		`{"action":"add","device_ids":["` + aid + `"],"tags":["` + own + `"]}`,
		`{"ids":["` + aid + `"]}`,
	}
	if len(writes) != 3 || writes[0].body != want[0] || writes[1].body != want[1] || writes[2].body != want[2] || writes[2].query != "action_name=contain" {
		t.Errorf("the writes are %+v", writes)
	}
	if !strings.HasPrefix(own, "FalconGroupingTags/stanch_") || len(own) > len(grouping)+237 {
		t.Errorf("the mark is %q", own)
	}
}

// Until Falcon shows the mark nothing is contained: a containment without it would be
// nobody's.
func TestNothingIsContainedBeforeTheMarkShows(t *testing.T) {
	f, r := falcon(t, map[string][]reply{
		"GET " + devicePath: {ok(record("normal"))},
		"PATCH " + tagsPath: {ok(`[{"device_id":"` + aid + `","updated":true}]`)},
	})
	_, err := f.Apply(t.Context(), isolation(t, aid))
	if integrations.KindOf(err) != integrations.Conflict || err == nil {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if writes := r.writes(); len(writes) != 1 || writes[0].path != tagsPath {
		t.Errorf("the writes are %+v", writes)
	}
}

// Somebody who is quicker between the mark and the order is not overruled.
func TestApplyLooksRightBefore(t *testing.T) {
	f, r := falcon(t, map[string][]reply{
		"GET " + devicePath: {ok(record("normal")), ok(record("lift_containment_pending", mark("lease/1")))},
		"PATCH " + tagsPath: {ok(`[{"device_id":"` + aid + `","updated":true}]`)},
	})
	if _, err := f.Apply(t.Context(), isolation(t, aid)); integrations.KindOf(err) != integrations.Conflict || err == nil {
		t.Errorf("the error is %v, want a conflict", err)
	}
	if writes := r.writes(); len(writes) != 1 {
		t.Errorf("the writes are %+v", writes)
	}
}

// Whatever became of a write that was not about the one device is an alarm.
func TestWritesAffectOneDevice(t *testing.T) {
	for name, test := range map[string]struct{ resources, want string }{
		"none":    {`[]`, "0 devices were affected, 1 was meant"},
		"null":    {`null`, "0 devices were affected, 1 was meant"},
		"three":   {`[{"id":"` + aid + `"},{"id":"b"},{"id":"c"}]`, "3 devices were affected, 1 was meant"},
		"another": {`[{"id":"` + strings.Repeat("0", 32) + `"}]`, "was affected, " + aid + " was meant"},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := falcon(t, map[string][]reply{
				"GET " + devicePath:   {ok(record("contained", mark("lease/1")))},
				"POST " + actionsPath: {{202, `{"resources":` + test.resources + `}`}},
			})
			_, err := f.Undo(t.Context(), isolation(t, aid))
			if integrations.KindOf(err) != integrations.Ambiguous || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want an ambiguous one with %q", err, test.want)
			}
		})
	}
}

// The mark goes when the lift is accepted, and the one of the end with what it was for.
func TestUndoTidiesTheMarks(t *testing.T) {
	own, ended := mark("lease/1"), lifted("lease/1")
	tagsOf := func(asked []asked) (bodies []string) {
		for _, a := range asked {
			if a.path == tagsPath {
				bodies = append(bodies, a.body)
			}
		}
		return bodies
	}
	change := func(action, tag string) string {
		return `{"action":"` + action + `","device_ids":["` + aid + `"],"tags":["` + tag + `"]}`
	}
	for name, test := range map[string]struct {
		devices []reply
		kind    integrations.Kind
		want    []string
	}{
		"a lift that is under way":      {[]reply{ok(record("contained", own)), ok(record("lift_containment_pending", own))}, "", []string{change("add", ended), change("remove", own)}},
		"a lift that was done at once":  {[]reply{ok(record("contained", own)), ok(record("normal", own))}, "", []string{change("remove", own)}},
		"a status that lags":            {[]reply{ok(record("contained", own))}, "", nil},
		"a lift of before, not marked":  {[]reply{ok(record("lift_containment_pending", own))}, integrations.Conflict, []string{change("add", ended), change("remove", own)}},
		"nothing, with what was left":   {[]reply{ok(record("normal", own))}, "", []string{change("remove", own)}},
		"nothing, with the end's mark":  {[]reply{ok(record("normal", ended))}, "", []string{change("remove", ended)}},
		"nothing, with another's mark":  {[]reply{ok(record("normal", mark("lease/2")))}, "", nil},
		"somebody's, with another mark": {[]reply{ok(record("contained", mark("lease/2")))}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := falcon(t, map[string][]reply{
				"GET " + devicePath:   test.devices,
				"PATCH " + tagsPath:   {ok(`[{"device_id":"` + aid + `","updated":true}]`)},
				"POST " + actionsPath: {{202, `{"resources":[{"id":"` + aid + `"}]}`}},
			})
			_, err := f.Undo(t.Context(), isolation(t, aid))
			if err == nil && test.kind != "" || err != nil && integrations.KindOf(err) != test.kind {
				t.Fatalf("the error is %v, want kind %q", err, test.kind)
			}
			if got := tagsOf(r.writes()); strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("the changes of tags are %q, want %q", got, test.want)
			}
		})
	}
}

func TestOnlyIsolationIsEnforced(t *testing.T) {
	f, r := falcon(t, nil)
	o := isolation(t, aid)
	for _, action := range []incident.Action{incident.Notify, incident.RateLimit, incident.Block} {
		o.Action = action
		if _, err := f.Apply(t.Context(), o); integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("apply %s: %v", action, err)
		}
	}
	if len(r.requests()) > 0 {
		t.Errorf("was asked: %+v", r.requests())
	}
}

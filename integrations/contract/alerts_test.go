package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// pager is a small source of alerts, as a folder of its own would have it.
func pager() alerts.Spec {
	return alerts.Spec{
		Kind: "pager", Summary: "what a pager posts", Doc: "One object, or a list.",
		Identity: "`key`", Occurrence: "`began`",
		Fields: alerts.Fields{
			{Name: "id", Paths: []string{"key"}},
			{Name: "time", Paths: []string{"began"}},
			{Name: "bytes_out", Paths: []string{"sent"}},
			{Name: "host.name", Paths: []string{"host"}},
			{Name: "host.ip", Paths: []string{"address"}},
			{Name: "status", Paths: []string{"state"}},
		},
		Example: `{ "key": "p-1", "began": "2026-03-01T03:00:00Z", "host": "ws-042", "address": "10.20.0.42", "sent": 4294967296 }`,
		Varies:  []string{"p-1", "p-{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Split: func(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
			if alerts.IsList(body) {
				return alerts.List("", body, "")
			}
			return []alerts.Document{{Raw: body}}, nil
		},
		Join: alerts.JoinList,
		Read: func(r *alerts.Reader, _ alerts.Document) incident.Alert {
			id, known := r.Identity("key").Get()
			if !known {
				r.Fail("key", "names no alert")
			}
			a := incident.Alert{ID: id, Status: incident.Firing, Time: r.Instant("began"), BytesOut: r.Size("sent"), Host: r.Host(nil, []string{"host"}, []string{"address"})}
			if word, ok := r.Text("state").Get(); ok {
				if status, known := alerts.StatusOf(word); known {
					a.Status = status
				}
			}
			return a
		},
	}
}

func pagers(spec alerts.Spec) AlertsHarness {
	example := pager().Example
	return AlertsHarness{
		Spec: spec, Cases: "testdata/alerts",
		Several:  `[` + example + `, {}, ` + strings.Replace(example, "p-1", "p-2", 1) + `]`,
		Resolved: strings.Replace(example, `"key"`, `"state": "resolved", "key"`, 1),
		Next:     strings.Replace(example, "T03", "T04", 1),
	}
}

// A correct source passes, and each faulty one is caught by the
// check for it.
func TestAlertsSuiteBites(t *testing.T) {
	reads := func(change func(a *incident.Alert, r *alerts.Reader, d alerts.Document)) alerts.Spec {
		s := pager()
		honest := s.Read
		s.Read = func(r *alerts.Reader, d alerts.Document) incident.Alert {
			a := honest(r, d)
			change(&a, r, d)
			return a
		}
		return s
	}
	splits := func(split func(body json.RawMessage) ([]alerts.Document, *alerts.FieldError)) alerts.Spec {
		s := pager()
		s.Split = split
		return s
	}
	varies := func(pairs ...string) alerts.Spec {
		s := pager()
		s.Varies = pairs
		return s
	}
	const (
		alone, unknown, identity = "an alert that is wrong takes nothing from the others", "what is not known is not zero", "the same alert is known again, another is another"
		resolved, bodies, text   = "resolved never fires, and no other text resolves", "no body panics, and what is taken can be stored", "hostile text is data"
		fields, another          = "what is read is documented, and the reverse", "the example makes many alerts of many hosts"
		unchanged, utc, bound    = "the body is not changed", "times are in UTC", "what is beyond the bound of a request stays together"
	)
	calls := 0
	for name, c := range map[string]struct {
		spec alerts.Spec
		want []string
	}{
		"honest": {pager(), nil},
		"zero where nothing stands": {reads(func(a *incident.Alert, _ *alerts.Reader, _ alerts.Document) {
			if !a.BytesOut.IsKnown() {
				a.BytesOut = incident.Known[int64](0, incident.FromAlert)
			}
		}), []string{unknown}},
		"an id of the bytes": {reads(func(a *incident.Alert, _ *alerts.Reader, d alerts.Document) {
			a.ID = incident.DigestOf(bytes.TrimSpace(d.Raw))
		}), []string{"the cases are read as they say", identity, resolved, utc}},
		"an id of the moment": {reads(func(a *incident.Alert, _ *alerts.Reader, _ alerts.Document) {
			calls++
			a.ID = fmt.Sprint(calls)
		}), []string{"the cases are read as they say", alone, identity, resolved, bodies, bound, utc}},
		"one id for all":         {reads(func(a *incident.Alert, _ *alerts.Reader, _ alerts.Document) { a.ID = "p-1" }), []string{"the cases are read as they say", identity, another}},
		"an example of one id":   {varies("ws-042", "{host}", "10.20.0.42", "{ip}"), []string{another}},
		"an example of one host": {varies("p-1", "p-{n}", "10.20.0.42", "{ip}"), []string{another}},
		"no occurrence":          {reads(func(a *incident.Alert, _ *alerts.Reader, _ alerts.Document) { a.Time = incident.Value[time.Time]{} }), []string{"the example is one alert that fires and names its host", identity, "the cases are read as they say"}},
		"resolved fires":         {reads(func(a *incident.Alert, _ *alerts.Reader, _ alerts.Document) { a.Status = incident.Firing }), []string{resolved}},
		"any text resolves": {reads(func(a *incident.Alert, _ *alerts.Reader, d alerts.Document) {
			if bytes.Contains(d.Raw, []byte("resolved")) {
				a.Status = incident.Resolved
			}
		}), []string{resolved}},
		"control characters":             {reads(func(a *incident.Alert, r *alerts.Reader, _ alerts.Document) { a.Rule = r.Identity("address") }), []string{text}},
		"a field that is not documented": {reads(func(_ *incident.Alert, r *alerts.Reader, _ alerts.Document) { r.Text("note") }), []string{fields}},
		"a field that is not read": {func() alerts.Spec {
			s := pager()
			s.Fields = append(s.Fields, alerts.Field{Name: "rule", Paths: []string{"title"}})
			return s
		}(), []string{fields}},
		"local times": {reads(func(a *incident.Alert, _ *alerts.Reader, _ alerts.Document) {
			if at, ok := a.Time.Get(); ok {
				a.Time = incident.Known(at.In(time.FixedZone("", 3600)), incident.FromAlert)
			}
		}), []string{utc, "the cases are read as they say"}},
		"a panic for another type": {reads(func(_ *incident.Alert, r *alerts.Reader, _ alerts.Document) {
			if v, ok := r.Fields["host"]; ok {
				_ = v.(string)
			}
		}), []string{bodies, unknown}},
		"the bad one loses all": {splits(func(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
			documents, bad := pager().Split(body)
			for _, d := range documents {
				if bytes.Equal(d.Raw, []byte("{}")) {
					return nil, alerts.Wrong(d.Path, "is empty")
				}
			}
			return documents, bad
		}), []string{alone, bound, identity, unchanged}},
		"a changed body": {splits(func(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
			documents, bad := pager().Split(bytes.Clone(body))
			for i := range body {
				body[i] = 'x'
			}
			return documents, bad
		}), []string{unchanged}},
		"no list": {splits(func(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
			return []alerts.Document{{Raw: body}}, nil
		}), []string{alone, bound, identity}},
	} {
		t.Run(name, func(t *testing.T) { bites(t, verdicts(t, pagers(c.spec), alertsChecks()), c.want...) })
	}
}

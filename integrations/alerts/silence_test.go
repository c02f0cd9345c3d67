package alerts

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// silentSource is a source whose alerts ask for no response where they say target.
func silentSource() Source {
	return Source{Name: "siem", Window: time.Minute, Category: "high_egress", Rules: map[string]Rule{"egress": {Window: 15 * time.Minute, Category: "reflection"}}, Spec: Spec{
		Split: func(body json.RawMessage) ([]Document, *FieldError) { return []Document{{Raw: body}}, nil },
		Read: func(r *Reader, _ Document) incident.Alert {
			a := incident.Alert{ID: "1", Status: incident.Firing, Rule: r.Text("rule"), Window: r.Duration("window"), Category: r.Text("category")}
			if r.Of(r.Fields).Lookup("target") != nil {
				r.Of(r.Fields).Silence(incident.NotAlerting, "our host is the target")
				r.Silence(incident.Sample, "said later")
			}
			if r.Lookup("resolved") != nil {
				a.Status = incident.Resolved
			}
			return a
		},
	}}
}

func TestWhatAsksForNoResponseSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body   string
		status incident.AlertStatus
		why    string
	}{
		{`{}`, incident.Firing, ""},
		{`{"target":true}`, incident.NotAlerting, "our host is the target"},
		{`{"target":true,"resolved":true}`, incident.Resolved, ""},
	} {
		got, err := silentSource().Parse([]byte(c.body), time.Unix(0, 0))
		if err != nil || len(got) != 1 || got[0].Alert.Status != c.status || got[0].Alert.StatusWhy != c.why {
			t.Errorf("%s is read as %+v, %v; want %s %q", c.body, got, err, c.status, c.why)
		}
	}
}

func TestWhatARuleIsConfiguredWith(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body     string
		window   time.Duration
		from     incident.Provenance
		category string
	}{
		{`{"rule":"egress"}`, 15 * time.Minute, incident.Assumed, "reflection"},
		{`{"rule":"another"}`, time.Minute, incident.Assumed, "high_egress"},
		{`{"rule":"egress","window":"2m","category":"dns_amplification"}`, 2 * time.Minute, incident.FromAlert, "dns_amplification"},
		{`{"rule":"egress","window":"long"}`, 0, incident.Unknown, "reflection"},
	} {
		got, err := silentSource().Parse([]byte(c.body), time.Unix(0, 0))
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, %v", c.body, got, err)
		}
		a := got[0].Alert
		if d, _ := a.Window.Get(); d != c.window || a.Window.From() != c.from || a.Category.String() != c.category {
			t.Errorf("%s has the window %v (%s) and the category %v; want %v (%s) and %s", c.body, a.Window, a.Window.From(), a.Category, c.window, c.from, c.category)
		}
	}
}

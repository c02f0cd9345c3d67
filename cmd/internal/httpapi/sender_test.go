package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// products configures Splunk and Elastic as sources of high egress alerts.
func products(t *testing.T) func(*httpapi.Options) {
	return func(o *httpapi.Options) {
		for _, kind := range []string{"splunk", "elastic"} {
			o.Sources[kind] = source(t, sender{Name: kind, Kind: kind, Category: "High Egress", OS: "windows", Auth: auth.Auth{Bearer: siemToken}})
		}
	}
}

// device is a new host with its address.
func device(t *testing.T) (id, ip string) {
	t.Helper()
	id = host(t)
	found, err := shared.estate.Endpoints(t.Context(), integrations.EndpointQuery{ID: id})
	if err != nil || len(found) != 1 {
		t.Fatalf("the estate has %v, %v", found, err)
	}
	ips, _ := found[0].IP.Get()
	return id, ips[0]
}

func post(s *side, kind, body string) api.CaseRef {
	s.t.Helper()
	var got api.Accepted
	s.call("POST", "/v1/alerts/"+kind, siemToken, body).is(202, &got)
	if len(got.Cases) != 1 || len(got.Rejected) > 0 {
		s.t.Fatalf("%s is taken as %+v", body, got)
	}
	return got.Cases[0]
}

// Two hosts in one field are neither of them: the case gives the reason, and no action
// is taken on either.
func TestAlertsThatNameSeveralHosts(t *testing.T) {
	s := newSide(t, products(t))
	idA, ipA := device(t)
	idB, ipB := device(t)
	for kind, body := range map[string]string{
		"splunk":  fmt.Sprintf(`{"sid":"mv1","result":{"src":"%s , %s"}}`, ipA, ipB),
		"elastic": fmt.Sprintf(`{"_id":"mv2","host":{"name":"%s %s "}}`, idA, idB),
		"siem":    fmt.Sprintf(`{"id":"mv3","category":"high_egress","host":{"name":"%s;%s"}}`, idA, idB),
	} {
		c := s.over(post(s, kind, body))
		if c.Target != nil || !strings.Contains(c.TargetProblem, "the alert names 2 hosts") {
			t.Errorf("%s: the target is %v: %s", kind, c.Target, c.TargetProblem)
		}
		if strings.Contains(c.Subject, idA) || strings.Contains(c.Subject, ipA) {
			t.Errorf("%s: the case is about %s", kind, c.Subject)
		}
	}
	for _, e := range shared.estate.Effects() {
		if e.Target == idA || e.Target == idB {
			t.Errorf("%s was done to %s", e.Action, e.Target)
		}
	}
}

// What a sensor saw is about the machine that sends: no action is taken on the sensor,
// and two machines behind one sensor are two cases.
func TestASensorIsNotTheHost(t *testing.T) {
	s := newSide(t, products(t))
	sensor, sensorIP := device(t)
	_, ipA := device(t)
	_, ipB := device(t)
	subjects := map[string]bool{}
	for i, alert := range []struct{ kind, body, ip string }{
		{"elastic", `{"_id":"s1","tags":["forwarded"],"host":{"name":"%[1]s","id":"%[1]s","ip":["%[2]s"]},"source":{"ip":"%[3]s","bytes":5000},"destination":{"ip":"203.0.113.7"}}`, ipA},
		{"splunk", `{"sid":"s2","result":{"host":"%[1]s","dvc":"%[2]s","src":"%[3]s","bytes_out":"5,000","dest_ip":"203.0.113.7"}}`, ipB},
	} {
		ref := post(s, alert.kind, fmt.Sprintf(alert.body, sensor, sensorIP, alert.ip))
		c := s.until(ref, "it has looked for its target", func(c incident.Case) bool { return c.Decision != nil || c.TargetProblem != "" })
		if c.Subject != alert.ip || c.Target != nil && c.Target.ID() == sensor {
			t.Errorf("alert %d is about %s, the target is %v", i, c.Subject, c.Target)
		}
		subjects[c.Subject] = true
	}
	if len(subjects) != 2 {
		t.Errorf("the cases are about %v", subjects)
	}
	for _, e := range shared.estate.Effects() {
		if e.Target == sensor {
			t.Errorf("%s was done to the sensor", e.Action)
		}
	}
}

// An invalid field other than the host never loses an alert, and a filler word
// names no host.
func TestSideFieldsLoseNoAlert(t *testing.T) {
	s := newSide(t, products(t))
	id, ip := device(t)
	body := fmt.Sprintf(`{"sid":"f","result":{"src_host":"unknown","src_ip":"%s","os":"unknown","bytes_out":"4,294,967,296","dest_port":"many","process_id":"1\n2","_time":{},"user":[true,{}]}}`, ip)
	c := s.show(post(s, "splunk", body).ID, "")
	if c.Subject != ip {
		t.Errorf("the case of %s is about %s", id, c.Subject)
	}
	a := c.Facts.Alert
	if os, _ := a.Host.OS.Get(); os != "windows" {
		t.Errorf("the os is %v", a.Host.OS)
	}
	if n, _ := a.BytesOut.Get(); n != 4294967296 {
		t.Errorf("bytes out are %v", a.BytesOut)
	}
	if why := a.Process.PID.Why(); !strings.Contains(why, `"1", "2"`) {
		t.Errorf("the process id is unknown for %q", why)
	}
	if why := a.Destination.Port.Why(); !strings.Contains(why, `"many"`) {
		t.Errorf("the port is unknown for %q", why)
	}
	for _, nobody := range []string{`{"sid":"n1","result":{"src":"unknown"}}`, `{"sid":"n2","result":{"src":"-","host":"N/A"}}`} {
		s.call("POST", "/v1/alerts/splunk", siemToken, nobody).is(422, nil)
	}
}

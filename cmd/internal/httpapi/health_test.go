package httpapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
)

func TestHealthAndReadiness(t *testing.T) {
	s := newSide(t)
	s.call("GET", "/healthz", "", nil).is(200, nil)
	s.call("GET", "/readyz", "", nil).is(200, nil)
	sick := newSide(t, func(o *httpapi.Options) {
		o.Ready = func(context.Context) error { return errors.New("the engine is away") }
	})
	sick.call("GET", "/healthz", "", nil).is(200, nil)
	if a := sick.call("GET", "/readyz", "", nil).is(503, nil); !strings.Contains(string(a.body), "the engine is away") {
		t.Errorf("not ready because of %s", a.body)
	}
}

func TestMetricsCountAlertsByResult(t *testing.T) {
	s := newSide(t)
	s.send(several(alert("1", "note", host(t)), alert("2", "note", host(t))))
	s.call("POST", "/v1/alerts/siem", siemToken, "{").refused(422, "rejected")
	s.call("POST", "/v1/alerts/made-up", siemToken, "{}").refused(401, "unauthorized")
	text := string(s.call("GET", "/metrics", "", nil).is(200, nil).body)
	for _, want := range []string{
		`stanch_alerts_total{result="accepted",source="siem"} 2`,
		`stanch_alerts_total{result="rejected",source="siem"} 1`,
		`stanch_alerts_total{result="unauthorized",source="unknown"} 1`,
		`stanch_intake_seconds_count{source="siem"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics have no %s in\n%s", want, text)
		}
	}
}

package alerts_test

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

func TestAPointerFindsTheFieldInItsBody(t *testing.T) {
	t.Parallel()
	const body = `{"alerts": [{"host": {"id": 7}}, {"host.ip": "x", "a/b~c": {"d": 1}, "kibana.alert": {"rule.name": [1]}}], "hits": {"hits": []}}`
	for _, tt := range []struct{ path, want string }{
		{"", ""},
		{"alerts", "/alerts"},
		{"alerts[0].host.id", "/alerts/0/host/id"},
		{"alerts[1].host.ip", "/alerts/1/host.ip"},
		{"alerts[1].kibana.alert.rule.name[0]", "/alerts/1/kibana.alert/rule.name/0"},
		{"alerts[1].a/b~c.d", "/alerts/1/a~1b~0c/d"},
		{"alerts[1].process.pid", "/alerts/1/process/pid"},
		{"alerts[9].host", "/alerts/9/host"},
		{`alerts[0].host."odd name"`, "/alerts/0/host/odd name"},
		{`alerts[0].host."a name that was cut…".x`, "/alerts/0/host"},
		{"hits.hits[3]", "/hits/hits/3"},
	} {
		if got := alerts.Pointer([]byte(body), tt.path); got != tt.want {
			t.Errorf("the pointer of %q is %q, want %q", tt.path, got, tt.want)
		}
	}
	if got := alerts.Pointer([]byte(`{"alerts": `), "alerts[0]"); got != "" {
		t.Errorf("the pointer into what is not JSON is %q", got)
	}
	if got := alerts.Pointer([]byte(`[{"a": 1}]`), "[0].a"); got != "/0/a" {
		t.Errorf("the pointer into a list is %q", got)
	}
}

func FuzzPointer(f *testing.F) {
	f.Add([]byte(`{"a.b":[{"c":1}]}`), "a.b[0].c")
	f.Add([]byte(`[]`), "[0]..")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		if got := alerts.Pointer(body, path); got != "" && got[0] != '/' {
			t.Errorf("the pointer of %q is %q", path, got)
		}
	})
}

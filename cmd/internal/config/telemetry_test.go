package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

func TestTracesAreOffWithoutAnEndpoint(t *testing.T) {
	c, err := Parse("f.yaml", []byte("listen: 127.0.0.1:0\n"), integrations.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Telemetry.Traces; got.Endpoint != "" || got.Sample != 1 || got.Header != "authorization" {
		t.Errorf("the defaults are %+v", got)
	}
}

func TestTelemetryIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		`telemetry: { traces: { endpoint: "https://c.example:4317" } }`:                         "",
		`telemetry: { traces: { endpoint: "http://127.0.0.1:4317", token: abc, sample: 0.5 } }`: "",
		`telemetry: { traces: { endpoint: "http://[::1]:4317/", token: abc, header: x-key } }`:  "",
		`telemetry: { traces: { endpoint: "http://c.example:4317" } }`:                          "",
		`telemetry: { traces: { endpoint: "http://c.example:4317", token: abc } }`:              "f.yaml:1:34: the token would be sent in plain text",
		`telemetry: { traces: { sample: 1 } }`:                                                  "needs endpoint",
		`telemetry: { traces: { endpoint: "c.example:4317" } }`:                                 "is not an address such as",
		`telemetry: { traces: { endpoint: "https://c.example" } }`:                              "is not an address such as",
		`telemetry: { traces: { endpoint: "https://u:hunter2@c.example:4317" } }`:               "looks like a secret",
		`telemetry: { traces: { endpoint: "https://c.example:4317/v1/traces" } }`:               "is not an address such as",
		`telemetry: { traces: { endpoint: "https://c.example:4317", sample: 1.5 } }`:            "it is a share, from 0 to 1",
		`telemetry: { traces: { endpoint: "https://c.example:4317", sample: -1 } }`:             "it is a share, from 0 to 1",
		`telemetry: { traces: { endpoint: "https://c.example:4317", sample: .nan } }`:           "sample",
		`telemetry: { traces: { endpoint: "https://c.example:4317", header: "X Key" } }`:        "header is not a name",
		`telemetry: { trace: { endpoint: "https://c.example:4317" } }`:                          "trace",
		`log: { format: xml }`:   "json, text",
		`log: { level: loud }`:   "debug, info, warn, error",
		`log: { format: text }`:  "",
		`log: { levels: debug }`: "levels",
	} {
		_, err := Parse("f.yaml", []byte(text), integrations.Catalog{})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the complaint shows a secret: %v", text, err)
		}
	}
}

package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// A transport that brings the alerts of one kind stands under that kind alone, or under a
// mapping, which reads any.
func TestATransportOfOneKindStandsUnderIt(t *testing.T) {
	const from = `from: { kind: secops, project: p, location: us, instance: 5f1c0c9d-0000-4000-8000-000000000000, service_account_file: k.json }`
	refused := func(source string) string {
		_, err := Parse("f.yaml", []byte("sources:\n  google: { kind: "+source+" }\n"), all.Catalog())
		if err == nil {
			return ""
		}
		return err.Error()
	}
	const want = "f.yaml:2:41: source google: the transport secops brings alerts of the kind secops, which the kind splunk does not read"
	if got := refused("splunk, " + from); !strings.HasPrefix(got, want) {
		t.Errorf("under another kind it says %q, not %q", got, want)
	}
	for _, source := range []string{"secops, " + from, "mapping, map: m.yaml, " + from} {
		if got := refused(source); strings.Contains(got, "brings alerts") {
			t.Errorf("under %.20s it says %q", source, got)
		}
	}
}

package alerts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestColumns(t *testing.T) {
	t.Parallel()
	fields, bad := Decode("", []byte(`{"id":"1","ips":["a","b"],"nics":[{"ip":"10.0.0.1","v6":["::2","::3"]},7,{"ip":"10.0.0.2","v6":[]}],"groups":[{"events":[{"host":{"name":"a"}}]},{"events":[{"host":{"name":"b"}},{"host":null}]}],"none":[]}`))
	if bad != nil {
		t.Fatal(bad)
	}
	columns := Columns(fields)
	for path, want := range map[string]any{
		"id": "1", "ips": []any{"a", "b"}, "nics.ip": []any{"10.0.0.1", "10.0.0.2"}, "nics.v6": []any{[]any{"::2", "::3"}, []any{}},
		"groups.events.host.name": []any{"a", "b"}, "none": nil,
	} {
		if diff := cmp.Diff(want, Lookup(columns, path)); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
	if got := Lookup(fields, "nics.ip"); got != nil {
		t.Errorf("the alert itself was changed: nics.ip is %v", got)
	}
}

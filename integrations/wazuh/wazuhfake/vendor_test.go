package wazuhfake_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stanch-soar/stanch/integrations/wazuh/wazuhfake"
)

// The answers of the API fit the vendor's own schema, which may not be copied here.
func TestAnswersFitTheVendorsSchema(t *testing.T) {
	spec, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "..", "..", "..", "shared", "specs", "wazuh-4.14.7.yaml"))
	if err != nil {
		t.Skipf("the vendor's schema is not here: %v", err)
	}
	b := start(t, t, wazuhfake.Options{Scripts: scripts(), Groups: []string{"limited"}})
	for _, c := range []struct {
		path string
		a    answer
	}{
		{"/", b.get("/")},
		{"/security/users/me/policies", b.get("/security/users/me/policies")},
		{"/manager/info", b.get("/manager/info")},
		{"/agents", b.get("/agents")},
		{"/agents", b.get("/agents?agents_list=002,099")},
		{"/syscollector/{agent_id}/processes", b.get("/syscollector/001/processes")},
		{"/syscollector/{agent_id}/ports", b.get("/syscollector/001/ports")},
		{"/syscollector/{agent_id}/netaddr", b.get("/syscollector/001/netaddr")},
		{"/syscollector/{agent_id}/users", b.get("/syscollector/001/users")},
		{"/syscollector/{agent_id}/os", b.get("/syscollector/001/os")},
	} {
		fits(t, c.path, spec.Paths.Find(c.path).Get, c.a)
	}
	fits(t, "active response", spec.Paths.Find("/active-response").Put, b.respond("?agents_list=001", isolate))
	fits(t, "group", spec.Paths.Find("/agents/{agent_id}/group/{group_id}").Put, b.do(http.MethodPut, "/agents/001/group/limited", ""))
	b.token = "no"
	fits(t, "a wrong token", spec.Paths.Find("/agents").Get, b.get("/agents"))
}

func fits(t *testing.T, name string, operation *openapi3.Operation, a answer) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.text), &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	said := operation.Responses.Status(a.status)
	if said == nil || said.Value.Content.Get("application/json") == nil {
		t.Fatalf("%s: %d is not described", name, a.status)
	}
	if err := said.Value.Content.Get("application/json").Schema.Value.VisitJSON(v); err != nil {
		t.Errorf("%s: %s does not fit: %v", name, a.text, err)
	}
}

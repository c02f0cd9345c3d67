package command

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The exit code says whether anything differs; the answer is written in any case.
func TestDriftIsInTheExitCode(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("alice-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STANCH_TOKEN_FILE", token)
	gone := incident.Drift{Lease: "lease/rate_limit/gateway/ws-042", Use: "gateway", Host: "ws-042", Kind: incident.DriftGone, Detail: "the limit is gone from gateway"}
	for _, tt := range []struct {
		name    string
		answer  api.DriftList
		code    int
		out     []string
		problem string
	}{
		{"nothing", api.DriftList{Read: 2, Drift: []incident.Drift{}}, 0, []string{"2 leases read"}, ""},
		{
			"one that is gone",
			api.DriftList{Read: 1, Drift: []incident.Drift{gone}, Unlisted: []string{"edr"}},
			1,
			[]string{"1 lease read", "gone", "lease/rate_limit/gateway/ws-042", "the limit is gone from gateway", "not found at edr, which cannot list it"},
			"1 difference found; nothing was changed",
		},
		{"more than can be read", api.DriftList{Read: 500, Drift: []incident.Drift{}, More: true}, 1, []string{"500 leases read"}, "more leases than were read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/v1/leases/drift" || r.Header.Get("Authorization") != "Bearer alice-token" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				_ = json.NewEncoder(w).Encode(tt.answer)
			}))
			t.Cleanup(server.Close)
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"lease", "drift", "--url", server.URL}, streams{strings.NewReader(""), &out, &errs})
			if code != tt.code || !strings.Contains(errs.String(), tt.problem) {
				t.Errorf("it exits with %d: %s", code, errs.String())
			}
			for _, words := range tt.out {
				if !strings.Contains(out.String(), words) {
					t.Errorf("it does not say %q:\n%s", words, out.String())
				}
			}
			out.Reset()
			var got api.DriftList
			run(t.Context(), []string{"lease", "drift", "--url", server.URL, "--output", "json"}, streams{strings.NewReader(""), &out, &errs})
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Read != tt.answer.Read || len(got.Drift) != len(tt.answer.Drift) {
				t.Errorf("as JSON it is %s (%v)", out.String(), err)
			}
		})
	}
}

func TestDoctorSaysWhereSensorsSit(t *testing.T) {
	gateway := memory.Spec()
	gateway.ByAddress = true
	for sees, want := range map[incident.SensorPlace]string{
		incident.SensorBefore: "prove what it limits", incident.SensorAfter: "see what it lets through", "": "is not said",
	} {
		store := config.Integration{Name: "flows", Spec: sqlite.Spec()}
		if sees != "" {
			store.Sees = map[string]incident.SensorPlace{"gateway": sees}
		}
		found := checkSensors(&config.Config{Opened: []config.Integration{store, {Name: "gateway", Spec: gateway}, {Name: "edr", Spec: memory.Spec()}}})
		var about []finding
		for _, f := range found {
			if f.About == "integration flows" {
				about = append(about, f)
			}
		}
		if len(about) != 1 || !strings.Contains(about[0].What, want) || about[0].Warning != (sees == "") || !about[0].OK {
			t.Errorf("with %q: %+v", sees, about)
		}
	}
}

func TestALeaseWhoseUndoFailsIsPending(t *testing.T) {
	var out bytes.Buffer
	p := streams{out: &out}.printer()
	rows := leaseRows(p, []incident.Lease{{ID: "a", Phase: incident.Undoing}, {ID: "b", Phase: incident.Undoing, UndoPendingSince: time.Unix(0, 0)}})
	if rows[0][2] != "undoing" || rows[1][2] != "undo pending" {
		t.Errorf("the phases are %q and %q", rows[0][2], rows[1][2])
	}
}

package apispec_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// wazuhs reads Wazuh's own description of its API. It is under the GPL, and so
// not part of this repository.
func wazuhs(t *testing.T) *apispec.Spec {
	t.Helper()
	file := os.Getenv("STANCH_WAZUH_SPEC")
	if file == "" {
		file = filepath.Join("..", "..", "..", "shared", "specs", "wazuh-4.14.7.yaml")
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("SKIPPED: Wazuh's own description of its API is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	// Lists are joined by commas, which only the text of the description says.
	spec, err := apispec.Parsed("wazuh's own", text, []byte(`{"components":{"parameters":{
		"agents_list":{"explode":false},"select":{"explode":false},"sort":{"explode":false},"statusAgentParam":{"explode":false}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestWazuhSaysTheSame(t *testing.T) {
	theirs := wazuhs(t)
	for _, lacking := range apispec.Load(t, "wazuh").Lacks(theirs) {
		t.Errorf("Wazuh's own description has no %s", lacking)
	}
	for _, e := range wazuh(t) {
		var err error
		switch {
		case e.wrong != "":
			continue
		case e.status == 0:
			err = theirs.CheckRequest(e.request(t), []byte(e.body))
		default:
			err = theirs.CheckAnswer(e.method, e.path, e.status, headers("Content-Type", "application/json"), []byte(e.answer))
		}
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
	}
}

// Theirs would let an active response go to every agent, which is why ours exists.
func TestWazuhsOwnDoesNotGuardTargets(t *testing.T) {
	theirs := wazuhs(t)
	for _, e := range wazuh(t) {
		if e.name == "respond everywhere" {
			if err := theirs.CheckRequest(e.request(t), []byte(e.body)); err != nil {
				t.Errorf("got %v, want it accepted: ours need not be stricter any more", err)
			}
			return
		}
	}
	t.Fatal("there is no such request")
}

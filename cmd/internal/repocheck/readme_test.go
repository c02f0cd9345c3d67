package repocheck_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/repocheck"
	"github.com/stanch-soar/stanch/integrations/all"
)

// TestTheReadmesConfigurationLoads reads the stanch.yaml that README.md makes
// people write, with the folder for secrets moved to one that is there.
func TestTheReadmesConfigurationLoads(t *testing.T) {
	secrets := t.TempDir()
	if err := os.WriteFile(filepath.Join(secrets, "splunk.token"), []byte(strings.Repeat("5a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := configuration(t, readRepository(t))
	for person, digit := range map[string]string{"alice": "a", "bob": "b"} {
		text = strings.ReplaceAll(text, "$(grep token_sha256 "+person+".token)", "token_sha256: "+strings.Repeat(digit, 64))
	}
	c, err := config.Parse("stanch.yaml", []byte(strings.ReplaceAll(text, "/etc/stanch", secrets)), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "0.0.0.0:8080" {
		t.Errorf("it listens on %q, where the container's port does not lead", c.Listen)
	}
	if c.Data != "/var/lib/stanch" {
		t.Errorf("it keeps its data in %q, which is not the deployment's volume", c.Data)
	}
	if _, ok := c.Sources["splunk"]; !ok {
		t.Error("no source may send to /v1/alerts/splunk")
	}
}

func configuration(t *testing.T, tree *repocheck.Tree) string {
	t.Helper()
	for _, c := range repocheck.Commands(tree.Text["README.md"]) {
		if first, rest, _ := strings.Cut(c.Text, "\n"); strings.HasPrefix(first, "cat > /etc/stanch/stanch.yaml") {
			return strings.TrimSuffix(rest, "EOF")
		}
	}
	t.Fatal("README.md writes no stanch.yaml")
	return ""
}

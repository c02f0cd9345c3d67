package command

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/repocheck"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations/all"
)

// theReadmes is the command of README.md that begins so.
func theReadmes(t *testing.T, beginning string) string {
	t.Helper()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range repocheck.Commands(text) {
		if strings.HasPrefix(c.Text, beginning) {
			return c.Text
		}
	}
	t.Fatalf("README.md has no command that begins with %q", beginning)
	return ""
}

// TestTheFirstHour does what README.md says, in folders of its own: the
// configuration has nothing that fails, and the first alert becomes a case that
// a person sees decided.
func TestTheFirstHour(t *testing.T) {
	if !embedded.BuiltIn {
		t.Skip("this build has no embedded engine")
	}
	dir := t.TempDir()
	moved := strings.NewReplacer("/etc/stanch", filepath.Join(dir, "etc"), "/var/lib/stanch", filepath.Join(dir, "data"))
	sh := func(command string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", "-euc", moved.Replace(command))
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	sh(theReadmes(t, "umask") + "; " + theReadmes(t, "openssl rand"))
	tokens := map[string]string{}
	for _, person := range []string{"alice", "bob"} {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"token"}, streams{strings.NewReader(""), &out, io.Discard}); code != exitOK {
			t.Fatalf("stanch token exits with %d", code)
		}
		first, _, _ := strings.Cut(out.String(), "\n")
		tokens[person] = strings.TrimSpace(strings.TrimPrefix(first, "token:"))
		if err := os.WriteFile(filepath.Join(dir, person+".token"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sh(theReadmes(t, "cat > /etc/stanch/stanch.yaml"))
	file := filepath.Join(dir, "etc", "stanch.yaml")

	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"doctor", "--config", file}, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Errorf("stanch doctor exits with %d: %s", code, errs.String())
	}
	if strings.Contains(out.String(), "FAILS") || strings.Contains(out.String(), "warning") {
		t.Errorf("stanch doctor finds\n%s", out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("stanch doctor has made the data folder")
	}
	url := serveReadmes(t, file)
	token, err := os.ReadFile(filepath.Join(dir, "etc", "splunk.token"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, url+"/v1/alerts/splunk?token="+strings.TrimSpace(string(token)))
	t.Setenv(envToken, tokens["alice"])
	show := strings.Fields(theReadmes(t, "STANCH_TOKEN="))
	args := append(show[len(show)-3:], "--url", url)
	deadline := time.After(time.Minute)
	for ticker := time.Tick(200 * time.Millisecond); ; {
		out.Reset()
		if code := run(t.Context(), args, streams{strings.NewReader(""), &out, &errs}); code == exitOK && strings.Contains(out.String(), "rule amplification-from-a-workstation") {
			break
		}
		select {
		case <-ticker:
		case <-deadline:
			t.Fatalf("the case of the sample alert is\n%s%s", out.String(), errs.String())
		}
	}
	if !strings.Contains(out.String(), "hadow") {
		t.Errorf("the case does not say that it is in shadow mode:\n%s", out.String())
	}
}

// serveReadmes runs a configuration on a free port, and returns its address.
func serveReadmes(t *testing.T, file string) string {
	t.Helper()
	c, err := config.Load(file, all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	c.Listen = "127.0.0.1:0"
	s, err := service.Start(t.Context(), service.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

// send posts the sample alert.
func send(t *testing.T, url string) {
	t.Helper()
	alert, err := os.Open("../../../docs/alert.json")
	if err != nil {
		t.Fatal(err)
	}
	defer alert.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, alert)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the sample alert is answered with %s: %s", resp.Status, body)
	}
}

// The unit file is one that systemd reads without a complaint.
func TestTheUnitFile(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed")
	}
	text, err := os.ReadFile("../../../docs/stanch.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(theReadmes(t, "CGO_ENABLED=0 GOBIN="), "GOBIN=/usr/local/bin ") || !bytes.Contains(text, []byte("ExecStart=/usr/local/bin/stanch serve --config /etc/stanch/stanch.yaml\n")) {
		t.Error("the unit file does not start what README.md installs")
	}
	// The binary has to be there.
	unit := filepath.Join(t.TempDir(), "stanch.service")
	text = bytes.ReplaceAll(text, []byte("/usr/local/bin/stanch"), []byte(tool))
	if err := os.WriteFile(unit, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), tool, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

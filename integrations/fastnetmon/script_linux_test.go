package fastnetmon

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// posted runs the script of the documents as FastNetMon does, and returns what it posts.
func posted(t *testing.T, details string, arguments ...string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "curl"), []byte("#!/bin/sh\ncat\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), "sh", append([]string{"../../docs/integrations/fastnetmon-notify.sh"}, arguments...)...)
	script.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"))
	script.Stdin = strings.NewReader(details)
	out, err := script.Output()
	if err != nil {
		t.Fatalf("the script: %v", err)
	}
	return string(out)
}

func TestScript(t *testing.T) {
	t.Parallel()
	const text = "IP: 127.0.0.1\nAttack direction: outgoing\nAttack protocol: udp\n\n10.0.0.1:53 > 203.0.113.7:46 \"a\\b\"\t\x01 2247 bytes\n"
	for name, c := range map[string]struct {
		details   string
		arguments []string
		want      []string
		status    incident.AlertStatus
	}{
		"text":     {text, []string{"127.0.0.1", "outgoing", "37753", "ban"}, []string{"destination.transport = udp (alert)"}, incident.Firing},
		"a victim": {text, []string{"10.20.0.42", "incoming", "37753", "ban"}, []string{"host.ip = [10.20.0.42] (alert)"}, incident.NotAlerting},
		"JSON": {
			"{\"ip\": \"10.20.0.42\",\n \"attack_details\": {\"attack_uuid\": \"u\", \"attack_direction\": \"outgoing\"}}\n",
			[]string{"10.20.0.42", "outgoing", "37753", "ban"},
			[]string{"id u firing", "host.ip = [10.20.0.42] (alert)"},
			incident.Firing,
		},
		"over":    {"", []string{"10.20.0.42", "outgoing", "0", "unban"}, []string{"id 10.20.0.42 outgoing resolved"}, incident.Resolved},
		"hostile": {text, []string{"$(id)\"; `id`\\", "outgoing", "37753", "ban"}, nil, incident.Firing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := posted(t, c.details, c.arguments...)
			parsed, err := alerts.Source{Spec: Alerts(), Name: "net"}.Parse([]byte(body), time.Now())
			if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil || parsed[0].Alert.Status != c.status {
				t.Fatalf("%s is read as %+v, %v; want %s", body, parsed, err, c.status)
			}
			lines := strings.Join(contract.AlertLines(parsed[0].Alert), "\n")
			for _, want := range c.want {
				if !strings.Contains(lines, want) {
					t.Errorf("%s is read as\n%s\nwant %s", body, lines, want)
				}
			}
			if c.arguments[0] == "127.0.0.1" && !strings.Contains(body, `"name":"localhost"`) {
				t.Errorf("%s lacks the name of its address", body)
			}
			var fields map[string]any
			if err := json.Unmarshal([]byte(body), &fields); err != nil || fields["address"] != c.arguments[0] {
				t.Errorf("%s has the address %q, %v; want %q", body, fields["address"], err, c.arguments[0])
			}
		})
	}
}

// The packets that follow an alert are no news.
func TestScriptPostsNoPackets(t *testing.T) {
	t.Parallel()
	if body := posted(t, "x", "10.20.0.42", "outgoing", "37753", "attack_details"); body != "" {
		t.Errorf("the script posts %q", body)
	}
}

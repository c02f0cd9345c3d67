package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// readLog reads the log of a process: every line is one JSON object that has each of
// its keys once.
func readLog(t *testing.T, path string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for _, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		d := json.NewDecoder(bytes.NewReader(line))
		if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
			t.Errorf("not a line of JSON: %s", line)
			continue
		}
		got := map[string]any{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				t.Errorf("%v in %s", err, line)
				break
			}
			name, _ := key.(string)
			if _, twice := got[name]; twice {
				t.Errorf("%s stands twice in %s", name, line)
			}
			var value any
			if err := d.Decode(&value); err != nil {
				t.Errorf("%v in %s", err, line)
				break
			}
			got[name] = value
		}
		for _, key := range []string{"time", "level", "msg"} {
			if text, _ := got[key].(string); text == "" {
				t.Errorf("no %s in %s", key, line)
			}
		}
		for key := range got {
			if key != strings.ToLower(key) || strings.ContainsAny(key, " -.") {
				t.Errorf("the key %q is not in snake case: %s", key, line)
			}
		}
		all = append(all, got)
	}
	return all
}

// about are the lines that speak of a case. Each must name it as a field.
func about(t *testing.T, lines []map[string]any, id string) (found []map[string]any) {
	t.Helper()
	for _, line := range lines {
		speaks := slices.ContainsFunc(values(line), func(v string) bool { return strings.Contains(v, id) })
		// The workflow of a channel tells of many cases.
		ofChannel := strings.HasPrefix(fmt.Sprint(line["workflow_id"]), "channel/")
		if speaks && line["case"] != id && !ofChannel {
			t.Errorf("the line speaks of %s, and its case is %v: %v", id, line["case"], line)
		}
		if line["case"] == id {
			found = append(found, line)
		}
	}
	return found
}

func values(line map[string]any) (all []string) {
	for _, v := range line {
		if text, ok := v.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// TestEveryLineOfTheLog runs a case to its end, and reads all that the
// process says: our own lines, those of the engine and of its client.
func TestEveryLineOfTheLog(t *testing.T) {
	t.Parallel()
	s := newSite(t, moment{ttl: "3s"}.edits()...)
	s.settings = func(slow string) string { return configuration(slow) + "log: { level: debug }\n" }
	s.start("")
	s.alert("a-1", "ws-042", "10.20.4.42")
	s.until("the case to end", func() bool { return s.see(floodCase).EvidenceDir != "" })
	if status := s.post("/v1/cases/"+floodCase+"/close", "nobody's token", nil, nil); status != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", status)
	}
	s.stop()
	lines := readLog(t, s.logFile())
	found := about(t, lines, floodCase)
	if len(found) == 0 {
		t.Error("no line is about the case")
	}
	leases := 0
	for _, line := range lines {
		if id, _ := line["workflow_id"].(string); strings.HasPrefix(id, "lease/") {
			leases++
			if line["case"] != floodCase {
				t.Errorf("a line about a lease does not name its case: %v", line)
			}
		}
	}
	if leases == 0 {
		t.Error("no line is about a lease")
	}
	components := map[any]bool{}
	for _, line := range lines {
		components[line["component"]] = true
	}
	if !components["temporal"] || !components[nil] {
		t.Errorf("the lines are of %v", components)
	}
	t.Logf("%d lines, %d of them about the case", len(lines), len(found))
}

// TestFormatOfTheLog wants the format of the configuration, and that of the command
// line before it.
func TestFormatOfTheLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.settings = func(slow string) string { return configuration(slow) + "log: { format: text }\n" }
	s.start("")
	s.stop()
	text, err := os.ReadFile(s.logFile())
	if err != nil || !strings.Contains(string(text), "level=INFO msg=ready") {
		t.Errorf("the text is %q: %v", text, err)
	}
	s.args = []string{"--log-format", "json", "--log-level", "warn"}
	s.write("stanch.yaml", configuration(""))
	for _, wrong := range [][]string{{"--log-format", "xml"}, {"--log-level", "loud"}} {
		out, err := exec.CommandContext(t.Context(), "stanch", append([]string{"serve", "--config", s.path("stanch.yaml")}, wrong...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "must be one of") || s.has("engine") {
			t.Errorf("%v: %v, %s", wrong, err, out)
		}
	}
}

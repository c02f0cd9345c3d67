package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

func TestASourceIsAnsweredByWhatCan(t *testing.T) {
	for name, c := range map[string]struct {
		reply string
		why   string // empty: it is taken
	}{
		"one that can":        {"desk", ""},
		"one that cannot":     {"inv", "integration inv is of kind file, which tells the senders of alerts nothing"},
		"one that is not":     {"dsek", "there is no integration dsek"},
		"one that is invalid": {"''", "there is no integration"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "data: " + t.TempDir() + "\n" +
				"integrations:\n  desk: { kind: memory }\n  inv: { kind: file, path: inventory.yaml }\n" +
				"sources:\n  siem: { kind: stanch, auth: { bearer: a-long-token-of-the-siem }, reply: " + c.reply + " }\n"
			got, err := Parse("stanch.yaml", []byte(text), all.Catalog())
			if c.why == "" {
				if err != nil || got.Sources["siem"].Reply != "desk" {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `"`, ""), c.why) {
				t.Errorf("error %v, want one that says %q", err, c.why)
			}
		})
	}
}

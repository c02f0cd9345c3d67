package service

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
)

func TestServeWarnsOfWhatNobodyMayDo(t *testing.T) {
	const token = "token_sha256: 9c220f200955d76c0a38d308225e0ef10c5f971acaf2f8d1d8f732affa5bd1dc"
	for name, test := range map[string]struct {
		people   string
		warnings int
		want     []string
	}{
		"a file from before":       {"[{ id: alice, " + token + " }]", 3, []string{"may only read", "people=alice", "RIGHT PAUSE", "RIGHT RELEASE"}},
		"nobody pauses":            {"[{ id: alice, may: [release], " + token + " }]", 1, []string{"RIGHT PAUSE"}},
		"who pauses has no token":  {"[{ id: alice, may: [release], " + token + " }, { id: bob, slack: U1, may: [pause] }]", 1, []string{"RIGHT PAUSE"}},
		"nobody releases":          {"[{ id: alice, may: [pause], " + token + " }, { id: bob }]", 1, []string{"RIGHT RELEASE"}},
		"all is said":              {"[{ id: alice, may: [pause, release], " + token + " }, { id: bob }]", 0, nil},
		"nobody is configured yet": {"[]", 2, []string{"RIGHT PAUSE", "RIGHT RELEASE"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.Parse("f.yaml", []byte("people: "+test.people+"\n"), integrations.Catalog{})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			warnOfRights(c, slog.New(slog.NewTextHandler(&log, nil)))
			if n := strings.Count(log.String(), "level=WARN"); n != test.warnings {
				t.Errorf("there are %d warnings:\n%s", n, log.String())
			}
			for _, want := range test.want {
				if !strings.Contains(log.String(), want) {
					t.Errorf("no warning says %q:\n%s", want, log.String())
				}
			}
		})
	}
}

package defender

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const device = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"

// did is an action on the device as Defender's list has it, ordered and updated at minutes
// of an hour.
func did(t *testing.T, kind, status, comment string, ordered, updated int) action {
	t.Helper()
	// One of the documents' pages spells the time of the last update in another way.
	spelling := []string{"lastUpdateDateTimeUtc", "lastUpdateTimeUtc"}[ordered%2]
	body := fmt.Sprintf(`{"id": "%08d-0000-4000-8000-000000000000", "type": %q, "scope": "Full", "requestorComment": %q, "status": %q, "machineId": %q,
		"creationDateTimeUtc": "2026-11-30T10:%02d:00.1234567Z", %q: "2026-11-30T10:%02d:00.1234567Z", "relatedFileInfo": null, "commands": null, "new": {}}`,
		ordered, kind, comment, status, strings.ToUpper(device), ordered, spelling, updated)
	var a action
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

const mine, theirs = "Stanch lease key-1: case 7", "by hand"

func TestIsolationIsWhatWasCarriedOutLast(t *testing.T) {
	isolate := func(status, comment string, ordered, updated int) action {
		return did(t, "Isolate", status, comment, ordered, updated)
	}
	release := func(status string, ordered, updated int) action {
		return did(t, "Unisolate", status, mine, ordered, updated)
	}
	for name, c := range map[string]struct {
		actions         []action
		stands, pending bool
		key, word       string
		copies          int
	}{
		"nothing was ever ordered":            {word: "none"},
		"isolated by us":                      {actions: []action{isolate("Succeeded", mine, 1, 2)}, stands: true, key: "key-1", word: "isolated"},
		"isolated by somebody else":           {actions: []action{isolate("Succeeded", theirs, 1, 2)}, stands: true, word: "isolated"},
		"given back":                          {actions: []action{isolate("Succeeded", mine, 1, 2), release("Succeeded", 3, 4)}, word: "none"},
		"the isolation was carried out last":  {actions: []action{isolate("Succeeded", mine, 1, 9), release("Succeeded", 3, 4)}, stands: true, key: "key-1", word: "isolated"},
		"a repeated one that ended last":      {actions: []action{isolate("Succeeded", mine, 1, 2), isolate("Succeeded", mine, 2, 9), release("Succeeded", 3, 4), release("Succeeded", 5, 6)}, stands: true, key: "key-1", word: "isolated"},
		"accepted":                            {actions: []action{isolate("Pending", mine, 1, 1)}, pending: true, key: "key-1", word: "isolating"},
		"being carried out":                   {actions: []action{isolate("InProgress", mine, 1, 1)}, pending: true, key: "key-1", word: "isolating"},
		"a status that nobody documented":     {actions: []action{isolate("Submitted", mine, 1, 1)}, pending: true, key: "key-1", word: "isolating"},
		"failed":                              {actions: []action{isolate("Failed", mine, 1, 2)}, word: "none"},
		"timed out":                           {actions: []action{isolate("TimeOut", mine, 1, 2)}, word: "none"},
		"cancelled":                           {actions: []action{isolate("Cancelled", mine, 1, 2)}, word: "none"},
		"a release that failed":               {actions: []action{isolate("Succeeded", mine, 1, 2), release("Failed", 3, 4)}, stands: true, key: "key-1", word: "isolated"},
		"a release that is open":              {actions: []action{isolate("Succeeded", mine, 1, 2), release("Pending", 3, 3)}, stands: true, pending: true, key: "key-1", word: "releasing"},
		"a release of nothing that is open":   {actions: []action{release("Pending", 3, 3)}, pending: true, word: "none"},
		"somebody's open one over ours":       {actions: []action{isolate("Succeeded", mine, 1, 2), isolate("Pending", theirs, 3, 3)}, stands: true, pending: true, key: "key-1", word: "isolated"},
		"ours and somebody's, both in place":  {actions: []action{isolate("Succeeded", mine, 1, 2), isolate("Succeeded", theirs, 3, 4)}, stands: true, word: "isolated"},
		"ours and somebody's, both open":      {actions: []action{isolate("Pending", mine, 1, 1), isolate("Pending", theirs, 3, 3)}, pending: true, word: "isolating"},
		"ours twice":                          {actions: []action{isolate("Succeeded", mine, 1, 2), isolate("Pending", mine, 3, 3)}, stands: true, pending: true, key: "key-1", word: "isolated", copies: 2},
		"somebody's, released, and then ours": {actions: []action{isolate("Succeeded", theirs, 1, 2), release("Succeeded", 3, 4), isolate("Succeeded", mine, 5, 6)}, stands: true, key: "key-1", word: "isolated"},
		"other actions do not matter":         {actions: []action{did(t, "RunAntiVirusScan", "Pending", mine, 1, 1), did(t, "LiveResponse", "Succeeded", mine, 2, 3)}, word: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			forwards := isolationOf(c.actions).reading(machine{}, time.Now())
			slices.Reverse(c.actions)
			s := isolationOf(c.actions)
			r := s.reading(machine{}, time.Now())
			if r.Stands != c.stands || r.Pending != c.pending || r.Key != c.key || r.Copies != c.copies || s.word() != c.word {
				t.Errorf("got %+v, %s; want stands %t, pending %t, key %q, copies %d, %s", r, s.word(), c.stands, c.pending, c.key, c.copies, c.word)
			}
			if r.Stands != forwards.Stands || r.Key != forwards.Key || r.Pending != forwards.Pending {
				t.Errorf("it depends on the order of the list: %+v and %+v", r, forwards)
			}
		})
	}
}

func TestADeviceThatIsOfflineIsNamedSo(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 5, 0, 0, time.UTC)
	s := isolationOf([]action{did(t, "Isolate", "Pending", mine, 1, 1)})
	for _, c := range []struct {
		health string
		at     time.Time
		want   string
	}{
		{"Inactive", now, "the device is offline; queued at Defender for 3 days"},
		{"Active", now, "accepted, not carried out yet"},
		{"Inactive", now.Add(73 * time.Hour), "open for more than the three days"},
	} {
		if r := s.reading(machine{Health: c.health}, c.at); !r.Pending || !strings.Contains(r.Detail, c.want) {
			t.Errorf("health %s: %+v, want %q in it", c.health, r, c.want)
		}
	}
}

// A report from before the isolation would be taken for a sign that the agent is lost.
func TestAnOldReportIsNoSignOfLife(t *testing.T) {
	s := isolationOf([]action{did(t, "Isolate", "Succeeded", mine, 1, 2)})
	for minute, heard := range map[int]bool{0: false, 2: false, 3: true} {
		seen := time.Date(2026, 11, 30, 10, minute, 0, 0, time.UTC)
		if r := s.reading(machine{LastSeen: moment{seen}}, seen.Add(time.Hour)); r.Heard.IsZero() == heard || heard && !r.Heard.Equal(seen) {
			t.Errorf("seen at minute %d it was heard at %s", minute, r.Heard)
		}
	}
}

func TestTheKeyIsKeptInTheComment(t *testing.T) {
	for _, key := range []string{"key-1", "lease/isolate/edr/" + device, "a:b:c"} {
		text, err := comment("isolate", leaseComment, key, "Stanch case 7: \x00 two\nlines")
		if err != nil || (action{Comment: text}).keyOf(leaseComment) != key || strings.ContainsAny(text, "\n\x00") {
			t.Errorf("key %q is kept as %q, %v", key, text, err)
		}
	}
	for _, key := range []string{"", "a b", "a\n", "a:", "a\x7f", strings.Repeat("a", maxKey+1)} {
		if _, err := comment("isolate", leaseComment, key, ""); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("key %q: error %v, want an invalid one", key, err)
		}
	}
	if text, err := comment("isolate", leaseComment, "key-1", strings.Repeat("ä", 5000)); err != nil || len([]rune(text)) > maxComment {
		t.Errorf("a long reason makes a comment of %d characters, %v", len([]rune(text)), err)
	}
	// Only exactly ours is ours.
	for _, text := range []string{"", "by hand", "Stanch lease key-1", "stanch lease key-1: x", " Stanch lease key-1: x", "re: Stanch lease key-1: x", "Stanch lease a key-1: x", "Stanch script key-1: x"} {
		if got := (action{Comment: text}).keyOf(leaseComment); got == "key-1" {
			t.Errorf("the comment %q has the key %q", text, got)
		}
	}
	if got := (action{Comment: "Stanch lease key-10: x"}).keyOf(leaseComment); got != "key-10" {
		t.Errorf("the key is %q, want key-10", got)
	}
}

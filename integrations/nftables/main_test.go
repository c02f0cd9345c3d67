package nftables

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

// The variables by which the test's own program is a gateway's helper, started by a real
// SSH server: how it behaves, and the file of its guard.
const (
	helperMode  = "STANCH_TEST_HELPER"
	helperGuard = "STANCH_TEST_GUARD"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(helperMode); mode != "" {
		os.Exit(helperMain(mode))
	}
	os.Exit(m.Run())
}

// helperMain is the helper as it ships, or one that behaves badly.
func helperMain(mode string) int {
	if mode == "serve" {
		err := Serve(context.Background(), os.Stdin, os.Stdout, os.Getenv(helperGuard), "v1.test")
		if err == nil {
			return 0
		}
		fmt.Fprintf(os.Stderr, "stanch: %v\n", err)
		if _, none := errors.AsType[*NoRequestError](err); none {
			return 2
		}
		return 1
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 1
	}
	var q request
	if err := json.Unmarshal(text, &q); err != nil {
		return 1
	}
	if mode == "lose" {
		// It does what it is asked, and is killed before it can answer.
		_ = Serve(context.Background(), bytes.NewReader(text), io.Discard, os.Getenv(helperGuard), "v1.test")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if mode == "another-limit" {
		other := *q.Limit
		other.Addresses = []netip.Addr{q.Limit.Addresses[0].Next()}
		_ = json.NewEncoder(os.Stdout).Encode(answer{Version: wireVersion, Ask: q.Ask, Limit: &other})
		return 0
	}
	if mode == "older" || mode == "newer" {
		text, exit := otherRelease(mode)(q)
		_, _ = io.WriteString(os.Stdout, text)
		return exit
	}
	if hostile, ok := hostileAnswers()[mode]; ok {
		text, exit := hostile(q)
		_, _ = io.WriteString(os.Stdout, text)
		return exit
	}
	fmt.Fprintf(os.Stderr, "there is no helper %q\n", mode)
	return 1
}

// hostileAnswers are what a gateway may say that is no helper's answer, by name, with the
// exit code.
func hostileAnswers() map[string]func(request) (string, int) {
	says := func(text string, exit int) func(request) (string, int) {
		return func(request) (string, int) { return text, exit }
	}
	return map[string]func(request) (string, int){
		"silent":         says("", 0),
		"failed":         says("", 1),
		"not-json":       says("OK\n", 0),
		"html":           says("<html><body>503</body></html>", 0),
		"another-server": says(`{"status":"ok","data":{"id":7}}`, 0),
		"another-ask":    says(`{"version":1,"ask":"ffffffffffffffff","deleted":true}`, 0),
		"list":           says(`[]`, 0),
		"large":          says(strings.Repeat("x", maxAnswer+1), 0),
		"large-json":     says(`{"version":1,"ask":"`+strings.Repeat("x", maxAnswer)+`"}`, 0),
		"torn":           func(q request) (string, int) { return `{"version":1,"ask":"` + q.Ask + `","lim`, 0 },
		"two": func(q request) (string, int) {
			return strings.Repeat(`{"version":1,"ask":"`+q.Ask+`"}`, 2), 0
		},
		"unknown-member": func(q request) (string, int) { return `{"version":1,"ask":"` + q.Ask + `","table":"x"}`, 0 },
		"unknown-kind": func(q request) (string, int) {
			return `{"version":1,"ask":"` + q.Ask + `","refused":{"kind":"fine","why":"x"}}`, 0
		},
		"good-but-failed": func(q request) (string, int) { return `{"version":1,"ask":"` + q.Ask + `"}`, 1 },
	}
}

// otherRelease answers every request as a helper does that tells less or more of itself.
func otherRelease(mode string) func(request) (string, int) {
	return func(q request) (string, int) {
		networks, _ := json.Marshal(testGuard().Networks)
		more := ""
		if mode == "newer" {
			more = `,"past":{"flowtables":["fast of table inet filter"],"tunnels":["gre1"]},"uptime":7`
		}
		gateway := fmt.Sprintf(`,"gateway":{"helper":"v0","networks":%s,"actions":["rate_limit","block"],"max_limits":7,"standing":0%s}`, networks, more)
		if q.Do != verbCheck || q.Limit != nil {
			gateway = ""
		}
		return fmt.Sprintf(`{"version":1,"ask":%q%s}`, q.Ask, gateway), 0
	}
}

package main_test

import (
	"net"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// address gives every script a free address of its own, at which a server that
// it starts listens and its commands look.
func address(env *testscript.Env) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("LISTEN", l.Addr().String())
	env.Setenv("STANCH_URL", "http://"+l.Addr().String())
	return l.Close()
}

// until is a command of the scripts: until PATTERN PROGRAM ARGS... runs a
// program again and again until it succeeds and prints what matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN PROGRAM ARGS...")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		if err := ts.Exec(args[1], args[2:]...); err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-deadline:
			ts.Fatalf("waited in vain for %s", args[0])
		case <-tick.C:
		}
	}
}

// capture is a command of the scripts: capture NAME PATTERN sets a variable to
// the pattern's group in what was printed last.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

package main_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stanch-soar/stanch/cmd/stanch/command"
)

// TestMain lets the test binary be stanch itself, under that name on the PATH,
// so that what the tests start and kill is the command as it ships.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stanch": func() { os.Exit(command.Main()) }})
}

package main_test

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stanch-soar/stanch/cmd/internal/embedded/clustertest"
	"github.com/stanch-soar/stanch/cmd/stanch/command"
)

// TestMain lets the test binary be stanch itself, under that name on the PATH,
// so that what the tests start and kill is the command as it ships.
//
// Most of the time they wait for something to come, so that there may be more of
// them at a time than processors.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"stanch":            func() { os.Exit(command.Main()) },
		clusterNode:         nodeMain,
		clustertest.Program: clustertest.Main,
	})
}

package servertest_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// part is what a child of the test's binary is: a test that is killed, or the server that
// it started.
const part = "STANCH_SERVERTEST_PART"

func TestMain(m *testing.M) {
	switch os.Getenv(part) {
	case "test":
		server := exec.Command(os.Args[0])
		server.Env = append(os.Environ(), part+"=server")
		server.Stdout = os.Stdout
		servertest.EndWithTest(server, syscall.SIGKILL)
		if err := server.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_ = server.Wait() // Both are killed before.
	case "server":
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		fmt.Println("serving")
		<-told
	default:
		os.Exit(m.Run())
	}
}

// A server whose test is killed ends: its end of the pipe, which is the last, closes.
func TestAServerEndsWithItsTest(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), part+"=test")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "serving\n" {
		t.Fatalf("the server says %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, said)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the server runs on after its test was killed")
	}
	_ = cmd.Wait() // The error is that it was killed.
}

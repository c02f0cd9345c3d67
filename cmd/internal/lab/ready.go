package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Ready returns an error that says what is missing to build a lab here, and what to do
// about it. It changes nothing.
func Ready() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("network namespaces need Linux, and this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it with sudo")
	}
	if err := missing(exec.LookPath); err != nil {
		return err
	}
	// Root in a container may still be refused, and a kernel may have no nftables.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "unshare", "--net", "--mount", "nft", "list", "ruleset").CombinedOutput()
	if err != nil {
		return fmt.Errorf("no network namespace with nftables can be made here, which a container may only where it is privileged: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// missing looks for the programs that a lab runs. RUNLEVEL=1 has Debian's packages start
// no service.
func missing(look func(string) (string, error)) error {
	var programs, packages []string
	for _, p := range []struct{ program, debian string }{
		{"curl", "curl"},
		{"fastnetmon", "fastnetmon"},
		{"hping3", "hping3"},
		{"iperf3", "iperf3"},
		{"ip", "iproute2"},
		{"tc", "iproute2"},
		{"nfcapd", "nfdump"},
		{"nfdump", "nfdump"},
		{"nft", "nftables"},
		{"softflowctl", "softflowd"},
		{"softflowd", "softflowd"},
		{"nsenter", "util-linux"},
		{"unshare", "util-linux"},
	} {
		if _, err := look(p.program); err != nil {
			programs, packages = append(programs, p.program), append(packages, p.debian)
		}
	}
	if len(programs) == 0 {
		return nil
	}
	return fmt.Errorf("not installed: %s; on Debian: RUNLEVEL=1 apt-get install --no-install-recommends %s",
		strings.Join(programs, ", "), strings.Join(slices.Compact(packages), " "))
}

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Node is a machine of a lab: a network namespace.
type Node struct {
	Name string
	// Namespace is the path by which other programs enter it.
	Namespace string
	lab       *Lab
}

// base is the name by which the program ip knows the namespace.
func (n *Node) base() string { return filepath.Base(n.Namespace) }

func (n *Node) ip(ctx context.Context, args ...string) error {
	return ip(ctx, append([]string{"-n", n.base()}, args...)...)
}

// address gives a device its addresses and switches it on. An address is used at once:
// nobody else in a lab has it.
func (n *Node) address(ctx context.Context, device string, addresses ...string) error {
	for _, a := range addresses {
		args := []string{"addr", "add", a, "dev", device}
		if strings.Contains(a, ":") {
			args = append(args, "nodad")
		}
		if err := n.ip(ctx, args...); err != nil {
			return err
		}
	}
	return n.ip(ctx, "link", "set", device, "up")
}

// join gives a machine its addresses, and the gateway's as the way to all others. The
// IPv6 address may be missing.
func (n *Node) join(ctx context.Context, ipv4, ipv6, gateway4, gateway6 string) error {
	addresses, ways := []string{ipv4}, []string{gateway4}
	if ipv6 != "" {
		addresses, ways = append(addresses, ipv6), append(ways, gateway6)
	}
	if err := n.address(ctx, "eth0", addresses...); err != nil {
		return err
	}
	for _, way := range ways {
		via, _, _ := strings.Cut(way, "/")
		if err := n.ip(ctx, "route", "add", "default", "via", via); err != nil {
			return err
		}
	}
	return nil
}

// command is a program in the namespace: ip turns into it, so that it has the id of
// the process that is started.
func (n *Node) command(ctx context.Context, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", n.base()}, argv...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	endWithUs(cmd)
	return cmd
}

// Run runs a program on the machine to its end, and returns what it wrote.
func (n *Node) Run(ctx context.Context, argv ...string) ([]byte, error) {
	cmd := n.command(ctx, argv)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("run %s on %s: %w: %s", strings.Join(argv, " "), n.Name, err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// Received returns how many bytes an interface of the machine has received since it
// is there, and Sent how many it has sent.
func (n *Node) Received(ctx context.Context, device string) (int64, error) {
	return n.counter(ctx, device, "rx_bytes")
}

// Sent returns how many bytes an interface of the machine has sent since it is there.
func (n *Node) Sent(ctx context.Context, device string) (int64, error) {
	return n.counter(ctx, device, "tx_bytes")
}

func (n *Node) counter(ctx context.Context, device, name string) (int64, error) {
	out, err := n.Run(ctx, "cat", "/sys/class/net/"+device+"/statistics/"+name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

// Package lab is a small network of real packets on this machine: hosts, a gateway
// that forwards for them, and an internet behind it, as network namespaces of
// Linux with cables between them. Real programs send, measure, export flows and
// detect in it. Nothing of it touches the machine's own network; it needs root.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The gateway's interfaces: hosts are behind Inside, the internet behind Outside.
const (
	Inside  = "inside"
	Outside = "outside"
)

// InternetIPv4 and InternetIPv6 are the addresses of the server in the internet.
const (
	InternetIPv4 = "198.18.0.2"
	InternetIPv6 = "2001:db8:18::2"
)

// The gateway's own addresses. The network of the hosts is that of the simulated
// estate, so that its endpoints can stand for the hosts.
const (
	insideIPv4, insideIPv6   = "10.20.0.1/16", "2001:db8:20::1/64"
	outsideIPv4, outsideIPv6 = "198.18.0.1/24", "2001:db8:18::1/64"
)

// Config is what a lab is made of.
type Config struct {
	// Hosts are the machines behind the gateway.
	Hosts []Host
	// Link is the speed of the link to the internet, in bits per second, each way;
	// 0 is as fast as the machine is.
	Link int64
}

// Host is a machine behind the gateway, which finds its name by its addresses. Its IPv4
// address is within 10.20.0.0/16, its IPv6 address, which may be missing, within
// 2001:db8:20::/64.
type Host struct {
	Name string
	IPv4 string
	IPv6 string
}

// Networks are those of the hosts.
func Networks() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix(insideIPv4).Masked(), netip.MustParsePrefix(insideIPv6).Masked()}
}

// Lab is a network that runs. Close removes it.
type Lab struct {
	// Gateway forwards between the hosts and the internet.
	Gateway *Node
	// Internet is a server behind the gateway.
	Internet *Node
	// Hosts are in the order of the configuration.
	Hosts []*Node

	folder string
	nodes  []*Node

	mu       sync.Mutex
	programs []*Program
	// port is the last one that was given to a program that listens.
	port int
}

// New builds a lab. What an earlier process left behind, which has ended, is removed
// first. The context bounds the building only.
func New(ctx context.Context, c Config) (*Lab, error) {
	if err := removeStale(ctx); err != nil {
		return nil, fmt.Errorf("remove a stale lab: %w", err)
	}
	folder, err := newFolder()
	if err != nil {
		return nil, fmt.Errorf("build a lab: %w", err)
	}
	l := &Lab{folder: folder, port: 5200}
	if err := l.build(ctx, filepath.Base(folder), c); err != nil {
		return nil, errors.Join(fmt.Errorf("build a lab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context, name string, c Config) error {
	var err error
	if l.Gateway, err = l.node(ctx, name+"-gateway", "gateway"); err != nil {
		return err
	}
	if l.Internet, err = l.node(ctx, name+"-internet", "internet"); err != nil {
		return err
	}
	for _, switchOn := range []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"} {
		if _, err := l.Gateway.Run(ctx, "sh", "-c", "echo 1 >"+switchOn); err != nil {
			return err
		}
	}
	if err := l.Gateway.ip(ctx, "link", "add", Inside, "type", "bridge"); err != nil {
		return err
	}
	if err := l.Gateway.address(ctx, Inside, insideIPv4, insideIPv6); err != nil {
		return err
	}
	if err := l.cable(ctx, l.Internet, Outside); err != nil {
		return err
	}
	if err := l.Gateway.address(ctx, Outside, outsideIPv4, outsideIPv6); err != nil {
		return err
	}
	if err := l.Internet.join(ctx, InternetIPv4+"/24", InternetIPv6+"/64", outsideIPv4, outsideIPv6); err != nil {
		return err
	}
	if err := writeNames(l.Gateway.base(), c.Hosts); err != nil {
		return err
	}
	for i, h := range c.Hosts {
		if err := l.host(ctx, fmt.Sprintf("%s-host%d", name, i), fmt.Sprintf("port%d", i), h); err != nil {
			return err
		}
	}
	return l.bound(ctx, c.Link)
}

func (l *Lab) host(ctx context.Context, namespace, port string, h Host) error {
	n, err := l.node(ctx, namespace, h.Name)
	if err != nil {
		return err
	}
	l.Hosts = append(l.Hosts, n)
	if err := l.cable(ctx, n, port); err != nil {
		return err
	}
	if err := l.Gateway.ip(ctx, "link", "set", port, "master", Inside, "up"); err != nil {
		return err
	}
	ipv6 := ""
	if h.IPv6 != "" {
		ipv6 = h.IPv6 + "/64"
	}
	return n.join(ctx, h.IPv4+"/16", ipv6, insideIPv4, insideIPv6)
}

// writeNames lets what runs in a namespace find the hosts' names, as name servers do: ip
// puts the file in the place of the machine's own.
func writeNames(namespace string, hosts []Host) error {
	var text strings.Builder
	for _, h := range hosts {
		for _, address := range []string{h.IPv4, h.IPv6} {
			if address != "" {
				fmt.Fprintln(&text, address, h.Name)
			}
		}
	}
	folder := filepath.Join(settings, namespace)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "hosts"), []byte(text.String()), 0o644)
}

// node makes a namespace.
func (l *Lab) node(ctx context.Context, namespace, name string) (*Node, error) {
	n := &Node{Name: name, Namespace: filepath.Join(namespaces, namespace), lab: l}
	if err := ip(ctx, "netns", "add", namespace); err != nil {
		return nil, err
	}
	l.nodes = append(l.nodes, n)
	return n, n.ip(ctx, "link", "set", "lo", "up")
}

// cable joins a node with the gateway. Both ends are made within the namespaces, and
// go with them.
func (l *Lab) cable(ctx context.Context, n *Node, port string) error {
	return ip(ctx, "link", "add", "eth0", "netns", n.base(), "type", "veth", "peer", "name", port, "netns", l.Gateway.base())
}

// bound makes the link to the internet as slow as it is to be.
func (l *Lab) bound(ctx context.Context, link int64) error {
	if link == 0 {
		return nil
	}
	// What passes in ten milliseconds, and at least one packet that the kernel has
	// put together from many.
	burst := max(link/8/100, 128<<10)
	for n, device := range map[*Node]string{l.Gateway: Outside, l.Internet: "eth0"} {
		_, err := n.Run(ctx, "tc", "qdisc", "add", "dev", device, "root", "tbf",
			"rate", fmt.Sprintf("%dbit", link), "burst", fmt.Sprint(burst), "latency", "50ms")
		if err != nil {
			return err
		}
	}
	return nil
}

// Folder is one of the lab's own, which goes with it.
func (l *Lab) Folder(name string) (string, error) {
	path := filepath.Join(l.folder, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", fmt.Errorf("make a folder of the lab: %w", err)
	}
	return path, nil
}

// Close ends every program of the lab and removes its namespaces and folders.
func (l *Lab) Close() error {
	// A lab is removed also when the work in it was called off.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l.mu.Lock()
	programs := l.programs
	l.programs = nil
	l.mu.Unlock()
	var errs []error
	for i := len(programs) - 1; i >= 0; i-- {
		programs[i].Stop()
	}
	for _, n := range l.nodes {
		errs = append(errs, remove(ctx, n.base()))
	}
	l.nodes = nil
	return errors.Join(append(errs, os.RemoveAll(l.folder))...)
}

// ip runs the program that configures networks.
func ip(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

package routertest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// table is the router's own in the gateway's kernel.
const table = "inet flowspec_router"

// leastBurst lets pass what the kernel has put together from many packets, in bytes.
const leastBurst = 128 << 10

// installed is a rule that the kernel has.
type installed struct {
	// chain is what the rule does. Its buckets and counters live as long as it.
	chain string
	rule  rule
	act   action
}

// conditions are a rule's, as nftables writes them: one of several has to hold.
func conditions(r rule) []string {
	family, address := "ipv4", "ip"
	if r.ipv6 {
		family, address = "ipv6", "ip6"
	}
	all := []string{"meta nfproto " + family}
	var ports string
	anyPort := false
	for _, c := range r.components {
		switch c.typ {
		case typeDestination, typeSource:
			// A length of 0 holds for all of the family.
			if c.prefix.Bits() > 0 {
				all = append(all, fmt.Sprintf("%s %s %s", address, map[byte]string{typeDestination: "daddr", typeSource: "saddr"}[c.typ], c.prefix))
			}
		case typeProtocol:
			all = append(all, "meta l4proto "+c.numbers.String())
		case typePort:
			// Ports are those of TCP and UDP only.
			all, ports, anyPort = append(all, "meta l4proto { 6, 17 }"), c.numbers.String(), true
		case typeDestinationPort:
			all = append(all, "meta l4proto { 6, 17 } th dport "+c.numbers.String())
		case typeSourcePort:
			all = append(all, "meta l4proto { 6, 17 } th sport "+c.numbers.String())
		}
	}
	one := strings.Join(all, " ")
	if !anyPort {
		return []string{one}
	}
	return []string{one + " th dport " + ports, one + " th sport " + ports}
}

// does is what a rule's chain has, in lines for nftables. The rules after it are not asked.
func does(i installed) []string {
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("add rule %s %s ", table, i.chain)+fmt.Sprintf(format, args...))
	}
	above := func(rate *uint64, over, burst string, least uint64) {
		switch {
		case rate == nil:
		case *rate == 0:
			add("counter name %s_dropped drop", i.chain)
		default:
			// What passes in an eighth of a second may come at once.
			add("limit rate over %d %s burst %d %s counter name %s_dropped drop", *rate, over, max(*rate/8, least), burst, i.chain)
		}
	}
	above(i.act.bytes, "bytes/second", "bytes", leastBurst)
	above(i.act.packets, "/second", "packets", 1)
	add("counter name %s_passed accept", i.chain)
	return lines
}

// change is what nftables is told so that the kernel, which has one set of rules, has
// another.
func change(from, to map[string]installed) string {
	lines := []string{
		"add table " + table,
		fmt.Sprintf("add chain %s forward { type filter hook forward priority 0; policy accept; }", table),
		fmt.Sprintf("flush chain %s forward", table),
	}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, stays := to[key]; !stays {
			lines = append(lines, fmt.Sprintf("flush chain %s %s", table, from[key].chain), fmt.Sprintf("delete chain %s %s", table, from[key].chain),
				fmt.Sprintf("delete counter %s %s_dropped", table, from[key].chain), fmt.Sprintf("delete counter %s %s_passed", table, from[key].chain))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(to)) {
		i := to[key]
		_, known := from[key]
		switch {
		case !known:
			lines = append(lines, fmt.Sprintf("add counter %s %s_dropped", table, i.chain), fmt.Sprintf("add counter %s %s_passed", table, i.chain),
				fmt.Sprintf("add chain %s %s", table, i.chain))
		case from[key].act.equal(i.act):
			continue
		default:
			lines = append(lines, fmt.Sprintf("flush chain %s %s", table, i.chain))
		}
		lines = append(lines, does(i)...)
	}
	for _, i := range asked(to) {
		for _, c := range conditions(i.rule) {
			lines = append(lines, fmt.Sprintf("add rule %s forward %s goto %s", table, c, i.chain))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// asked are rules in the order in which packets are compared with them.
func asked(rules map[string]installed) []installed {
	return slices.SortedFunc(maps.Values(rules), func(a, b installed) int {
		return cmp.Or(precedence(a.rule, b.rule), cmp.Compare(a.chain, b.chain))
	})
}

func (a action) equal(b action) bool {
	same := func(x, y *uint64) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return same(a.bytes, b.bytes) && same(a.packets, b.packets)
}

// nft runs nftables in a namespace, all of a text or nothing of it.
func nft(ctx context.Context, namespace, text string, args ...string) ([]byte, error) {
	if text != "" {
		args = append(args, "-f", "-")
	}
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", filepath.Base(namespace), "nft"}, args...)...)
	cmd.Stdin = strings.NewReader(text)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("nft: %w: %s: %s", err, stderr.String(), text)
	}
	return out, nil
}

// counters reads how many bytes each of the table's counters has counted.
func counters(ctx context.Context, namespace string) (map[string]int64, error) {
	out, err := nft(ctx, namespace, "", append([]string{"-j", "list", "counters", "table"}, strings.Fields(table)...)...)
	if err != nil {
		return nil, err
	}
	var listed struct {
		Nftables []struct {
			Counter struct {
				Name  string `json:"name"`
				Bytes int64  `json:"bytes"`
			} `json:"counter"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return nil, fmt.Errorf("read the counters: %w", err)
	}
	found := map[string]int64{}
	for _, o := range listed.Nftables {
		found[o.Counter.Name] = o.Counter.Bytes
	}
	return found, nil
}

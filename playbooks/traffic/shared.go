package traffic

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

//go:embed shared_networks.csv
var sharedCSV string

// SharedNetwork is a network at whose addresses many unrelated services are reached: to
// block one of them blocks all.
type SharedNetwork struct {
	Network netip.Prefix
	// Kind is CDN, cloud or resolver, Holder whose it is.
	Kind, Holder string
	// Source is where the holder publishes it.
	Source string
}

// String says it in words: 151.101.0.0/16 is the CDN Fastly.
func (n SharedNetwork) String() string {
	return fmt.Sprintf("%s is the %s %s", n.Network, n.Kind, n.Holder)
}

// sharedNetworks is data that was compiled in: it is parsed once, and never written
// again. A test proves that it parses.
var sharedNetworks = sync.OnceValues(func() ([]SharedNetwork, error) { return parseShared(sharedCSV) })

// SharedNetworkOf returns the shared network that an address is in, of those that are
// known. There are many others.
func SharedNetworkOf(ip netip.Addr) (SharedNetwork, bool) {
	known, _ := sharedNetworks()
	ip = ip.Unmap().WithZone("")
	at := slices.IndexFunc(known, func(n SharedNetwork) bool { return n.Network.Contains(ip) })
	if at < 0 {
		return SharedNetwork{}, false
	}
	return known[at], true
}

func parseShared(text string) ([]SharedNetwork, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read shared networks: %w", err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"network", "kind", "holder", "source"}) {
		return nil, errors.New("read shared networks: the columns are not the known ones")
	}
	networks := make([]SharedNetwork, 0, len(rows)-1)
	for i, row := range rows[1:] {
		n := SharedNetwork{Kind: row[1], Holder: row[2], Source: row[3]}
		if n.Network, err = netip.ParsePrefix(row[0]); err != nil || n.Network != n.Network.Masked() {
			return nil, fmt.Errorf("read shared networks, line %d: invalid network %q", i+2, row[0])
		}
		if !slices.Contains([]string{"CDN", "cloud", "resolver"}, n.Kind) || n.Holder == "" || !strings.HasPrefix(n.Source, "https://") {
			return nil, fmt.Errorf("read shared networks, line %d: it lacks a kind, a holder or a source", i+2)
		}
		networks = append(networks, n)
	}
	return networks, nil
}

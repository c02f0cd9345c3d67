package traffic

import (
	"net/netip"
	"strings"
	"testing"
)

func TestSharedNetworks(t *testing.T) {
	t.Parallel()
	known, err := sharedNetworks()
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range known {
		if n.Network.Addr().IsPrivate() || n.Network.Bits() < 12 {
			t.Errorf("%s is private, or a large part of the internet", n)
		}
		if i > 0 && known[i-1].Network.Addr().Compare(n.Network.Addr()) > 0 {
			t.Errorf("%s is out of order", n)
		}
	}
	for text, holder := range map[string]string{
		"104.16.132.229": "Cloudflare", "::ffff:104.16.132.229": "Cloudflare", "2606:4700::6810:84e5": "Cloudflare", "151.101.1.69": "Fastly",
		"8.8.8.8": "Google Public DNS", "9.9.9.9": "Quad9", "52.97.1.1": "Microsoft 365", "13.224.1.1": "Amazon CloudFront",
		"8.8.8.9": "", "198.51.100.7": "", "10.0.0.1": "", "2001:db8::1": "",
	} {
		if got, ok := SharedNetworkOf(netip.MustParseAddr(text)); got.Holder != holder || ok != (holder != "") {
			t.Errorf("%s is %q's, want %q", text, got.Holder, holder)
		}
	}
}

func TestBadSharedNetworksAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "columns", "network,kind\n": "columns", "a,\"": "read shared networks",
		"network,kind,holder,source\n10.0.0.1/8,CDN,x,https://x\n":       `line 2: invalid network "10.0.0.1/8"`,
		"network,kind,holder,source\n10.0.0.0/8,shop,x,https://x\n":      "line 2: it lacks",
		"network,kind,holder,source\n10.0.0.0/8,CDN,,https://x\n":        "line 2: it lacks",
		"network,kind,holder,source\n10.0.0.0/8,CDN,x,somebody's blog\n": "line 2: it lacks",
	} {
		if _, err := parseShared(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

package incident

// Exit is where traffic leaves a network.
type Exit string

// The closed set of exits.
const (
	ExitDirect Exit = "direct" // the router or firewall to the outside
	ExitProxy  Exit = "proxy"  // a proxy, which connects in a host's place
	ExitVPN    Exit = "vpn"    // a tunnel to elsewhere
	ExitCloud  Exit = "cloud"  // a cloud's gateway, or the interfaces there
	ExitSite   Exit = "site"   // the link between sites, from which it may yet leave
)

// Exits lists the exits.
func Exits() []Exit { return []Exit{ExitDirect, ExitProxy, ExitVPN, ExitCloud, ExitSite} }

package incident

import (
	"slices"
	"testing"
	"time"
)

// What an inventory, an EDR and a flow store say is normalised; doing it
// again changes nothing.
func TestFactsArePutIntoOurWords(t *testing.T) {
	said := func(s string) Value[string] { return Known(s, FromEDR) }
	f := Facts{
		Asset:    Asset{Name: said("ws-1"), Role: said("Domain Controller"), Owner: said("N/A"), Site: said("-"), Tags: Known([]string{"none", "vip"}, FromInventory)},
		Endpoint: Endpoint{ID: said("null"), Name: said("unknown"), OS: said("Windows 10 Pro"), Role: said("Kiosk"), Isolation: said("none"), IP: Known([]string{"0.0.0.0", "10.0.0.1", "::", "-"}, FromEDR), LastSeen: Known(time.Unix(1, 0), FromEDR)},
		Process:  Process{Path: said(`C:\x.exe`), User: said("(null)"), CommandLine: said("-"), SHA256: said("n/a")},
		Traffic:  Traffic{Role: said("unknown"), Top: Known([]TopFlow{{Transport: "UDP"}, {Transport: "6"}, {Transport: "sctp"}}, FromFlows)},
		Alert:    Alert{Category: said("High Egress"), Host: AlertHost{OS: said("WIN32")}, Destination: AlertDestination{Transport: said("17")}},
	}
	for range 2 {
		f.InWords(AssetRoles())
		for name, c := range map[string]struct {
			v    Value[string]
			want string
		}{
			"asset.name": {f.Asset.Name, "ws-1"}, "asset.role": {f.Asset.Role, "domain_controller"}, "asset.owner": {f.Asset.Owner, ""}, "asset.site": {f.Asset.Site, ""},
			"endpoint.id": {f.Endpoint.ID, ""}, "endpoint.name": {f.Endpoint.Name, ""}, "endpoint.os": {f.Endpoint.OS, "windows"}, "endpoint.role": {f.Endpoint.Role, ""},
			"endpoint.isolation": {f.Endpoint.Isolation, "none"}, "process.path": {f.Process.Path, `C:\x.exe`}, "process.user": {f.Process.User, ""},
			"process.command_line": {f.Process.CommandLine, ""}, "process.sha256": {f.Process.SHA256, ""}, "traffic.role": {f.Traffic.Role, "unknown"},
			"alert.category": {f.Alert.Category, "high_egress"}, "alert.host.os": {f.Alert.Host.OS, "windows"}, "alert.destination.transport": {f.Alert.Destination.Transport, "udp"},
		} {
			if got, known := c.v.Get(); got != c.want || known != (c.want != "") {
				t.Errorf("%s is %v, want %q", name, c.v, c.want)
			}
			if _, known := c.v.Get(); !known && c.v.Why() == "" {
				t.Errorf("%s is unknown without a reason", name)
			}
		}
		if ips, _ := f.Endpoint.IP.Get(); !slices.Equal(ips, []string{"10.0.0.1"}) {
			t.Errorf("the addresses are %v", ips)
		}
		if tags, _ := f.Asset.Tags.Get(); !slices.Equal(tags, []string{"vip"}) {
			t.Errorf("the tags are %v", tags)
		}
		top, _ := f.Traffic.Top.Get()
		if top[0].Transport != "udp" || top[1].Transport != "tcp" || top[2].Transport != "sctp" {
			t.Errorf("the flows are %v", top)
		}
	}
	c := Connection{Tuple: Tuple{SrcIP: "::ffff:10.0.0.1", DstIP: "2001:DB8:0::1", Transport: "UDP"}, Process: Process{User: said("-")}}
	if c.InWords(); c.SrcIP != "10.0.0.1" || c.DstIP != "2001:db8::1" || c.Transport != "udp" || c.Process.User.IsKnown() {
		t.Errorf("the connection is %+v", c)
	}
}

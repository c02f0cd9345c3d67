package incident

import (
	"strings"
	"testing"
)

func TestVocabulariesKnowOneWordByItsSpellings(t *testing.T) {
	for _, c := range []struct {
		of    Vocabulary
		texts []string
		want  string
	}{
		{AssetRoles(), []string{"domain_controller", "Domain Controller", "domain-controller", "DC", " domain_controller ", "DomainController", "DOMAIN CONTROLLERS", "dc", "AD DC", "domain.controller", "Domain\u00a0Controller"}, "domain_controller"},
		{AssetRoles(), []string{"Workstation", "WORK-STATION", "work station", "pc", "Client", "Laptop"}, "workstation"},
		{AssetRoles(), []string{"DNS", "dns-server", "Name Server", "nameserver"}, "dns"},
		{AssetRoles(), []string{"Hyper-V", "hyperv", "ESXi host"}, "hypervisor"},
		{AssetRoles(), []string{"VPN gateway", "vpn"}, "vpn"},
		{AssetRoles(), []string{"Load Balancer", "loadbalancer", "LB"}, "load_balancer"},
		{AssetRoles(), []string{"kiosk", "domain_controler", "unknown", "", "dc server dc", "not a server"}, ""},
		{OSes(), []string{"windows", "Windows", "WINDOWS", "win32", "Win10", "win11", "Windows 10 Pro", "Microsoft Windows Server 2022 Standard", "WindowsServer2019", "Win32NT", "Microsoft Windows NT 10.0"}, "windows"},
		{OSes(), []string{"Darwin", "darwin 23.1", "macOS", "Mac OS X", "OSX", "macOS 14.2", "macosx"}, "macos"},
		{OSes(), []string{"Linux", "GNU/Linux", "Ubuntu 22.04 LTS", "Red Hat Enterprise Linux 9", "RHEL8", "amzn", "AlmaLinux 9", "redhat", "SUSE Linux", "Debian GNU/Linux 12"}, "linux"},
		{OSes(), []string{"BeOS", "unknown", "", "Windows Subsystem for Linux", "other", "darwinia"}, ""},
		{Transports(), []string{"udp", "UDP", "17", "udp6", "UDP4", " udp ", "0x11"}, "udp"},
		{Transports(), []string{"tcp", "TCP", "6", "tcp6", "TCP (6)"}, "tcp"},
		{Transports(), []string{"icmp", "ICMP", "1", "58", "ipv6-icmp", "ICMPv6"}, "icmp"},
		{Transports(), []string{"sctp", "132", "udptcp", "", "-", "66"}, ""},
		{Categories(), []string{"high_egress", "High Egress", "HIGH-EGRESS", "high egress ", "highEgress"}, "high_egress"},
		{Categories(), []string{"DNS amplification", "dns-amplification"}, "dns_amplification"},
		{Categories(), []string{"Beaconing to C2", "beaconing-to-c2"}, "beaconing_to_c2"},
	} {
		for _, text := range c.texts {
			got := c.of.Of(Known(text, FromInventory))
			if name, _ := got.Get(); name != c.want {
				t.Errorf("%q is read as %v, want %q", text, got, c.want)
			}
			if from := got.From(); c.want != "" && from != FromInventory {
				t.Errorf("%q comes from %q", text, from)
			}
		}
	}
}

func TestAWordOutsideIsUnknownAndSaid(t *testing.T) {
	got := AssetRoles().Of(Known("Kiosk\n<b>", FromInventory))
	if want := `unknown ("Kiosk\n<b>" is not an asset role that is known: add it to roles in stanch.yaml)`; got.String() != want {
		t.Errorf("%v, want %s", got, want)
	}
	if long := AssetRoles().Of(Known(strings.Repeat("ä", 1<<20), FromInventory)); long.IsKnown() || len(long.Why()) > 1000 {
		t.Errorf("a long word is said in %d bytes", len(long.Why()))
	}
	if got := AssetRoles().Of(Known("n/a", FromInventory)); got.IsKnown() || got.Why() != "" {
		t.Errorf("a filler is %v", got)
	}
	if got := AssetRoles().Of(NotKnown[string]("the inventory is down")); got.Why() != "the inventory is down" {
		t.Errorf("an unknown value is %v", got)
	}
}

func TestRolesOfASite(t *testing.T) {
	roles, problems := RolesWith(map[string][]string{"kiosk": {"terminal", "Info Point"}, "domain_controller": {"Anmeldeserver"}, "plc_line_2": nil})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for text, want := range map[string]string{"Info-Point": "kiosk", "KIOSK": "kiosk", "anmeldeserver": "domain_controller", "dc": "domain_controller", "PLC line 2": "plc_line_2"} {
		if got, _ := roles.Word(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if _, known := AssetRoles().Word("kiosk"); known {
		t.Error("a site's role became one of the shipped")
	}
	for name, own := range map[string]map[string][]string{
		"an alias as a role":            {"dc": nil},
		"an alias of another":           {"kiosk": {"workstation"}},
		"an alias of two":               {"kiosk": {"terminal"}, "till": {"terminal"}},
		"a filler":                      {"unknown": nil},
		"a filler as an alias":          {"kiosk": {"n/a"}},
		"a name in another spelling":    {"Info Point": nil},
		"no name":                       {"": nil},
		"a name with a gap":             {"info__point": nil},
		"a name that begins with a gap": {"_kiosk": nil},
		"a name beyond a-z":             {"büro": nil},
		"an alias without letters":      {"kiosk": {"🖥"}},
		"an alias that is another role": {"domain_controller": {"dns"}},
	} {
		if _, problems := RolesWith(own); len(problems) == 0 {
			t.Errorf("%s: no complaint", name)
		}
	}
}

// The roles that the product itself mentions are among the shipped ones.
func TestRolesThatTheProductNames(t *testing.T) {
	for _, role := range SharedRoles() {
		if got, _ := AssetRoles().Word(role); got != role {
			t.Errorf("%s is read as %q", role, got)
		}
	}
	seen := map[string]string{}
	for _, w := range shippedRoles() {
		for _, spelled := range append([]string{w.Name}, w.Aliases...) {
			if other, again := seen[letters(spelled)]; again {
				t.Errorf("%q means %s and %s", spelled, other, w.Name)
			}
			seen[letters(spelled)] = w.Name
		}
	}
}

// A word that a vocabulary has counts also where it is a filler elsewhere, and a
// word in the plural is no other vocabulary's singular.
func TestWordsAtTheEdgeOfAVocabulary(t *testing.T) {
	for _, c := range []struct {
		of         Vocabulary
		text, want string
	}{
		{isolations(), "none", "none"},
		{isolations(), "None ", "none"},
		{isolations(), "n/a", ""},
		{AssetRoles(), "Servers", "server"},
		{AssetRoles(), "dns", "dns"},
		{AssetRoles(), "s", ""},
		{Categories(), "n/a", ""},
		{Categories(), "Unknown", ""},
		{Categories(), "?!", ""},
		{Categories(), "🖥", ""},
		{Categories(), "data loss", "data_loss"},
		{Transports(), "unknown", ""},
		{OSes(), "Unknown OS", ""},
		{OSes(), "Windows 11 on Linux", ""},
		{OSes(), "Linux, Ubuntu Linux", "linux"},
		{OSes(), "Redhat9", "linux"},
		{OSes(), "redhatos", "linux"},
		{OSes(), "OracleLinux 9", "linux"},
		{OSes(), "ClearLinux 4", "linux"},
		{OSes(), "macOSVentura", "macos"},
		{OSes(), "WindowsXP", "windows"},
		{OSes(), "Apple Mac OS X 10.15", "macos"},
		{OSes(), "Chrome OS 120", "chromeos"},
	} {
		if got, ok := c.of.Word(c.text); got != c.want || ok != (c.want != "") {
			t.Errorf("%q is %s: %q, %t; want %q", c.text, c.of.What(), got, ok, c.want)
		}
	}
	if got := (Vocabulary{}).Or(AssetRoles()).What(); got != "an asset role" {
		t.Errorf("instead of no words there are those of %q", got)
	}
	if got := OSes().Or(AssetRoles()).What(); got == "an asset role" {
		t.Errorf("a vocabulary with words is replaced by %q", got)
	}
}

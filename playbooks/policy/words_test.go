package policy

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wordsOf evaluates an expression over a domain controller on Windows whose
// traffic is UDP.
func wordsOf(t *testing.T, src Source) (incident.Verdict, Result, *Policy) {
	t.Helper()
	p := mustCompile(t, src)
	f := someFacts()
	f.Asset.Role = given("domain_controller")
	f.Endpoint.OS, f.Alert.Host.OS = given("windows"), given("windows")
	f.Endpoint.Isolation = given("none")
	r := p.Decide(t.Context(), f, decisionTime)
	return r.Trace.Rules[0].Verdict, r, p
}

func TestLiteralsAreReadInTheWordsOfTheirVocabulary(t *testing.T) {
	for text, want := range map[string]incident.Verdict{
		`asset.role == 'Domain Controller'`:                                    incident.True,
		`'DC' == asset.role`:                                                   incident.True,
		`asset.role != 'domain-controller'`:                                    incident.False,
		`asset.role in ['Workstation', 'Domain Controllers']`:                  incident.True,
		`!(asset.role in ['DOMAIN_CONTROLLER', 'DNS server'])`:                 incident.False,
		`asset.role in infrastructure`:                                         incident.True,
		`asset.role == the_dc`:                                                 incident.True,
		`role == 'Domain Controller'`:                                          incident.True,
		`['Domain Controller', 'dns'].exists(r, r == asset.role)`:              incident.True,
		`asset.role.lowerAscii() == 'domain controller'`:                       incident.True,
		`asset.role.upperAscii() in ['DC', 'DNS']`:                             incident.True,
		`asset.role == (now > timestamp('2020-01-01T00:00:00Z') ? 'DC' : 'x')`: incident.True,
		`asset.role in ['Workstation'] + ['DC']`:                               incident.True,
		`sets.contains(['Domain Controller', 'dns'], [asset.role])`:            incident.True,
		`alert.host.os == 'Windows 10 Pro' && endpoint.os == 'WIN32'`:          incident.True,
		`alert.category == 'High Egress'`:                                      incident.True,
		`alert.destination.transport == 'UDP'`:                                 incident.True,
		`traffic.top.exists(flow, flow.port == 123 && flow.transport == '17')`: incident.True,
		`traffic.top.all(f, f.transport in ['UDP', 'TCP'])`:                    incident.True,
		`traffic.top[0].transport == 'UDP'`:                                    incident.True,
		`traffic.role == 'Requester' && traffic.attribution == 'EXACT'`:        incident.True,
		`endpoint.isolation == 'None'`:                                         incident.True,
		`amplification(123, 'UDP').service == 'NTP'`:                           incident.True,
		`asset.role == 'Domain Controller' ? alert.status == 'Firing' : false`: incident.True,
		`asset.role.contains('Domain')`:                                        incident.True,
		`asset.role.startsWith('Domain Contr')`:                                incident.True,
		`asset.role.matches('^Domain.Controller$')`:                            incident.True,
		`alert.host.id == 'WS-042'`:                                            incident.False, // no closed vocabulary
		`asset.role == 'domain_controler'`:                                     incident.False,
	} {
		src := source(Named{Name: "r", Expr: at(text)})
		src.Let = []Named{
			{Name: "infrastructure", Expr: at(`['DC', 'Name Server']`)},
			{Name: "the_dc", Expr: at(`'Domain Controller'`)},
			{Name: "role", Expr: at(`asset.role`)},
		}
		got, r, _ := wordsOf(t, src)
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		var parts []string
		for _, p := range r.Trace.Rules[0].Parts {
			parts = append(parts, p.Expr)
		}
		if shown := strings.Join(parts, " && "); shown != text {
			t.Errorf("%s is shown as %s", text, shown)
		}
	}
}

func TestWordsThatMeanNothingAreComplainedAbout(t *testing.T) {
	for text, want := range map[string]string{
		`asset.role == 'domain_controler'`:                 `playbook.yaml:1:15: "domain_controler" is not an asset role: did you mean 'domain_controller'?`,
		`asset.role in ['dc', 'kiosk']`:                    `playbook.yaml:1:22: "kiosk" is not an asset role that is known: add it to roles in stanch.yaml`,
		`asset.role == 'unknown'`:                          `playbook.yaml:1:15: "unknown" is not an asset role that is known: add it to roles in stanch.yaml`,
		`alert.host.os == 'widnows'`:                       `playbook.yaml:1:18: "widnows" is not an operating system that is known: did you mean 'windows'?`,
		`traffic.top.exists(f, f.transport == 'upd')`:      `playbook.yaml:1:38: "upd" is not udp, tcp or icmp: did you mean 'udp'?`,
		`traffic.role == 'requestor'`:                      `playbook.yaml:1:17: "requestor" is not a role of traffic: did you mean 'requester'?`,
		`alert.category == 'high_egres'`:                   `playbook.yaml:1:19: "high_egres" is not a category of alerts that the library knows: did you mean 'high_egress'?`,
		`alert.category == 'beaconing'`:                    "",
		`asset.role != ''`:                                 "",
		`asset.role in ['dc', 'Kiosk Terminal']`:           `playbook.yaml:1:22: "Kiosk Terminal" is not an asset role that is known: add it to roles in stanch.yaml`,
		`asset.owner == 'kiosk' && asset.site == 'Berlin'`: "",
	} {
		src := source(Named{Name: "r", Expr: Expr{Text: text, Line: 1, Column: 1, Verbatim: true}})
		src.Content = []byte(text)
		p := mustCompile(t, src)
		got := ""
		for _, i := range p.Complaints() {
			got += i.File + ":1:" + strconv.Itoa(i.Column) + ": " + i.Message
		}
		if got != want {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
	own, problems := incident.RolesWith(map[string][]string{"kiosk": {"terminal"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	src := source(Named{Name: "r", Expr: at(`asset.role == 'Terminal'`)})
	src.Roles = own
	p := mustCompile(t, src)
	f := someFacts()
	f.Asset.Role = given("kiosk")
	if r := p.Decide(t.Context(), f, decisionTime); len(p.Complaints()) > 0 || r.Rule != 0 {
		t.Errorf("a site's own role: rule %d, complaints %v", r.Rule, p.Complaints())
	}
}

package policy

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// realisticYAML is a playbook of the size that teams write; the expressions
// are in it as they would be loaded.
const realisticYAML = `trigger:
  match: alert.category == 'high_egress' && alert.host.os == 'windows'
  subject: alert.host.id
let:
  ratio: traffic.bytes_out / max(baseline.p99, bytes('10MiB'))
guardrails:
  - name: infrastructure
    deny: asset.role in ['domain_controller', 'dns', 'dhcp', 'hypervisor', 'vpn', 'proxy']
decide:
  - rule: sanctioned-transfer
    when: process.path == r'C:\Program Files\Veeam\VeeamAgent.exe' && process.signed
  - rule: amplification-from-a-workstation
    when: |
      traffic.role == 'requester'
      && traffic.attribution == 'exact'
      && asset.role == 'workstation'
      && asset.owner != 'lab'
  - rule: unexplained-volume
    when: ratio > 20
  - rule: much
    when: 'known(baseline.p99) ? ratio > 20 : traffic.bytes_out > bytes(''2GiB'')'
  - rule: otherwise
`

// in finds an expression in a file by the text before it, and gives it its
// place as the loader does.
func in(content, before, text string) Expr {
	start := strings.Index(content, before) + len(before)
	head := content[:start]
	line := 1 + strings.Count(head, "\n")
	return Expr{
		Text: text, Line: line, Column: start - strings.LastIndexByte(head, '\n'),
		Block: strings.Contains(before, "|\n"), Verbatim: true,
	}
}

func realistic() Source {
	const y = realisticYAML
	return Source{
		File: "playbook.yaml", Content: []byte(y),
		Match:   in(y, "match: ", "alert.category == 'high_egress' && alert.host.os == 'windows'"),
		Subject: in(y, "subject: ", "alert.host.id"),
		Let:     []Named{{"ratio", in(y, "ratio: ", "traffic.bytes_out / max(baseline.p99, bytes('10MiB'))")}},
		Guardrails: []Named{
			{"infrastructure", in(y, "deny: ", "asset.role in ['domain_controller', 'dns', 'dhcp', 'hypervisor', 'vpn', 'proxy']")},
		},
		Rules: []Named{
			{"sanctioned-transfer", in(y, "transfer\n    when: ", `process.path == r'C:\Program Files\Veeam\VeeamAgent.exe' && process.signed`)},
			{"amplification-from-a-workstation", in(y, "when: |\n      ",
				"traffic.role == 'requester'\n&& traffic.attribution == 'exact'\n&& asset.role == 'workstation'\n&& asset.owner != 'lab'\n")},
			{"unexplained-volume", in(y, "volume\n    when: ", "ratio > 20")},
			{"much", in(y, "much\n    when: '", "known(baseline.p99) ? ratio > 20 : traffic.bytes_out > bytes('2GiB')")},
			{Name: "otherwise"},
		},
		Facts: incident.FactNames(),
	}
}

func BenchmarkDecide(b *testing.B) {
	p := mustCompile(b, realistic())
	facts := someFacts()
	b.ReportAllocs()
	for b.Loop() {
		if r := p.Decide(b.Context(), facts, decisionTime); r.Rule != 3 || len(r.Unsure) != 2 {
			b.Fatalf("%+v", r)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, issues := Compile(realistic()); len(issues) > 0 {
			b.Fatal(issues)
		}
	}
}

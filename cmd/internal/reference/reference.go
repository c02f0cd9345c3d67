// Package reference writes the reference documents from the code: the input and
// behaviour of the loader, the policy, the integrations and the engine are
// described from their own definitions. Nothing is written twice.
package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog"
	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/policy"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// generated is at the top of each document.
const generated = "Generated from the code; `stanch docs` writes it.\n"

// Files returns the documents by their paths below the folder of documents.
func Files(catalog integrations.Catalog) (map[string][]byte, error) {
	files := map[string][]byte{
		"reference/playbook.md":     []byte(playbooks.Reference()),
		"reference/policy.md":       []byte(policyReference()),
		"reference/integrations.md": []byte(integrationsReference(catalog.Integrations)),
		"reference/alerts.md":       []byte(alertsReference(catalog.Sources)),
		"reference/egress-logs.md":  []byte(egressLogsReference(flowlog.Formats())),
		"reference/transports.md":   []byte(transportsReference(catalog.Transports)),
		"reference/activities.md":   []byte(activitiesReference()),
		"reference/metrics.md":      []byte(metricsReference()),
	}
	configuration, err := configurationReference()
	if err != nil {
		return nil, err
	}
	files["reference/configuration.md"] = []byte(configuration)
	if files["reference/openapi.json"], err = OpenAPI(); err != nil {
		return nil, err
	}
	if files["playbook.schema.json"], err = playbooks.Schema(); err != nil {
		return nil, err
	}
	if files["playbook_test.schema.json"], err = playbooks.TestSchema(); err != nil {
		return nil, err
	}
	if files["mapping.schema.json"], err = mapping.Schema(); err != nil {
		return nil, err
	}
	return files, nil
}

// cell is text within a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", "\\|"), "\n", " ")
}

// code is a code span within a table.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// wordsReference lists the closed vocabularies.
func wordsReference() string {
	var b strings.Builder
	b.WriteString(`
## Words

Some variables hold words of a closed set. What a source, an inventory or an EDR says is put into them where it enters, and
so are the literals that an expression compares with such a variable: ` + "`'Domain Controller'`" + ` equals ` + "`domain_controller`" + `. Case, and
whether parts are joined by a blank, a dash, an underscore or nothing, never matter. A word that is not among them is
unknown, with that word in the reason, so a condition on it is unknown and never false; ` + "`stanch playbook lint`" + ` refuses it in a
literal, and ` + "`stanch doctor`" + ` lists those of the inventory.

| variable | words |
|---|---|
`)
	for _, v := range policy.Variables() {
		words, closed := incident.ClosedField(v.Path, incident.AssetRoles())
		switch {
		case v.Path == "traffic.top[].transport":
			words, closed = incident.Transports(), true
		case words.What() == incident.AssetRoles().What():
			fmt.Fprintf(&b, "| `%s` | a [role](#roles) |\n", v.Path)
			continue
		}
		if closed {
			others := ""
			if words.Open() {
				others = ", or your own"
			}
			fmt.Fprintf(&b, "| `%s` | `%s`%s |\n", v.Path, strings.Join(words.Names(), "`, `"), others)
		}
	}
	b.WriteString(`
## Roles

` + "`roles`" + ` in [stanch.yaml](configuration.md) adds a site's own, and more aliases for these.

| role | also |
|---|---|
`)
	for _, w := range incident.AssetRoles().Words() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", w.Name, strings.Join(w.Aliases, ", "))
	}
	return b.String()
}

func policyReference() string {
	var b strings.Builder
	b.WriteString("# Policy expressions\n\n" + generated + `
Expressions are [CEL](https://github.com/google/cel-spec). They are three-valued: what was not obtained is unknown, and
an expression that depends on it is unknown too, with the name of what is missing. Sizes are bytes, rates are bits per
second, both integers. A Windows path is written as a raw string: ` + "`r'C:\\Windows'`" + `.

## Variables

Besides those, an expression sees the lets before it, by name.

` + "`process`" + ` is known only where its connections match the flows. ` + "`candidate`" + ` is who sends as far as can be told: the
process where it is known, else who is guessed by the destination or from the list of processes. It comes with
` + "`enrich: process`" + `, and nothing is ever done to it.

| variable | type | meaning |
|---|---|---|
`)
	for _, v := range policy.Variables() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Path, code(v.Type), cell(v.Doc))
	}
	b.WriteString(wordsReference())
	b.WriteString("\n## Functions\n\n| function | signatures | meaning | an expression that is true |\n|---|---|---|---|\n")
	for _, f := range policy.Functions() {
		signatures := make([]string, 0, len(f.Signatures))
		for _, s := range f.Signatures {
			signatures = append(signatures, code(s))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, strings.Join(signatures, "<br>"), cell(f.Doc), code(f.Example))
	}
	return b.String()
}

func integrationsReference(specs []integrations.Spec) string {
	var b strings.Builder
	b.WriteString("# Integrations\n\n" + generated + `
An integration is an entry of ` + "`integrations`" + ` in [stanch.yaml](configuration.md): the name that playbooks use, its kind,
and the settings of that kind. A secret may be written as its key with ` + "`_file`" + `: the value then is the path of a file
that holds it.

Every integration also takes ` + "`rate`" + `, such as ` + "`10/s`" + `: how many operations on it all workers together begin. Where a kind's limits
are listed below, they set the pace, and ` + "`rate`" + ` may only make it slower. What one operation asks of the product is counted by
each process too, which keeps to its part, and a call that would be too many is not sent ([why](../adr/0032-a-products-limits.md)).

| kind | what it is | actions | facts |
|---|---|---|---|
`)
	for _, s := range specs {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", s.Kind, s.Kind, cell(s.Summary), actions(s.Actions), strings.Join(s.Facts, ", "))
	}
	b.WriteString(checksReference())
	for _, s := range specs {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```yaml\nintegrations:\n  %s\n```\n", s.Kind, s.Summary, strings.ReplaceAll(s.Example, "\n", "\n  "))
		b.WriteString(strings.Replace(playbooks.ReferenceOf(s.Kind, s.NewConfig()), "\n## "+s.Kind+"\n", "", 1))
		if s.Reference != nil {
			b.WriteString("\n" + s.Reference())
		}
		if s.ExceptBy != "" {
			fmt.Fprintf(&b, "\nWhat an isolated host still reaches ([infrastructure](../operating.md#the-way-back)): %s.\n", s.ExceptBy)
		}
		b.WriteString(limitsOf(s))
		b.WriteString(hearingOf(s))
		if len(s.Permissions) == 0 {
			continue
		}
		b.WriteString("\n| permission | what for |\n|---|---|\n")
		for _, p := range s.Permissions {
			fmt.Fprintf(&b, "| %s | %s |\n", code(p.Name), cell(p.Why))
		}
	}
	return b.String()
}

// limitsOf are the limits of a kind, and how they are kept.
func limitsOf(s integrations.Spec) string {
	if len(s.Limits) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| limit of the product | counts | requests an operation | all workers begin | source |\n|---|---|---|---|---|\n")
	for _, l := range s.Limits {
		counts := "all calls"
		if l.Each {
			counts = "each call by itself"
		}
		if l.Name != "" {
			counts = strings.TrimSuffix(l.Name+": "+strings.Join(append(slices.Clone(l.Facts), strings.Split(actions(l.Actions), ", ")...), ", "), ", ")
		}
		pace := "it is counted, and sets no pace"
		if own := s.Pace(l.Name); own > 0 && l.SetsPace() {
			pace = "at most " + config.Rate(own).String()
		}
		fmt.Fprintf(&b, "| %d in %s | %s | %d | %s | %s |\n", l.N, incident.FormatDuration(l.Per), counts, max(1, l.Requests), pace, cell(l.Source))
	}
	return b.String()
}

// hearingOf is what heard_within of a playbook may ask of a kind.
func hearingOf(s integrations.Spec) string {
	switch {
	case !s.Does(incident.Isolate):
		return ""
	case s.Hearing.Within == 0:
		return "\nIt does not tell when it heard an agent: `heard_within` is refused.\n"
	}
	return fmt.Sprintf("\nThe shortest `heard_within` is %s: %s.\n", incident.FormatDuration(s.Hearing.Within), s.Hearing.Source)
}

func actions(actions []incident.Action) string {
	names := make([]string, 0, len(actions))
	for _, a := range actions {
		names = append(names, string(a))
	}
	return strings.Join(names, ", ")
}

func configurationReference() (string, error) {
	defaults, err := config.Parse("stanch.yaml", []byte("{}"), integrations.Catalog{})
	if err != nil {
		return "", fmt.Errorf("read the defaults: %w", err)
	}
	return "# Configuration\n\n" + generated + `
` + "`stanch serve --config stanch.yaml`" + ` reads one YAML file. It is strict: a key that is not listed here is refused, with its
place. Every value may hold ` + "`${env:NAME}`" + `; every secret may be written as its key with ` + "`_file`" + `: the
file holds the secret and one end of line, as plain text without a byte order mark. Complaints about this file show its keys,
and never the text next to one that takes a secret. Relative paths start from the file's folder. Integrations have [their own page](integrations.md), sources [theirs](alerts.md).
` + playbooks.ReferenceOf("stanch.yaml", defaults) + limitsReference(), nil
}

// limitsReference describes the thresholds of traffic roles.
func limitsReference() string {
	limits := traffic.DefaultRoleLimits()
	var b strings.Builder
	b.WriteString(playbooks.ReferenceOf("Limits", &limits))
	b.WriteString(`
In brackets stands the name of the tunable in MITRE's analytics AN1434, AN0969, AN1140, AN1143 and AN0367 that a limit
stands for. Their TimeWindow is the window of a playbook's enrichment: ` + "`enrich: { traffic: { with: { window: 15m } } }`" + `.
Their PacketToByteRatio has none: the queries of a name server and those of an attack have the same size. Real records
set the defaults: Sysmon and Zeek of the OTRF campaigns, Zeek of APT29, a speed test. For a role of which there is no
record there is no number either: a scanner, a backup server or a monitoring host is the team's to describe.

These asset roles differ as shipped; ` + "`default`" + ` may raise, but does not lower that:

| asset role | limit | shipped | why |
|---|---|---|---|
`)
	for _, role := range traffic.ResolverRoles() {
		own := limits.ForAssetRole(role)
		fmt.Fprintf(&b, "| `%s` | `requester_rate` | %d | It asks for its clients: the busiest minute of a DNS client in the records had 278 queries, and a /24 has 254 clients. |\n", role, own.RequesterRate)
		fmt.Fprintf(&b, "| `%s` | `requester_packets` | %d | A minute at that rate. |\n", role, own.RequesterPackets)
	}
	b.WriteString(`
` + "```yaml" + `
traffic:
  limits:
    default: { transfer_bytes: 10MiB }
    scanner: { requester_peers: 65536, requester_rate: 5000 }
    time:    { amplification_ports: [53/udp, 389/udp] }
` + "```" + `
`)
	return b.String()
}

package reference

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations/flowlog"
)

// egressLogsReference describes the formats of egress logs.
func egressLogsReference(formats []flowlog.Format) string {
	var b strings.Builder
	b.WriteString(generated + `
# Egress logs

The embedded flow store reads these logs, plain or gzip: once with ` + "`stanch flows import`" + `, and as they are written by
the [logs](integrations.md#sqlite) of the store or ` + "`stanch flows follow`" + `. Zeek's conn.log (TSV or JSON), goflow2's JSON and Suricata's
EVE (its events flow and netflow) need no format, and may mix in one file. [How logs come in](../integrations/egress-logs.md) says what
holds for all.

| format | log | recognised by its beginning | layout | times | exit |
|---|---|---|---|---|---|
`)
	for _, f := range formats {
		recognised, layout, zone := "yes", "fixed", "say their zone"
		if f.Begins == nil {
			recognised = "no: give its name"
		}
		if f.Layout != "" {
			layout = "chosen at the product"
		}
		if f.Zone {
			zone = "may lack a zone"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s | %s |\n", f.Name, f.Name, cell(f.Title), recognised, layout, zone, cmp.Or(string(f.Exit), "any"))
	}
	for _, f := range formats {
		fmt.Fprintf(&b, "\n## %s\n\n%s. %s\n", f.Name, f.Title, strings.TrimSpace(f.Doc))
		if f.Layout != "" {
			fmt.Fprintf(&b, "\n**layout**: %s\n", strings.TrimSpace(f.Layout))
		}
	}
	return b.String()
}

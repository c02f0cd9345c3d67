package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/docs"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// alertsReference describes the kinds of alert sources and what they share.
func alertsReference(sources []alerts.Spec) string {
	var b strings.Builder
	b.WriteString(`# Alerts

A source is one entry of ` + "`sources`" + ` in stanch.yaml; its alerts are posted to ` + "`/v1/alerts/<source>`" + `.
One request holds at most ` + fmt.Sprint(alerts.MaxAlerts) + ` alerts of at most ` + fmt.Sprint(alerts.MaxAlertBytes>>10) + ` KiB each. Each stands alone: one that is
wrong or too large is rejected and kept, and the others become cases. The answer is 202 with

- ` + "`cases`" + `: where the alerts went, each case once;
- ` + "`recorded`" + `: the ids under which alerts are kept that ask for no response;
- ` + "`rejected`" + `: of each alert that could not be taken its ` + "`index`" + ` in the request, the ` + "`id`" + ` under which it is kept, the
  sender's own id (` + "`alert`" + `), the ` + "`path`" + ` of the field that is wrong, and the ` + "`problem`" + `.

It is 422 only when no alert is taken, with the same list as ` + "`alerts`" + `; a body that cannot be read at all is kept as a whole.
What is kept waits for ` + "`stanch alert rejected retry`" + `. What is too large to keep is cut, and its problem says so. A command line
is cut at ` + fmt.Sprint(alerts.MaxCommandLine>>10) + ` KiB, with a mark, and makes no alert too large. Anything but 202 and 422 means: send the request again; what of
it was taken already is recognised.

` + "`POST /v1/alerts/<source>/test`" + ` takes the same body and credential, and only answers what it would become: nothing is kept or
started. ` + "`stanch source test`" + ` says it without a server, and ` + "`stanch doctor --live`" + ` sends a sample through each source.

What starts nothing is kept for 30 days: of each source at most ` + count(engine.AsRejected) + ` rejected alerts, and ` + count(engine.AsRecorded) + ` that ask for
no response. A rejected one beyond that is answered as any, and not kept; of the others the answer counts those as
` + "`unkept`" + `. Alerts also [wait in queues](transports.md), from which they are fetched.

| kind | what sends it | an alert is known again by | an occurrence of it by | on the sender's side |
|---|---|---|---|---|
`)
	for _, k := range sources {
		page := ""
		if docs.HasPage(k.Kind) {
			page = "[steps](../integrations/" + k.Kind + ".md)"
		}
		fmt.Fprintf(&b, "| [%s](#kind-%s) | %s | %s | %s | %s |\n", k.Kind, k.Kind, cell(k.Summary), cell(k.Identity), cell(k.Occurrence), page)
	}
	b.WriteString(`
## What starts nothing

Only an alert that is firing opens a case. The others are recorded, and told to a case of their host that is open:

| status | the alert |
|---|---|
| resolved | is over, by the sender's word; that never lifts a containment |
| not_alerting | asks for no response: it is archived, suppressed, closed as expected or material for others, our host is the target of the traffic, or what was found is not known to be traffic that leaves. Where that is not the sender's own word, the record says why |
| sample | is a test of the sender |

## What is read how, in every kind

A word that says that there is no value (unknown, -, n/a, none, null, and the like) is none: it names no host, and what
the source configures stands. A field beside the host that cannot be read, such as several values where there is one, is
unknown with what stood there; it never loses the alert. Only what names the host, the id or the category can refuse one.
Names of operating systems, transports and categories are read in any spelling. A text that is too long is cut, and says
so. Bytes that are no UTF-8 are written as ` + "`\\xff`" + `, control characters as ` + "`\\x1b`" + `.

Several hosts in one field are none of them: nothing is done, and the case says why. So it is where the alert does not
say which of its machines sends.
`)
	for _, k := range sources {
		fmt.Fprintf(&b, "\n## Kind %s\n\n%s\n\n```json\n%s```\n", k.Kind, k.Doc, k.Example)
		b.WriteString(fieldsReference(k))
	}
	b.WriteString(`
## Authentication

Exactly one of these per source; a source without any refuses every request.

| setting | the sender gives |
|---|---|
`)
	for _, row := range auth.Reference() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", row[0], row[1])
	}
	return b.String()
}

// count is how many records of a source are kept, in words.
func count(as engine.KeptAs) string {
	number, bytes := engine.MostKept(as)
	if as == engine.AsRejected {
		return fmt.Sprintf("%d (and %d MiB)", number, bytes>>20)
	}
	return fmt.Sprint(number)
}

// fieldsReference says of each value of an alert where it is looked for, unless
// the kind's own words do.
func fieldsReference(k alerts.Spec) string {
	if k.Fields == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `
What is read from which fields of a document of the kind %s, in the order in which they are tried: the first that has a value
that can be read counts.

| value | fields | |
|---|---|---|
`, k.Kind)
	began, updated := alerts.Field{Name: "began", Doc: "When this occurrence began, where it is not the time.", Paths: k.Began}, alerts.Field{Name: "updated", Doc: "When the alert was changed last.", Paths: k.Updated}
	for _, f := range append(slices.Clone(k.Fields), began, updated) {
		if len(f.Paths) > 0 {
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", f.Name, strings.Join(f.Paths, "`, `"), cell(f.Doc))
		}
	}
	return b.String()
}

package alerts

import (
	"fmt"
	"strings"
)

// Reference describes the sources and the product's own alert form as
// Markdown, for the generated documentation.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Alerts

A source is one entry of ` + "`sources`" + ` in stanch.yaml; its alerts are posted to ` + "`/v1/alerts/<source>`" + `.
One request holds at most ` + fmt.Sprint(MaxAlerts) + ` alerts of at most ` + fmt.Sprint(MaxAlertBytes>>10) + ` KiB each. Each stands alone: one that is
wrong or too large is rejected and kept, and the others become cases. The answer is 202 with

- ` + "`cases`" + `: where the alerts went, each case once;
- ` + "`recorded`" + `: the ids under which alerts are kept that ask for no response;
- ` + "`rejected`" + `: of each alert that could not be taken its ` + "`index`" + ` in the request, the ` + "`id`" + ` under which it is kept, the
  sender's own id (` + "`alert`" + `), the ` + "`path`" + ` of the field that is wrong, and the ` + "`problem`" + `.

It is 422 only when no alert is taken, with the same list as ` + "`alerts`" + `; a body that cannot be read at all is kept as a whole.
What is kept waits for ` + "`stanch alert rejected retry`" + `. What is too large to keep is cut, and its problem says so. A command line
is cut at ` + fmt.Sprint(maxCommandLine>>10) + ` KiB, with a mark, and makes no alert too large. Anything but 202 and 422 means: send the request again; what of
it was taken already is recognised.

## Kind stanch

One alert as a JSON object, or ` + "`{\"alerts\": [ … ]}`" + `. Every field may be left out (it is unknown then, never zero),
except that the host must be named in one way. A field that is not listed here is refused.

The host is the machine that sends, never the sensor that saw it.

| field | type | meaning |
|---|---|---|
`)
	for _, f := range Fields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Path, f.Type, f.Doc)
	}
	b.WriteString(`
` + "```json" + `
` + Example + "```" + `

Numbers may be written as text, also with commas between groups of three digits. Times may have an offset with or
without colon and any number of fractional digits.

## What is read how, in every kind

A word that says that there is no value (unknown, -, n/a, none, null, and the like) is none: it names no host, and what
the source configures stands. A field beside the host that cannot be read, such as several values where there is one, is
unknown with what stood there; it never loses the alert. Only what names the host, the id or the category can refuse one.
Names of operating systems, transports and categories are read in any spelling. A text that is too long is cut, and says
so. Bytes that are no UTF-8 are written as ` + "`\\xff`" + `, control characters as ` + "`\\x1b`" + `.

Several hosts in one field are none of them: nothing is done, and the case says why. So it is where the alert does not
say which of its machines sends.

## Kind elastic

What a Kibana connector posts: an alert document of Elastic Security, a list of them, ` + "`{\"alerts\": [ … ]}`" + ` (also
below ` + "`context`" + `), Kibana's summary of new, ongoing and recovered alerts, or search hits. Field names may be
nested, flattened, or both. The host is the machine at ` + "`source.ip`" + `. What stands below ` + "`host`" + ` describes it only where that
is one of ` + "`host.ip`" + `: else the agent on a sensor shipped the event. A connection that came in (` + "`network.direction`" + `, Sysmon's
` + "`Initiated`" + `) is told by which end sent more. In the connector's body write ` + "`{{{context.alerts.asJSON}}}`" + `, or the lists arrive joined with commas.

## Kind splunk

What the webhook alert action posts. Each request holds one row of the result, so let the alert trigger for each
result. Field names are those of the Common Information Model. The host is the machine at ` + "`src_host`, `src_ip` or `src`" + `, or, of
a connection with the ` + "`direction`" + ` inbound, the one at ` + "`dest`" + ` where it sent more. The field ` + "`host`" + ` is the indexer's word for the
sensor and names the host only in a row that names nothing else. The action cannot set headers: use ` + "`url_token`" + `.

## Authentication

Exactly one of these per source; a source without any refuses every request.

| setting | the sender gives |
|---|---|
`)
	for _, m := range methods() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", m.setting, m.doc)
	}
	return b.String()
}

// Example is an alert of kind stanch, synthetic.
const Example = `{
  "id": "siem-4711",
  "category": "high_egress",
  "rule": "UDP egress above 1 GiB in 15 minutes",
  "severity": "high",
  "time": "2026-03-01T03:12:45Z",
  "window": "15m",
  "bytes_out": 4294967296,
  "raised_by": "alice",
  "count": 51234,
  "host": { "id": "ws-042", "name": "ws-042.corp.example", "os": "windows", "ip": ["10.20.0.42"] },
  "process": { "name": "updater.exe", "path": "C:\\Users\\Public\\updater.exe", "pid": 4242, "command_line": "updater.exe -q", "user": "CORP\\kim" },
  "destination": { "ip": "203.0.113.7", "port": 123, "transport": "udp" }
}
`

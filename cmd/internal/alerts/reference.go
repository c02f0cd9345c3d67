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
One request holds at most ` + fmt.Sprint(MaxAlerts) + ` alerts of at most ` + fmt.Sprint(MaxAlertBytes>>10) + ` KiB each. It is taken whole or refused whole;
the refusal (422) names the field that is wrong.

## Kind stanch

One alert as a JSON object, or ` + "`{\"alerts\": [ … ]}`" + `. Every field may be left out (it is unknown then, never zero),
except that the host must be named in one way. A field that is not listed here is refused.

| field | type | meaning |
|---|---|---|
`)
	for _, f := range Fields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Path, f.Type, f.Doc)
	}
	b.WriteString(`
` + "```json" + `
` + Example + "```" + `

Numbers may be written as text. Times may have an offset with or without colon and any number of fractional digits.

## Kind elastic

What a Kibana connector posts: an alert document of Elastic Security, a list of them, ` + "`{\"alerts\": [ … ]}`" + ` (also
below ` + "`context`" + `), Kibana's summary of new, ongoing and recovered alerts, or search hits. Field names may be
nested, flattened, or both. In the connector's body write ` + "`{{{context.alerts.asJSON}}}`" + `, or the lists arrive joined with commas.

## Kind splunk

What the webhook alert action posts. Each request holds one row of the result, so let the alert trigger for each
result. Field names are those of the Common Information Model. The action cannot set headers: use ` + "`url_token`" + `.

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

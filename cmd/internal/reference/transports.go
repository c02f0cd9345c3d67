package reference

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
)

// transportsReference describes the ways in which alerts are fetched.
func transportsReference(transports []alerts.Transport) string {
	var b strings.Builder
	b.WriteString("# Transports\n\n" + generated + `
A [source](alerts.md) whose entry in [stanch.yaml](configuration.md) has ` + "`from`" + ` is not posted to: its alerts are fetched where
they wait. What a message holds is read as a posted body of the source's kind is, with the same bounds; ` + "`rate`" + ` bounds how
fast messages are taken. A secret may be written as its key with ` + "`_file`" + `.

A message is confirmed to its queue only once the engine holds everything of it: its cases, or what was wrong with it, as a
rejected alert. While the engine takes nothing, nothing is confirmed, and the message comes again. What comes twice is
recognised as an alert that is sent again is. A message that cannot be read, or is too large, holds up none behind it.

Every process with the role receiver fetches. ` + "`stanch_source_connected`" + ` says whether it can, ` + "`stanch_source_lag_messages`" + ` how much
waits ([metrics](metrics.md)); ` + "`stanch doctor`" + ` asks for both.

| kind | what it is | several receivers | after a restart |
|---|---|---|---|
`)
	for _, t := range transports {
		several := "share what waits"
		if t.Alone != "" {
			several = "each fetch everything, and repeats are recognised: " + t.Alone
		}
		restarted := "what waits"
		if t.Again != "" {
			restarted = "what waits, and perhaps what was taken before, which is recognised: " + t.Again
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", t.Kind, t.Kind, cell(t.Summary), cell(several), cell(restarted))
	}
	for _, t := range transports {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```yaml\nsources:\n  one:\n    kind: %s\n    from: %s\n```\n", t.Kind, t.Doc, cmp.Or(t.Source, "stanch"), strings.ReplaceAll(t.Example, "\n", "\n    "))
		b.WriteString(strings.Replace(playbooks.ReferenceOf(t.Kind, t.NewConfig()), "\n## "+t.Kind+"\n", "", 1))
	}
	return b.String()
}

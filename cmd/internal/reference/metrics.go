package reference

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/metrics"
)

// metricsReference describes the families of metrics.
func metricsReference() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n" + generated + `
What ` + "`/metrics`" + ` shows, in the text format of Prometheus. Times are in seconds. Labels hold words of closed sets, and names in your own files: never a
host, a person or text of an alert. [Alert rules](../monitoring/alerts.yml) and a [dashboard](../monitoring/dashboard.json) for Grafana use them;
[Operating](../operating.md#metrics-and-health) says how they are set up.

*Counters* count what one process did since it started: sum them over processes. A workflow task that was lost and done again counts twice.
Gauges that are marked *shared* say what stands, as the engine lists it, so that every process says the same: take ` + "`max`" + ` over processes, never the sum.
They are asked for when somebody scrapes, and are at most some seconds old; ` + "`" + metrics.StandingAge + "`" + ` says how old.

| name | type | labels | meaning |
|---|---|---|---|
`)
	for _, d := range metrics.Definitions() {
		var labels []string
		for _, label := range d.Labels {
			labels = append(labels, code(label))
		}
		kind := string(d.Kind)
		if d.Shared {
			kind += ", shared"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(d.Name), kind, strings.Join(labels, ", "), cell(strings.TrimSpace(d.Help+" "+d.Labelled)))
	}
	b.WriteString(`
Besides these there are the families of the engine's client, which begin with ` + "`temporal_`" + ` and are described by Temporal (its SDK metrics reference): requests
to the engine by operation, the latency of tasks and activities, free slots of workers, the cache of workflows. Those of the Go runtime begin with
` + "`go_`" + `, those of the process with ` + "`process_`" + `.
`)
	return b.String()
}

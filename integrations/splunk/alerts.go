// Package splunk reads what Splunk's webhook alert action posts, and tells Enterprise Security
// what becomes of its notable events.
package splunk

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec(), FlowsSpec()}, Sources: []alerts.Spec{Alerts()}}
}

// Alerts describes what the webhook alert action posts.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "splunk",
		Summary: "results of a Splunk search, posted by its webhook alert action",
		Doc: "What the webhook alert action posts. Each request holds the first row of the result alone, so let the alert trigger for each\n" +
			"result. A list or a stream of such is taken, and the rows of a search as the API gives them: in `results`, or one object\n" +
			"each, of which a `preview` starts nothing. Field names are those of the Common Information Model. The host is the machine at `src_host`, `src_ip` or `src`, or, of\n" +
			"a connection with the `direction` inbound, the one at `dest`, in doubt: it may be the target, and `bytes_in` what it received. The field `host` is the indexer's word for the\n" +
			"sensor and names the host only in a row that names nothing else. The action cannot set headers: use `url_token`, with the `addresses` that the search heads send from.",
		Identity:   "`sid`, with a digest of the row; of a finding of Enterprise Security its `event_id`",
		Occurrence: "`result._time`",
		Example: `{
  "sid": "scheduler__admin__search__RMD5_at_1772334600_42", "search_name": "UDP egress above 1 GiB in 15 minutes",
  "result": { "_time": "1772334765", "src_ip": "10.20.0.42", "src_host": "ws-042", "dest_ip": "203.0.113.7", "dest_port": "123", "bytes_out": "4294967296" }
}
`,
		Varies: []string{"1772334600_42", "1772334600_{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: fields(),
		Split:  splitAlerts, Join: alerts.JoinList, Read: readAlert,
	}
}

// splitAlerts takes what the webhook alert action posts, a list or a stream of such, and the
// rows of a search as Splunk's API gives them: together in results, or one object each.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	posts, bad := alerts.Stream(body)
	if bad != nil {
		return nil, bad
	}
	list := alerts.IsList(body)
	if len(posts) == 0 && !list {
		return nil, alerts.Wrong("", "is empty")
	}
	if len(posts) == 1 && !list {
		posts[0].Path = ""
	}
	all := make([]alerts.Document, 0, len(posts))
	for _, post := range posts {
		rows, bad := rowsOf(post)
		if bad != nil && len(posts) == 1 && !list {
			return nil, bad
		}
		if bad != nil {
			// It is said when it is read; the others can be.
			rows = []alerts.Document{post}
		}
		all = append(all, rows...)
	}
	return all, nil
}

// rowsOf takes apart a post that has several rows. Each keeps what the post says of all.
func rowsOf(post alerts.Document) ([]alerts.Document, *alerts.FieldError) {
	// What is wrong with it is said when it is read.
	members, _ := alerts.Object(post.Path, post.Raw)
	maps.DeleteFunc(members, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	if members["results"] == nil && !alerts.IsList(members["result"]) {
		return []alerts.Document{post}, nil
	}
	var rows []alerts.Document
	// The first row may stand alone beside all of them: it is the same alert twice.
	for _, name := range []string{"results", "result"} {
		if members[name] == nil {
			continue
		}
		path := alerts.Join(post.Path, name)
		more, bad := alerts.List(path, members[name], "")
		switch {
		case bad != nil:
			return nil, bad
		case len(more) == 0:
			return nil, alerts.Wrong(path, "holds no row: the search found nothing")
		}
		rows = append(rows, more...)
	}
	delete(members, "results")
	for i := range rows {
		members["result"] = rows[i].Raw
		// What was decoded from JSON encodes.
		rows[i].Raw, _ = json.Marshal(members)
	}
	return rows, nil
}

// readAlert reads one post of the webhook alert action: the id of the search,
// its name, and one row of its result, in which every value is text. Field
// names follow Splunk's Common Information Model.
//
// The field host is the indexer's name of the event's sender, which for network
// events is the Sensor: it names the host only in a row without another name.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	if _, ok := d.Fields["result"].(map[string]any); !ok {
		r.Fail("result", "is %s, not the row of a search result", alerts.KindOf(d.Fields["result"]))
	}
	f := fields()
	a := incident.Alert{
		ID:       alertID(r, d),
		Status:   statusOf(r),
		Category: categoryOf(r),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Count:    r.Integer(f.Of("count")...),
		Process: incident.AlertProcess{
			Name:        r.Written(f.Of("process.name")...),
			Path:        r.Written(f.Of("process.path")...),
			PID:         r.PID(f.Of("process.pid")...),
			CommandLine: r.Written(f.Of("process.command_line")...),
			User:        r.Written(f.Of("process.user")...),
		},
		Destination: incident.AlertDestination{Transport: r.Transport(f.Of("destination.transport")...)},
	}
	readEnds(r, &a)
	a.Window = alerts.Between(r.Instant(f.Of("window, from")...), r.Instant(f.Of("window, to")...))
	return a
}

// statusOf reads the state, in words: the numbers of a status are the customer's own. A row of
// a search that still runs is no result.
func statusOf(r *alerts.Reader) incident.AlertStatus {
	f := fields()
	if preview, _ := r.Flag(f.Of("preview")...).Get(); preview {
		r.Silence(incident.NotAlerting, "it is a row of a search that still runs")
	}
	if word, _ := r.Text(f.Of("disposition")...).Get(); isNoAttack(word) {
		r.Silence(incident.NotAlerting, "its disposition is %s", word)
	}
	word, _ := r.Text(f.Of("status")...).Get()
	if isNoAttack(word) {
		r.Silence(incident.NotAlerting, "its state is %s", word)
	}
	if s, known := alerts.StatusOf(word); known {
		return s
	}
	// Teams add to the words that Enterprise Security has: Closed - False Positive.
	first, _, more := strings.Cut(word, " ")
	if s, known := alerts.StatusOf(strings.Trim(first, ":,-")); more && known && s == incident.Resolved {
		return s
	}
	return incident.Firing
}

// isNoAttack reports whether a disposition of Enterprise Security says that a finding was none,
// in any of the variants that it has.
func isNoAttack(disposition string) bool {
	word := strings.ToLower(disposition)
	return strings.HasPrefix(word, "false positive") || strings.HasPrefix(word, "benign positive")
}

// categoryOf reads the category. The Common Information Model has a field of that name for what
// an IDS or a proxy calls an event: only a word that is ours is taken from it.
func categoryOf(r *alerts.Reader) incident.Value[string] {
	f := fields()
	if said := r.Text(f.Of("category")...); said.IsKnown() {
		return incident.Categories().Of(said)
	}
	said := incident.Categories().Of(r.Text(f.Of("category, if it is one")...))
	if word, _ := said.Get(); slices.Contains(incident.Categories().Names(), word) {
		return said
	}
	return incident.Value[string]{}
}

// readEnds reads which of the machines sends, how much and where to.
// Sysmon's ComputerName is the machine that reports its own connection.
func readEnds(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	sourceIPs, whySource := r.Addresses(f.Of("source.ip")...)
	destinationIPs, _ := r.Addresses(f.Of("destination.ip")...)
	comesIn := alerts.Inbound(r.Text(f.Of("direction")...), r.Text(f.Of("initiated")...)) ||
		len(r.Names(f.Of("source.name")...)) == 0 && r.ComesIn(sourceIPs, destinationIPs)
	sourceReporter, destinationReporter := f.Of("reporter"), []string(nil)
	if comesIn {
		sourceReporter, destinationReporter = destinationReporter, sourceReporter
	}
	c := alerts.Connection{
		HostName: "the host", Inbound: comesIn, Sensor: true,
		Source: alerts.End{
			Field: "src", Names: r.Names(slices.Concat(f.Of("source.name"), sourceReporter, f.Of("source"))...), IPs: sourceIPs, Port: r.Port(f.Of("source.port")...),
			Bytes: r.Size(f.Of("source.bytes")...),
		},
		Destination: alerts.End{
			Field: "dest", IPs: destinationIPs, Port: r.Port(f.Of("destination.port")...),
			Bytes: r.Size(f.Of("destination.bytes")...),
		},
	}
	if comesIn {
		// The Common Information Model counts what the device received and transmitted that
		// reports, and many an add-on what the two ends of the session did: what a target
		// received must not be taken for what it sent.
		for _, bytes := range []*incident.Value[int64]{&c.Source.Bytes, &c.Destination.Bytes} {
			if bytes.IsKnown() {
				*bytes = incident.NotKnown[int64]("of a connection that came in, products do not agree on which end bytes_in and bytes_out are of")
			}
		}
		c.Destination.Names = r.Names(slices.Concat(f.Of("destination.name"), destinationReporter, f.Of("destination"))...)
	}
	from := c.Source
	switch {
	case c.Source.IsKnown() || comesIn && c.Destination.IsKnown():
		a.Host, from = c.Watched()
	default:
		a.Host = alerts.Named(r.Names(slices.Concat(riskyHost(r), f.Of("host.name"))...), nil, whySource)
		if comesIn && a.Host.Name.IsKnown() {
			a.Host.Doubts = append(a.Host.Doubts, "the connection came in to the host: which end sends is not known")
		}
		seen := c.Destination.IsKnown() || slices.ContainsFunc(f.Of("device"), func(path string) bool { return r.Lookup(path) != nil })
		if name, ok := a.Host.Name.Get(); ok && seen && !a.Process.Name.IsKnown() && !a.Process.PID.IsKnown() {
			a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("host %s is the sensor of a network event that does not say whose traffic it saw", alerts.Quote(name)))
		}
	}
	a.BytesOut, a.Destination.Port = from.Bytes, c.Destination.Port
	a.Destination.IP = r.Address(f.Of("destination.ip")...)
	if from.Field == "dest" {
		a.Destination.Port, a.Destination.IP = c.Source.Port, r.Address(f.Of("source.ip")...)
	}
	if len(c.Source.Names) > 0 && from.Field == "src" && r.ComesIn(sourceIPs, destinationIPs) {
		// Its name may be ours, on the road, or what the name of a foreign address was found to be.
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("the connection is from %s, which is not known to be ours, to our %s", strings.Join(sourceIPs, ", "), strings.Join(destinationIPs, ", ")))
	}
	a.Host.OS = r.OS(f.Of("host.os")...)
	if id := r.Text(f.Of("host.id")...); len(a.Host.Doubts) == 0 && id.IsKnown() && !alerts.NobodysID(id.String()) {
		a.Host.ID = id
	}
}

// riskyHost is where a finding of Enterprise Security names the host that its risk is of.
func riskyHost(r *alerts.Reader) []string {
	f := fields()
	if kind, _ := r.Text(f.Of("risk_object_type")...).Get(); strings.EqualFold(kind, "system") {
		return f.Of("risk_object")
	}
	return nil
}

// alertID is the id of a finding of Enterprise Security, else the search id and a digest of the row: one search may post many
// rows, each as a request of its own with the same id.
func alertID(r *alerts.Reader, d alerts.Document) string {
	if id, ok := r.Text(fields().Of("id of a finding")...).Get(); ok && strings.Contains(id, "@@") {
		return id
	}
	sid, ok := r.Identity(fields().Of("id")...).Get()
	if !ok {
		return ""
	}
	return sid + "#" + alerts.Digest(d.Fields["result"])[:12]
}

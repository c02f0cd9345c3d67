// Package alertmanager reads what the webhook receiver of Prometheus' Alertmanager posts.
package alertmanager

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes what a webhook receiver posts.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "alertmanager",
		Summary: "alerts of Prometheus, posted by a webhook receiver of Alertmanager",
		Doc: "What Alertmanager's `webhook_configs` post, version 4: a group of alerts, each of which is read alone and by its own\n" +
			"`status`: a group that fires holds resolved ones too. What a label means is up to the rule's author, so the host is\n" +
			"read from labels of these names alone: `src_host` and `src_ip`, else `host`, `hostname`, `nodename` and `host_ip`. `instance` is\n" +
			"what Prometheus scraped, often an exporter: it names the host only in doubt. `device` is a network interface in the metrics of\n" +
			"node_exporter, so it names nothing. Numbers are taken from annotations of the names below, never from prose; a `value` says\n" +
			"not what of. An alert with a `direction` of inbound starts nothing, and nor do Grafana's `DatasourceNoData` and `DatasourceError`. Alerts that Alertmanager left out (`truncatedAlerts`) are told\n" +
			"as one rejected alert: set `max_alerts: 0`.",
		Identity:   "`fingerprint`, the digest of the labels",
		Occurrence: "`startsAt`",
		Example:    example,
		Varies:     []string{"c3a4488e3947d059", "c3a4488e3{n}", "10.20.0.42", "{ip}"},
		Fields:     fields(),
		Split:      splitAlerts, Read: readAlert,
	}
}

const example = `{
  "version": "4", "receiver": "stanch", "status": "firing", "groupKey": "{}:{alertname=\"HighEgress\"}", "truncatedAlerts": 0,
  "externalURL": "http://alertmanager.example:9093",
  "alerts": [{
    "status": "firing", "fingerprint": "c3a4488e3947d059",
    "startsAt": "2026-03-01T03:12:45Z", "endsAt": "0001-01-01T00:00:00Z",
    "labels": { "alertname": "HighEgress", "instance": "exporter-1:9100", "severity": "critical", "src_ip": "10.20.0.42" },
    "annotations": { "summary": "10.20.0.42 sent more than 1 GiB in 15 minutes", "bytes_out": "4.294967296e+09", "window": "15m" }
  }]
}
`

// truncated is the number of alerts of a group that were not sent.
const truncated = "truncatedAlerts"

// splitAlerts finds the alerts of a group. One alone, as it is kept when it was rejected, has
// no group. What Alertmanager left out of the group becomes a document of its own, so that
// it is told.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	members, bad := alerts.Object("", body)
	if bad != nil {
		return nil, bad
	}
	if members["alerts"] == nil {
		if members["labels"] == nil && members[truncated] == nil {
			return nil, alerts.Wrong("alerts", "is missing: this is no group of alerts")
		}
		return []alerts.Document{{Raw: body}}, nil
	}
	documents, bad := alerts.List("alerts", members["alerts"], "")
	if bad != nil {
		return nil, bad
	}
	if n := strings.Trim(string(members[truncated]), `"`); n != "" && n != "0" && n != "null" {
		// What was decoded from JSON encodes.
		told, _ := json.Marshal(map[string]json.RawMessage{truncated: members[truncated], "receiver": orNull(members["receiver"]), "groupKey": orNull(members["groupKey"])})
		documents = append(documents, alerts.Document{Raw: told})
	}
	return documents, nil
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}

// readAlert reads one alert of a group. Labels are the rule author's: only those of the
// documented names are read.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := fields()
	if r.Lookup("labels") == nil {
		if n := d.Fields[truncated]; n != nil {
			r.Fail(truncated, "Alertmanager left out alerts of this group, so they are not seen (%v): set max_alerts of the webhook receiver to 0", n)
			return incident.Alert{}
		}
		r.Fail("labels", "is missing: this is no alert of a group")
	}
	id, _ := r.Identity(f.Of("id")...).Get()
	a := incident.Alert{
		ID:       id,
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.Text(f.Of("category")...)),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Window:   r.Duration(f.Of("window")...),
		BytesOut: readBytes(r),
		Count:    r.Integer(f.Of("count")...),
		Host:     readHost(r),
		Destination: incident.AlertDestination{
			IP:        r.Address(f.Of("destination.ip")...),
			Port:      r.Port(f.Of("destination.port")...),
			Transport: r.Transport(f.Of("destination.transport")...),
		},
	}
	fromAbroad(r, &a)
	if word, ok := r.Text(f.Of("status")...).Get(); ok && strings.EqualFold(word, "resolved") {
		a.Status = incident.Resolved
	}
	if direction := r.Text(f.Of("direction")...); alerts.Inbound(direction, incident.Value[string]{}) {
		r.Silence(incident.NotAlerting, "its direction is %s: the traffic came in to the host", direction)
	}
	if rule, _ := a.Rule.Get(); rule == "DatasourceNoData" || rule == "DatasourceError" {
		r.Silence(incident.NotAlerting, "%s is what Grafana sends where it could not evaluate a rule", rule)
	}
	return a
}

// readBytes reads how much was sent. A value is of whatever the rule measures.
func readBytes(r *alerts.Reader) incident.Value[int64] {
	bytes := r.Size(fields().Of("bytes_out")...)
	if value := r.Text(fields().Of("value")...); !bytes.IsKnown() && bytes.Why() == "" && value.IsKnown() {
		return incident.NotKnown[int64](fmt.Sprintf("the alert gives the value %s, and not what it is of", alerts.Quote(value.String())))
	}
	return bytes
}

// readHost reads which machine sends. The labels of a source go before those of a host, which
// may be the machine that measures; they do so too where they cannot be read.
func readHost(r *alerts.Reader) incident.AlertHost {
	f := fields()
	var h incident.AlertHost
	for _, of := range []string{"source", "host"} {
		ips, why := r.Addresses(f.Of(of + ".ip")...)
		names := r.Names(f.Of(of + ".name")...)
		if len(ips)+len(names) == 0 && why == "" {
			// Collectors of flows write the address where others write the name.
			ips, why = r.Addresses(f.Of(of + ".name")...)
		}
		named := alerts.Named(names, ips, why)
		if !h.Named() && h.IP.Why() == "" {
			h = named
		}
	}
	if !h.Named() && h.IP.Why() == "" {
		h = readInstance(r, h)
	}
	h.OS = r.OS(f.Of("host.os")...)
	return h
}

// fromAbroad turns an alert around whose traffic comes from an address that is not known to be ours
// to one that is, unless it says that the traffic goes out: the machine of ours is its host then,
// in doubt.
func fromAbroad(r *alerts.Reader, a *incident.Alert) {
	from, _ := a.Host.IP.Get()
	to, _ := a.Destination.IP.Get()
	direction, _ := r.Text(fields().Of("direction")...).Get()
	if slices.Contains([]string{"outbound", "egress", "outgoing", "out", "tx"}, strings.ToLower(direction)) {
		return
	}
	if a.Host.Name.IsKnown() || len(from) != 1 || !r.ComesIn(from, []string{to}) {
		return
	}
	os := a.Host.OS
	a.Host = alerts.Named(nil, []string{to}, "")
	a.Host.OS, a.Destination = os, incident.AlertDestination{IP: incident.Known(from[0], incident.FromAlert), Transport: a.Destination.Transport}
	a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("the traffic is from %s, which is not known to be ours, to %s: which end sends is not known", from[0], to))
}

// readInstance names the host by what Prometheus scraped, in doubt.
func readInstance(r *alerts.Reader, h incident.AlertHost) incident.AlertHost {
	instance, ok := r.Text(fields().Of("instance")...).Get()
	if !ok {
		return h
	}
	host, _, err := net.SplitHostPort(instance)
	if err != nil {
		host = instance
	}
	scraped := r.Of(map[string]any{"labels": map[string]any{"instance": host}})
	ips, why := scraped.Addresses(fields().Of("instance")...)
	if named := alerts.Named(scraped.Names(fields().Of("instance")...), ips, why); named.Named() {
		named.Doubts = append(named.Doubts, fmt.Sprintf("instance %s is what Prometheus scraped, which may be an exporter: give the alert a label src_ip or host", alerts.Quote(instance)))
		return named
	}
	return h
}

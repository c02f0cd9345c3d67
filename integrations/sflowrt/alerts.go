// Package sflowrt reads the events of sFlow-RT, as a script within it or one that reads its API
// posts them.
package sflowrt

import (
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes the events of thresholds.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "sflowrt",
		Summary: "events of sFlow-RT's thresholds, posted by a script within it",
		Doc: "Events as sFlow-RT has them (`/events/json`), one, a list or several after one another, with what a script adds: `keys`, the\n" +
			"keys of the flow's definition, as `flowKey` has only their values, and `direction`. The host is the source among the keys.\n" +
			"With the direction `outgoing`, or where the source is ours by the `home_networks` of the source or as a private address, it\n" +
			"attacks. With `incoming`, or where only the destination is ours, our host is the target, which starts nothing; so do the events of\n" +
			"ddos-protect, which watches what comes in. Otherwise, and without `keys`, the host is in doubt. `agent` is the switch. The\n" +
			"value is a rate, so the volume is unknown.",
		Identity:   "`thresholdID`, with a digest of the agent, its interface, the metric and the flow's key; `eventID` counts from zero after a restart",
		Occurrence: "`timestamp`",
		Example:    example,
		Varies:     []string{"1772334765123", "177233{n}", "10.20.0.42", "{ip}"},
		Fields:     fields(),
		Split:      alerts.Stream, Join: alerts.JoinStream, Read: readAlert,
	}
}

const example = `{
  "eventID": 77, "timestamp": 1772334765123, "agent": "10.20.0.1", "dataSource": "4", "metric": "udp_egress",
  "thresholdID": "udp_egress_high", "threshold": 12500000, "value": 105372000.5, "flowKey": "10.20.0.42,203.0.113.7,123",
  "keys": "ipsource,ipdestination,udpdestinationport", "direction": "outgoing"
}
`

// readAlert reads one event.
func readAlert(r *alerts.Reader, _ alerts.Document) incident.Alert {
	f := fields()
	a := incident.Alert{
		ID:       readID(r),
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.Text(f.Of("category")...)),
		Rule:     r.Text(f.Of("rule")...),
		Time:     r.Instant(f.Of("time")...),
		BytesOut: readRate(r),
	}
	if !a.Rule.IsKnown() {
		r.Fail("thresholdID", "is missing: this is no event of sFlow-RT")
	}
	key := readKey(r)
	a.Host = readHost(r, key)
	a.Destination = incident.AlertDestination{IP: key.destination, Port: key.port, Transport: key.transport}
	metric, _ := r.Text(f.Of("metric")...).Get()
	if strings.HasPrefix(metric, "ddos_protect_") {
		r.Silence(incident.NotAlerting, "the metric %s is of ddos-protect, which watches what comes in: our host is the target", alerts.Quote(metric))
	}
	return a
}

// readID is the threshold's, with a digest of what exceeded it.
func readID(r *alerts.Reader) string {
	f := fields()
	id, ok := r.Identity(f.Of("rule")...).Get()
	if !ok {
		return ""
	}
	var of []string
	for _, name := range []string{"agent", "interface", "metric", "key"} {
		text, _ := r.Identity(f.Of(name)...).Get()
		of = append(of, text)
	}
	return id + "#" + alerts.Digest(of)[:12]
}

// readRate says why it is not known how much was sent.
func readRate(r *alerts.Reader) incident.Value[int64] {
	f := fields()
	value, metric := r.Text(f.Of("rate")...), r.Text(f.Of("metric")...)
	if !value.IsKnown() || !metric.IsKnown() {
		return incident.NotKnown[int64]("sFlow-RT gives rates, not how many bytes were sent")
	}
	return incident.NotKnown[int64](fmt.Sprintf("sFlow-RT gives rates, not how many bytes were sent: %s of the metric %s", alerts.Quote(value.String()), alerts.Quote(metric.String())))
}

// readHost reads which machine sends: the source of the flow, if that is ours.
func readHost(r *alerts.Reader, key flowKey) incident.AlertHost {
	if key.unnamed != "" {
		h := alerts.Named(nil, key.all, key.unnamed)
		if h.Named() {
			h.Doubts = append(h.Doubts, key.unnamed)
		}
		return h
	}
	h := alerts.Named(nil, key.source, key.why)
	direction, _ := r.Text(fields().Of("direction")...).Get()
	to, _ := key.destination.Get()
	var ours incident.Value[bool]
	if len(key.source) == 1 {
		ours = r.Ours(key.source[0])
	}
	sends, known := ours.Get()
	receives, _ := r.Ours(to).Get()
	switch {
	case strings.EqualFold(direction, "outgoing"):
		if h.Named() && known && !sends {
			h.Doubts = append(h.Doubts, fmt.Sprintf("the direction is outgoing, and the source %s is not in home_networks: its address may be forged", key.source[0]))
		}
	case alerts.Inbound(incident.Known(direction, incident.FromAlert), incident.Value[string]{}):
		r.Silence(incident.NotAlerting, "the direction is %s: our host is the target", alerts.Quote(direction))
	case sends:
	case receives:
		r.Silence(incident.NotAlerting, "the flow goes to our host %s: it is the target", to)
	case !h.Named():
	case known:
		h.Doubts = append(h.Doubts, "neither end is in home_networks: which one is ours is not known")
	default:
		h.Doubts = append(h.Doubts, ours.Why()+": whether it is ours is not known")
	}
	return h
}

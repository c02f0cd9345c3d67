package defender

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Alerts describes the security alerts of Microsoft Graph, as Defender XDR has them.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "defender",
		Summary: "alerts of Microsoft Defender, in the form of Microsoft Graph (alerts_v2)",
		Doc: "One alert of Microsoft Graph's `security/alerts_v2`, a list of them, the answer to that call with its `value`, or an incident with its `alerts`. The host is\n" +
			"the one device among the evidence; a device whose roles say that it was attacked, or is the destination, is the target: beside\n" +
			"another one it is left out, alone it starts nothing. Of several others none is the host. A process is read where the alert names\n" +
			"one alone. The alert tells no bytes, and not whether the device was isolated. A change notification only names an alert and is\n" +
			"refused: have a flow fetch the alert, and post it.",
		Identity:   "`id`",
		Occurrence: "`createdDateTime`",
		Example: `{
  "@odata.type": "#microsoft.graph.security.alert", "id": "da637578995287051192_756343937", "title": "UDP egress above 1 GiB in 15 minutes", "severity": "high",
  "createdDateTime": "2026-03-01T03:13:00Z", "firstActivityDateTime": "2026-03-01T02:57:45Z", "lastActivityDateTime": "2026-03-01T03:12:45Z",
  "evidence": [
    { "@odata.type": "#microsoft.graph.security.deviceEvidence", "mdeDeviceId": "73e7e2de709dff64ef64b1d0c30e67fab63279db",
      "deviceDnsName": "ws-042.corp.example", "osPlatform": "Windows11", "ipInterfaces": ["10.20.0.42"], "roles": ["compromised"] },
    { "@odata.type": "#microsoft.graph.security.networkConnectionEvidence", "destinationAddress": { "ipAddress": "203.0.113.7" }, "destinationPort": 123, "protocol": "udp" }
  ]
}
`,
		Varies: []string{"756343937", "75{n}", "73e7e2de709dff64ef64b1d0c30e67fab63279db", "{host}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: alertFields(),
		Split:  splitAlerts, Join: alerts.JoinList, Read: readAlert,
		Began:   []string{"createdDateTime"},
		Updated: []string{"lastUpdateDateTime"},
	}
}

func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List("", body, "")
	}
	members, bad := alerts.Object("", body)
	switch {
	case bad != nil:
		return nil, bad
	case members["value"] != nil && members["evidence"] == nil:
		return alerts.List("value", members["value"], "")
	case alerts.IsList(members["alerts"]) && members["evidence"] == nil:
		return alerts.List("alerts", members["alerts"], "")
	}
	return []alerts.Document{{Raw: body}}, nil
}

// readAlert reads one alert.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := alertFields()
	ok := len(alerts.Objects(d.Fields["evidence"])) > 0 || alerts.KindOf(d.Fields["evidence"]) == "a list"
	switch {
	case d.Fields["resourceData"] != nil:
		r.Fail("", "is a change notification, which only names an alert: have a flow fetch it from security/alerts_v2, and post that")
	case !ok && d.Fields["title"] == nil:
		r.Fail("", "is no alert of Microsoft Graph: it has neither title nor evidence")
	}
	found := evidenceOf(r, d.Fields["evidence"])
	a := incident.Alert{
		Status:   alertStatus(r),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
	}
	a.ID, _ = r.Identity(f.Of("id")...).Get()
	a.Host = found.host()
	a.Process = found.process(a.Host)
	c := found.connections()
	a.Destination = incident.AlertDestination{
		IP: c.Address(f.Of("destination.ip")...), Port: c.Port(f.Of("destination.port")...), Transport: c.Transport(f.Of("destination.transport")...),
	}
	from, to := r.Instant(f.Of("window, from")...), r.Instant(f.Of("window, to")...)
	// One moment is no window, and none that is wrong.
	if from.String() != to.String() {
		a.Window = alerts.Between(from, to)
	}
	return a
}

// alertStatus reads the state. An alert that somebody has found to be no attack starts nothing
// before it is resolved, too.
func alertStatus(r *alerts.Reader) incident.AlertStatus {
	f := alertFields()
	word, _ := r.Text(f.Of("classification")...).Get()
	if slices.Contains([]string{"falsepositive", "informationalexpectedactivity"}, joined(word)) {
		r.Silence(incident.NotAlerting, "it is classified as %s in Defender", word)
	}
	word, _ = r.Text(f.Of("status")...).Get()
	if s, known := alerts.StatusOf(word); known {
		return s
	}
	return incident.Firing
}

// joined is a word of an enumeration in small letters, also where a tool wrote it for people.
func joined(word string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(word))
}

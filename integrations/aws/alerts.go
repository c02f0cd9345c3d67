// Package aws reads findings of Amazon GuardDuty.
package aws

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes findings of GuardDuty, by whichever way they come.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "guardduty",
		Summary: "findings of Amazon GuardDuty, by EventBridge, SNS or Security Hub",
		Doc: "A finding of GuardDuty alone, in the envelope of EventBridge (`detail`), in a notification of SNS, in the format of Security\n" +
			"Hub (`Findings` or `detail.findings`), a list of such, or several that follow one another. Keys may begin with a capital. Of Security Hub's format, `ProductFields`\n" +
			"below `aws/guardduty/` are read as the paths that GuardDuty has for them, and `Workflow`, `RecordState`, `Sample` and `Resources`\n" +
			"as what GuardDuty has instead.\n\n" +
			"Only `Backdoor:EC2/DenialOfService.*` and `Behavior:EC2/TrafficVolumeUnusual` are about egress; findings of another type, of an\n" +
			"instance that is the target, archived and sample findings are recorded and start nothing. A finding has no number of bytes. Its\n" +
			"public address may be that of a NAT and names no host.",
		Identity:   "`id`, which Security Hub has at the end of its ARN",
		Occurrence: "`service.eventFirstSeen`, else `createdAt`",
		Example: `{
  "version": "0", "id": "cd2d702e-ab31-411b-9344-793ce56b1bc7", "detail-type": "GuardDuty Finding", "source": "aws.guardduty", "time": "2026-03-01T03:20:05Z",
  "detail": {
    "id": "48b6396cc2a76dae622f5666274b6961", "type": "Backdoor:EC2/DenialOfService.Udp", "severity": 8, "updatedAt": "2026-03-01T03:20:00Z",
    "resource": { "instanceDetails": { "instanceId": "i-99999999", "platform": "windows", "networkInterfaces": [{ "privateIpAddress": "10.20.0.42" }] } },
    "service": {
      "resourceRole": "ACTOR", "archived": false, "count": 21, "eventFirstSeen": "2026-03-01T03:00:00Z", "eventLastSeen": "2026-03-01T03:15:00Z",
      "action": { "networkConnectionAction": {
        "connectionDirection": "OUTBOUND", "protocol": "UDP", "remotePortDetails": { "port": 123 }, "remoteIpDetails": { "ipAddressV4": "203.0.113.7" } } }
    }
  }
}
`,
		Varies: []string{"48b6396cc2a76dae622f5666274b6961", "48b6396cc2a76dae622f56662{n}", "i-99999999", "{host}", "10.20.0.42", "{ip}"},
		Fields: fields(),
		Split:  splitFindings, Join: alerts.JoinStream, Read: readFinding,
		Began: fields().Of("began"), Updated: fields().Of("updated"),
	}
}

// isEgress reports whether a type is that of findings of an instance that floods, by whichever
// protocol, or sends unusually much. An artifact can follow a type, behind an exclamation mark.
//
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-ec2.html
func isEgress(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), "!")
	return strings.HasPrefix(kind, "backdoor:ec2/denialofservice.") || kind == "behavior:ec2/trafficvolumeunusual"
}

// readFinding reads a finding in GuardDuty's format, whatever it came in.
func readFinding(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := fields()
	r.Fields = finding(d.Fields)
	id, _ := r.Identity(f.Of("id")...).Get()
	from := r.Instant(f.Of("window, from")...)
	to := r.Instant(f.Of("window, to")...)
	a := incident.Alert{
		ID:       id,
		Status:   incident.Firing,
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Window:   alerts.Between(from, to),
		BytesOut: incident.NotKnown[int64]("a finding of GuardDuty has no number of bytes"),
		Count:    r.Integer(f.Of("count")...),
		Host:     r.Host(f.Of("host.id"), nil, f.Of("host.ip")),
		Destination: incident.AlertDestination{
			IP:        r.Address(f.Of("destination.ip")...),
			Port:      r.Port(f.Of("destination.port")...),
			Transport: r.Transport(f.Of("destination.transport")...),
		},
	}
	a.Host.OS = readOS(r)
	readState(r, &a)
	readKind(r, &a)
	return a
}

// readOS reads the platform. One that is there and empty is no Windows, and must not
// be taken for what the configuration has for alerts that say nothing.
func readOS(r *alerts.Reader) incident.Value[string] {
	os := r.OS(fields().Of("host.os")...)
	instance, _ := alerts.Lookup(r.Fields, "resource.instanceDetails").(map[string]any)
	if _, there := instance["platform"]; there && !os.IsKnown() && os.Why() == "" {
		return incident.NotKnown[string]("the platform is empty, as AWS has it for other systems than Windows")
	}
	return os
}

// readState reads whether the finding is a sample, archived, suppressed or resolved.
func readState(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	title, _ := r.Text(f.Of("title")...).Get()
	if is, _ := r.Flag(f.Of("sample")...).Get(); is || strings.HasPrefix(title, "[SAMPLE]") {
		r.Silence(incident.Sample, "it is a sample finding")
	}
	if is, _ := r.Flag(f.Of("archived")...).Get(); is {
		r.Silence(incident.NotAlerting, "the finding is archived, by hand or by a suppression rule")
	}
	if word, _ := r.Text(f.Of("record state")...).Get(); strings.EqualFold(word, "ARCHIVED") {
		r.Silence(incident.NotAlerting, "Security Hub has the finding archived")
	}
	switch word, _ := r.Text(f.Of("workflow")...).Get(); strings.ToUpper(word) {
	case "SUPPRESSED":
		r.Silence(incident.NotAlerting, "Security Hub has the finding suppressed")
	case "RESOLVED":
		a.Status = incident.Resolved
	}
}

// readKind reads what the finding is about, and which part our host has in it.
func readKind(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	if product, ok := r.Text(f.Of("product")...).Get(); ok && !strings.EqualFold(product, "GuardDuty") {
		r.Silence(incident.NotAlerting, "it is a finding of %s, not of GuardDuty", alerts.Quote(product))
		return
	}
	kind, ok := a.Rule.Get()
	if r.Lookup(f.Of("class")[0]) != nil {
		r.Fail(f.Of("class")[0], "is that of an event of OCSF, as Security Hub sends them too: post it to a source of the kind ocsf")
	}
	if !ok {
		r.Fail(f.Of("rule")[0], "is missing: it is no finding of GuardDuty")
	}
	if !isEgress(kind) {
		r.Silence(incident.NotAlerting, "the type of finding %s is none of those about egress", alerts.Quote(kind))
		return
	}
	a.Category = incident.Categories().Of(incident.Known("high_egress", incident.FromAlert))
	said := r.Text(f.Of("role")...)
	switch role, ok := said.Get(); {
	case said.Why() != "":
		a.Host.Doubts = append(a.Host.Doubts, "the role of the instance cannot be read: "+said.Why())
	case strings.EqualFold(role, "TARGET"):
		r.Silence(incident.NotAlerting, "our host is the target, not the sender")
	case ok && !strings.EqualFold(role, "ACTOR"):
		a.Host.Doubts = append(a.Host.Doubts, fmt.Sprintf("the finding gives the instance the role %s, which is not known", alerts.Quote(role)))
	case alerts.Inbound(r.Text(f.Of("direction")...), incident.Value[string]{}):
		a.Host.Doubts = append(a.Host.Doubts, "the connection came in to the instance: which end sends is not known")
	}
}

// splitFindings finds the findings in a body. An export to S3 has one on each line.
func splitFindings(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	switch {
	case alerts.IsList(body):
		return unwrapAll("", body, 0)
	case json.Valid(body):
		return unwrap(alerts.Document{Raw: body}, 0)
	}
	documents, bad := alerts.Stream(body)
	if bad != nil {
		return nil, bad
	}
	return unwrapEach(documents, 0), nil
}

// maxWraps is how many envelopes can be around a finding: a list, SNS, EventBridge and
// Security Hub's list.
const maxWraps = 4

func unwrapAll(path string, list json.RawMessage, depth int) ([]alerts.Document, *alerts.FieldError) {
	documents, bad := alerts.List(path, list, "")
	if bad != nil {
		return nil, bad
	}
	return unwrapEach(documents, depth), nil
}

func unwrapEach(documents []alerts.Document, depth int) []alerts.Document {
	all := make([]alerts.Document, 0, len(documents))
	for _, d := range documents {
		inner, bad := unwrap(d, depth+1)
		if bad != nil {
			// It is refused where it is read, and takes nothing from the others.
			inner = []alerts.Document{d}
		}
		all = append(all, inner...)
	}
	return all
}

// unwrap takes the envelopes off a document. What is no envelope is a finding.
func unwrap(d alerts.Document, depth int) ([]alerts.Document, *alerts.FieldError) {
	members := membersOf(d.Raw)
	if depth > maxWraps || members == nil {
		return []alerts.Document{d}, nil
	}
	if findings, name := either(members, "Findings", "findings"); alerts.IsList(findings) {
		return unwrapAll(alerts.Join(d.Path, name), findings, depth)
	} else if membersOf(findings) != nil {
		return unwrap(alerts.Document{Path: alerts.Join(d.Path, name), Raw: findings}, depth+1)
	}
	if detail, name := either(members, "detail", "Detail"); detail != nil {
		return unwrap(alerts.Document{Path: alerts.Join(d.Path, name), Raw: detail}, depth+1)
	}
	return notification(d, members, depth)
}

// membersOf are the members of an object; none of anything else, which is refused where
// it is read.
func membersOf(data json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil
	}
	return members
}

func either(members map[string]json.RawMessage, names ...string) (json.RawMessage, string) {
	for _, name := range names {
		if v := members[name]; v != nil {
			return v, name
		}
	}
	return nil, ""
}

// notification takes off what SNS puts around a message.
func notification(d alerts.Document, members map[string]json.RawMessage, depth int) ([]alerts.Document, *alerts.FieldError) {
	if members["TopicArn"] == nil && members["MessageId"] == nil {
		return []alerts.Document{d}, nil
	}
	var message string
	switch string(members["Type"]) {
	case `"SubscriptionConfirmation"`:
		return nil, alerts.Wrong(alerts.Join(d.Path, "Type"), "is the confirmation of a subscription, not a finding: confirm it in the console of SNS")
	case `"Notification"`:
		path := alerts.Join(d.Path, "Message")
		if json.Unmarshal(members["Message"], &message) != nil || !json.Valid([]byte(message)) {
			return nil, alerts.Wrong(path, "is not JSON in a text")
		}
		if alerts.IsList(json.RawMessage(message)) {
			return unwrapAll(path, json.RawMessage(message), depth+1)
		}
		return unwrap(alerts.Document{Path: path, Raw: json.RawMessage(message)}, depth+1)
	}
	return []alerts.Document{d}, nil
}

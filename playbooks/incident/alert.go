package incident

import (
	"encoding/json"
	"time"
)

// AlertStatus says whether an alert asks for a response.
type AlertStatus string

// Only a firing alert opens a case. The others are recorded; resolved never
// lifts a containment.
const (
	Firing      AlertStatus = "firing"
	Resolved    AlertStatus = "resolved"
	NotAlerting AlertStatus = "not_alerting"
	Sample      AlertStatus = "sample"
)

// Alert is what a SIEM sent, normalised. Its text is the attacker's text: data
// everywhere, never markup, a format string or a command.
type Alert struct {
	// ID is the source's own id of the alert. With Source it identifies it, and
	// with when it began one occurrence of it.
	ID     string `json:"id" doc:"The source's own id of the alert."`
	Source string `json:"source" doc:"The source that the alert came through, as stanch.yaml names it."`
	// Reference is what its sender calls it in its own API, where that is not the id: what
	// becomes of its case is told there. Its parser sets it; policies do not see it.
	Reference string      `json:"reference,omitempty" policy:"-"`
	Status    AlertStatus `json:"status" doc:"firing, resolved, not_alerting or sample; only firing opens a case."`
	// StatusWhy says why it is not firing, where that is not the sender's own word for its
	// state: our host is the target, say, or what was found is no traffic.
	StatusWhy string `json:"status_why,omitempty" policy:"-"`
	// ReceivedAt is when the receiver took it.
	ReceivedAt time.Time `json:"received_at"`

	Category    Value[string]        `json:"category" doc:"What kind of detection it is; high_egress for AN1434."`
	Rule        Value[string]        `json:"rule" doc:"The SIEM rule's name."`
	Severity    Value[string]        `json:"severity" doc:"The SIEM's own word; not comparable between sources."`
	Time        Value[time.Time]     `json:"time" doc:"When it happened, by the source's clock."`
	Window      Value[time.Duration] `json:"window" doc:"The time that the alert's counts cover."`
	BytesOut    Value[int64]         `json:"bytes_out" unit:"size" doc:"Bytes sent, as the alert says."`
	Count       Value[int64]         `json:"count" doc:"Events or connections behind the alert."`
	RaisedBy    Value[string]        `json:"raised_by" doc:"Id of the person of stanch.yaml who raised it by hand; unknown for a rule's alert."`
	Contained   Value[bool]          `json:"contained,omitzero" doc:"Whether the sender says that it has contained the host already."`
	Host        AlertHost            `json:"host"`
	Process     AlertProcess         `json:"process"`
	Destination AlertDestination     `json:"destination"`

	// UpdatedAt is when the sender says that it changed the alert last.
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Prints are its fingerprints; see [Alert.Fingerprints]. Alerts that an earlier
	// version received have none.
	Prints []string `json:"prints,omitempty"`

	// BodyDigest is the digest of the request or message that it came in, as it came:
	// a sender who kept that can show that it was this one.
	BodyDigest string `json:"body_digest,omitempty" policy:"-"`
	// Raw is the document as it came but for its secrets, for the evidence. Policies do
	// not see it.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// AlertHost is the host as the alert names it.
type AlertHost struct {
	ID   Value[string]   `json:"id" doc:"The identifier by which the alert names the host: the EDR's id, else the name, else the address."`
	Name Value[string]   `json:"name" doc:"Host name."`
	OS   Value[string]   `json:"os" doc:"Operating system family, lower case: windows, linux, macos."`
	IP   Value[[]string] `json:"ip" doc:"Addresses, loopback and link-local left out."`

	// Doubts say why it is not certain which machine sends: the alert names
	// several, or only a sensor. With any of them there is no exact target.
	Doubts []string `json:"doubts,omitempty"`
}

// SameName reports whether two names are of one host: one may be short for the
// other.
func SameName(a, b string) bool { return sameName(a, b) }

// AlertProcess is the process as the alert names it.
type AlertProcess struct {
	Name        Value[string] `json:"name" doc:"Image name."`
	Path        Value[string] `json:"path" doc:"Full path of the image."`
	PID         Value[int64]  `json:"pid" doc:"Process id."`
	CommandLine Value[string] `json:"command_line" doc:"Command line."`
	User        Value[string] `json:"user" doc:"Account."`
}

// AlertDestination is where the traffic went, as the alert says.
type AlertDestination struct {
	IP        Value[string] `json:"ip" doc:"Destination address."`
	Port      Value[int64]  `json:"port" doc:"Destination port."`
	Transport Value[string] `json:"transport" doc:"udp, tcp or icmp."`
}

// Key identifies the alert as its sender does: the next time that it fires, it
// may have the same.
func (a Alert) Key() string { return a.Source + "/" + a.ID }

// Fingerprint is a short form of Key, for the long lists that recognise
// repeats: 64 bits of its digest, in hex.
func (a Alert) Fingerprint() string { return fingerprint([]byte(a.Key())) }

// Fingerprints are those of the alert's occurrence, which is its key and when it
// began, and of its content, in this order. Where it is not known when it began,
// the first is the one of the key alone.
func (a Alert) Fingerprints(began Value[time.Time]) []string {
	occurrence := a.Fingerprint()
	if at, ok := began.Get(); ok {
		occurrence = fingerprint([]byte(a.Key() + "\x00" + at.UTC().Format(time.RFC3339Nano)))
	}
	// When it was sent, and the time that distinguishes it, are not content.
	a.ReceivedAt, a.UpdatedAt, a.Time, a.Prints, a.Raw, a.BodyDigest = time.Time{}, time.Time{}, Value[time.Time]{}, nil, nil, ""
	// Nor is where it is answered.
	a.Reference = ""
	if !a.Contained.IsKnown() {
		// Why it is not known is not content either.
		a.Contained = Value[bool]{}
	}
	// An alert always encodes: its document is what may not.
	data, _ := json.Marshal(a)
	return []string{occurrence, fingerprint(data)}
}

func fingerprint(data []byte) string { return DigestOf(data)[len("sha256:"):][:16] }

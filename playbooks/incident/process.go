package incident

import "time"

// Process is the process that sends, as the EDR says.
type Process struct {
	Path        Value[string]    `json:"path" doc:"Full path of the image."`
	Name        Value[string]    `json:"name" doc:"Image name; can be forged, check path and signature."`
	PID         Value[int64]     `json:"pid" doc:"Process id."`
	CommandLine Value[string]    `json:"command_line" doc:"Command line."`
	Script      Value[string]    `json:"script" doc:"Script that a script host runs."`
	ScriptText  Value[string]    `json:"script_text" doc:"Text of the script, as far as the EDR recorded it."`
	User        Value[string]    `json:"user" doc:"Account."`
	Session     Value[string]    `json:"session" doc:"Logon session, as the EDR names it."`
	Signed      Value[bool]      `json:"signed" doc:"Whether the image carries a valid signature."`
	Signer      Value[string]    `json:"signer" doc:"Who signed the image, as the EDR says."`
	SHA256      Value[string]    `json:"sha256" doc:"Digest of the image, lower-case hex."`
	Parent      Value[string]    `json:"parent" doc:"Path of the parent's image."`
	Parents     Value[string]    `json:"parents" doc:"Paths of the images that led to it, the parent first, with < between them."`
	Started     Value[time.Time] `json:"started" doc:"When it was started, by the endpoint's clock."`
}

// named reports whether anything distinguishes the process from others.
func (p *Process) named() bool { return p.Path.IsKnown() || p.Name.IsKnown() || p.PID.IsKnown() }

// Connection is one network connection of a process, as the EDR saw it. EDRs
// seldom know its volume; that is joined from the flow store.
type Connection struct {
	At time.Time `json:"at"` // by the endpoint's clock
	Tuple
	Process Process `json:"process"`
}

// Tuple is a 5-tuple. Addresses are canonical text (netip.Addr.String).
type Tuple struct {
	SrcIP     string `json:"src_ip"`
	SrcPort   int    `json:"src_port"`
	DstIP     string `json:"dst_ip"`
	DstPort   int    `json:"dst_port"`
	Transport string `json:"transport"` // udp, tcp, icmp
}

// Reversed returns the tuple as its other end writes it.
func (t Tuple) Reversed() Tuple {
	return Tuple{SrcIP: t.DstIP, SrcPort: t.DstPort, DstIP: t.SrcIP, DstPort: t.SrcPort, Transport: t.Transport}
}

// Execution is the start of a process, or of a script in one, as the EDR saw it.
type Execution struct {
	At time.Time `json:"at"` // by the endpoint's clock
	// Process is who was started, or who runs the script. For a script its Script
	// and ScriptText are those of this execution.
	Process Process `json:"process"`
}

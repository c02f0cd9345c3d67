package sentinelone

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The processes of an event: who did it, and whom it was done to.
const (
	source = "src.process"
	target = "tgt.process"
)

// processFields are the fields of a process of an event.
func processFields(of string) []string {
	return []string{
		of + ".uid", of + ".pid", of + ".name", of + ".image.path", of + ".cmdline", of + ".user", of + ".sessionId",
		of + ".image.sha256", of + ".publisher", of + ".signedStatus", of + ".verifiedStatus", of + ".startTime",
	}
}

func parentFields() []string { return []string{source + ".parent.image.path", source + ".parent.name"} }

// process is a process of an event in our words, with the images that led to it, the parent
// first.
func (r row) process(of string, parents ...string) incident.Process {
	get := func(field string) text { return r[of+"."+field] }
	p := incident.Process{
		Path: told(get("image.path"), "the image"), Name: told(get("name"), "the image's name"),
		CommandLine: told(get("cmdline"), "the command line"), User: told(get("user"), "the account"),
		Session: told(get("sessionId"), "the session"), SHA256: told(sha256Of(get("image.sha256")), "the image's digest"),
		PID:    incident.NotKnown[int64]("the agent does not tell the process id"),
		Script: incident.NotKnown[string]("the agent reported no script of the process"), ScriptText: incident.NotKnown[string]("the agent reported no script of the process"),
		Started: incident.NotKnown[time.Time]("the agent does not tell when it was started"),
	}
	if !p.Name.IsKnown() && get("image.path") != "" {
		p.Name = incident.Known(base(string(get("image.path"))), incident.FromEDR)
	}
	if pid, err := strconv.ParseInt(string(get("pid")), 10, 64); err == nil {
		p.PID = incident.Known(pid, incident.FromEDR)
	}
	if at := when(get("startTime")); !at.IsZero() {
		p.Started = incident.Known(at, incident.FromEDR)
	}
	p.Signed, p.Signer = signature(string(get("signedStatus")), string(get("verifiedStatus")), string(get("publisher")))
	parents = slices.DeleteFunc(parents, func(image string) bool { return image == "" })
	if len(parents) == 0 {
		p.Parent, p.Parents = incident.NotKnown[string]("the agent does not tell the parent"), incident.NotKnown[string]("the agent does not tell the parent")
		return p
	}
	p.Parent = incident.Known(parents[0], incident.FromEDR)
	p.Parents = incident.Known(strings.Join(parents, " < "), incident.FromEDR)
	return p
}

// signature is whether an image is signed, and by whom. A signature that was not verified
// counts for nothing.
func signature(signed, verified, publisher string) (incident.Value[bool], incident.Value[string]) {
	signer := incident.NotKnown[string]("the agent names no verified signer of the image")
	switch {
	case strings.EqualFold(signed, "unsigned"):
		return incident.Known(false, incident.FromEDR), signer
	case !strings.EqualFold(signed, "signed"):
		return unheard[bool](signed), signer
	case strings.EqualFold(verified, "verified"):
		if publisher != "" {
			signer = incident.Known(publisher, incident.FromEDR)
		}
		return incident.Known(true, incident.FromEDR), signer
	case verified == "":
		return incident.NotKnown[bool]("the image is signed; whether validly the agent does not tell"), signer
	}
	return incident.NotKnown[bool]("the image is signed, and SentinelOne says " + strconv.Quote(httpx.Line(verified)) + " of the signature"), signer
}

// scriptFields are the fields of a script's execution. Which of the two has the path of its
// file is not documented.
func scriptFields() []string {
	return []string{"cmdScript.content", source + ".activeContent.path", "tgt.file.path"}
}

// withScript sets the script of a process, by the event of its execution.
func withScript(p incident.Process, r row) incident.Process {
	const maxText = 64 << 10
	path := r[source+".activeContent.path"]
	if path == "" || strings.Contains(strings.ToLower(string(path)), `\unknown`) {
		path = r["tgt.file.path"] // The agent's word for content that is in no file.
	}
	p.Script = told(path, "the script's path")
	content := string(r["cmdScript.content"])
	if len(content) > maxText {
		content = strings.ToValidUTF8(content[:maxText], "")
	}
	p.ScriptText = told(text(content), "the script's text")
	return p
}

func once(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

package wazuh

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The channels and numbers of the events that are read.
const (
	sysmonChannel     = "Microsoft-Windows-Sysmon/Operational"
	powershellChannel = "Microsoft-Windows-PowerShell/Operational"
	processStarted    = "1"
	connected         = "3"
	scriptRan         = "4104"
)

// event are the alerts for one kind of event.
func event(channel, number string) []clause {
	return []clause{term("data.win.system.channel", channel), term("data.win.system.eventID", number)}
}

// why is the reason for what is not known of a process.
const why = "Wazuh has only the events for which a rule raised an alert, and none says it"

func known(s string) incident.Value[string] {
	if s == "" {
		return incident.NotKnown[string](why)
	}
	return incident.Known(s, incident.FromEDR)
}

// nobody is a process of which nothing is known.
func nobody() incident.Process {
	return incident.Process{
		Path: known(""), Name: known(""), PID: incident.NotKnown[int64](why), CommandLine: known(""), Script: known(""), ScriptText: known(""),
		User: known(""), Session: known(""), Parent: known(""), Parents: known(""), SHA256: known(""),
		Signed:  incident.NotKnown[bool]("Sysmon does not tell whether a started image is signed"),
		Signer:  incident.NotKnown[string]("Sysmon does not tell who signed a started image"),
		Started: incident.NotKnown[time.Time](why),
	}
}

// happened is when the event happened, by the machine's clock.
func (a alert) happened() time.Time {
	if at := a.Source.Data.Win.Event.at("utcTime"); !at.IsZero() {
		return at
	}
	return a.Source.Data.Win.System.at("systemTime")
}

// sender is the process of an event, as far as each event of Sysmon tells it.
func (a alert) sender() incident.Process {
	e, p := a.Source.Data.Win.Event, nobody()
	image := e.windows("image")
	p.Path, p.Name, p.User = known(image), known(imageName(image)), known(e.windows("user"))
	if pid, ok := e.number("processId"); ok && pid > 0 {
		p.PID = incident.Known(pid, incident.FromEDR)
	}
	return p
}

func imageName(image string) string {
	if image == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(image, `\`, "/"))
}

// started is the process of an event of a start. Who started the parent is in the parent's
// own event, if a rule raised it.
func (a alert) started(all starts) incident.Process {
	e, p := a.Source.Data.Win.Event, a.sender()
	p.CommandLine, p.Session = known(e.windows("commandLine")), known(e.get("logonId"))
	if at := a.happened(); !at.IsZero() {
		p.Started = incident.Known(at, incident.FromEDR)
	}
	p.SHA256 = known(sha256Of(e.get("hashes")))
	p.Parent = known(e.windows("parentImage"))
	p.Parents = known(strings.Join(all.lineage(e), " < "))
	return p
}

// sha256Of is the digest among those of an event: SHA1=...,MD5=...,SHA256=...
func sha256Of(hashes string) string {
	for hash := range strings.SplitSeq(hashes, ",") {
		name, sum, _ := strings.Cut(strings.TrimSpace(hash), "=")
		if strings.EqualFold(name, "SHA256") && len(sum) == 64 {
			return strings.ToLower(sum)
		}
	}
	return ""
}

// starts are the events of starts of processes, by Sysmon's own id of the process.
type starts map[string]alert

func startsOf(alerts []alert) starts {
	all := starts{}
	for _, a := range alerts {
		if guid := a.Source.Data.Win.Event.get("processGuid"); guid != "" {
			all[strings.ToLower(guid)] = a
		}
	}
	return all
}

// maxLineage bounds the images that led to a process.
const maxLineage = 8

// lineage are the images that led to a process, its parent first.
func (s starts) lineage(e fields) []string {
	var images []string
	for range maxLineage {
		image := e.windows("parentImage")
		if image == "" {
			break
		}
		images = append(images, image)
		parent, ok := s[strings.ToLower(e.get("parentProcessGuid"))]
		if !ok {
			break
		}
		e = parent.Source.Data.Win.Event
	}
	return images
}

// isProcessGUID reports whether a text has the form of Sysmon's id of a process.
func isProcessGUID(s string) bool {
	if len(s) != 38 || s[0] != '{' || s[37] != '}' {
		return false
	}
	for i := 1; i < 37; i++ {
		c := s[i]
		if c != '-' && !isDigit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// startedAs are the starts of processes by their ids. That some are not found is nothing
// unusual: no rule raised them.
func (c *Client) startedAs(ctx context.Context, op string, id agentID, q window, guids []string) (starts, error) {
	if len(guids) == 0 {
		return starts{}, nil
	}
	found, err := c.indexer.search(ctx, op, id, maxHits, append(event(sysmonChannel, processStarted),
		terms("data.win.eventdata.processGuid", guids), received(q.From.Add(-eventsRelated), q.now.Add(clocksDiffer)))...)
	if err != nil {
		return nil, err
	}
	return startsOf(found), nil
}

// exists fails where the manager has no such agent, which has no alerts either, or is not
// of a release that is supported.
func (c *Client) exists(ctx context.Context, op string, id agentID) func() error {
	return func() error {
		return httpx.All(
			func() error { return c.supported(ctx, op) },
			func() error { _, err := c.agent(ctx, op, id); return err },
		)
	}
}

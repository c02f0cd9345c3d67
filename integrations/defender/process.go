package defender

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// columns of the process that an event is about, by what an event's table calls them.
type columns struct {
	name, folder, pid, line, started, sha256, domain, account, session string
	// parents are who started it, the nearest first; parentFolder is the folder of the
	// first.
	parents      []string
	parentFolder string
}

// initiating are the columns of the process that caused an event.
func initiating() columns {
	return columns{
		name: "InitiatingProcessFileName", folder: "InitiatingProcessFolderPath", pid: "InitiatingProcessId",
		line: "InitiatingProcessCommandLine", started: "InitiatingProcessCreationTime", sha256: "InitiatingProcessSHA256",
		domain: "InitiatingProcessAccountDomain", account: "InitiatingProcessAccountName", session: "InitiatingProcessSessionId",
		parents: []string{"InitiatingProcessParentFileName"},
	}
}

// created are the columns of a process that was started: who caused the event is its
// parent.
func created() columns {
	return columns{
		name: "FileName", folder: "FolderPath", pid: "ProcessId", line: "ProcessCommandLine", started: "ProcessCreationTime",
		sha256: "SHA256", domain: "AccountDomain", account: "AccountName", session: "CreatedProcessSessionId",
		parents: []string{"InitiatingProcessFileName", "InitiatingProcessParentFileName"}, parentFolder: "InitiatingProcessFolderPath",
	}
}

// all are the names of the columns, for a query.
func (c columns) all() []string {
	names := []string{c.name, c.folder, c.pid, c.line, c.started, c.sha256, c.domain, c.account, c.session}
	names = append(names, c.parents...)
	if c.parentFolder != "" {
		names = append(names, c.parentFolder)
	}
	return names
}

// process is the process of an event.
func (c columns) process(r row) incident.Process {
	p := incident.Process{
		Path: text(imagePath(r.text(c.folder), r.text(c.name))), Name: text(r.text(c.name)), CommandLine: text(r.text(c.line)),
		User: text(accountOf(r.text(c.domain), r.text(c.account))), PID: incident.NotKnown[int64]("Defender does not say"),
		Session: incident.NotKnown[string]("Defender does not say"), Started: incident.NotKnown[time.Time]("Defender does not say"),
		Signed: incident.NotKnown[bool]("Defender's event does not tell whether the image is signed"),
		Signer: incident.NotKnown[string]("Defender's event does not tell who signed the image"),
		SHA256: incident.NotKnown[string]("Defender fills this in seldom"),
	}
	if pid, ok := r.number(c.pid); ok && pid > 0 {
		p.PID = incident.Known(pid, incident.FromEDR)
	}
	if n, ok := r.number(c.session); ok {
		p.Session = incident.Known(strconv.FormatInt(n, 10), incident.FromEDR)
	}
	if at := r.at(c.started); !at.IsZero() {
		p.Started = incident.Known(at, incident.FromEDR)
	}
	if sum := strings.ToLower(r.text(c.sha256)); len(sum) == 64 {
		p.SHA256 = incident.Known(sum, incident.FromEDR)
	}
	p.Parent, p.Parents = c.lineage(r)
	return p
}

// lineage are the images that led to the process. Of the last of them Defender has the name
// alone, or the path, as it pleases: a name alone is not taken for a path.
func (c columns) lineage(r row) (parent, parents incident.Value[string]) {
	var out []string
	for i, column := range c.parents {
		image := r.text(column)
		if i == 0 && c.parentFolder != "" && r.text(c.parentFolder) != "" {
			image = imagePath(r.text(c.parentFolder), image)
		}
		if image != "" {
			out = append(out, image)
		}
	}
	switch {
	case len(out) == 0:
		return text(""), text("")
	case !strings.ContainsAny(out[0], `/\`):
		why := fmt.Sprintf("Defender's event names %s alone, without its path", httpx.Quote(out[0]))
		return incident.NotKnown[string](why), incident.NotKnown[string](why)
	}
	return text(out[0]), text(strings.Join(out, " < "))
}

// imagePath is the path of an image. FolderPath is documented as its folder; in events that
// people show it has the file's name at its end, too.
func imagePath(folder, name string) string {
	if folder == "" || name == "" {
		return folder
	}
	separator := `\`
	if strings.HasPrefix(folder, "/") {
		separator = "/"
	}
	lower := strings.ToLower(folder)
	if strings.HasSuffix(lower, separator+strings.ToLower(name)) {
		return folder
	}
	return strings.TrimRight(folder, separator) + separator + name
}

// accountOf is an account as Windows writes it.
func accountOf(domain, name string) string {
	if domain == "" || name == "" {
		return name
	}
	return domain + `\` + name
}

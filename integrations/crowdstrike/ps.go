package crowdstrike

import (
	"regexp"
	"strconv"
	"strings"
)

// listedProcess is a line of the command ps.
type listedProcess struct {
	Name string `json:"name"`
	PID  int64  `json:"pid"`
	// Started is by the device's clock and in its words; Zone is what the head of the
	// list says of it.
	Started string `json:"started,omitempty"`
	Zone    string `json:"zone,omitempty"`
	Path    string `json:"path,omitempty"`
}

// processLine is a line of ps as it was seen: name, id, start, memory, processor time,
// handles and path, of which the system's own processes lack some. The form is not
// documented.
func processLine() *regexp.Regexp {
	return regexp.MustCompile(`^(\S.*?)\s+(\d+)\s+(?:(\d\S* \d\S*(?: [AP]M)?)\s+)?([\d.,]+)\s+(?:([\d.,]+)\s+)?(\d+)(?:\s+(\S.*?))?\s*$`)
}

// parseProcesses reads the output of ps. A line that is no process is left out; without
// its head the output is not a list of processes.
func parseProcesses(stdout string) (found []listedProcess, ok bool) {
	line := processLine()
	zone := regexp.MustCompile(`\((UTC[^)]{0,10})\)`)
	var offset string
	for text := range strings.Lines(stdout) {
		text = strings.TrimRight(text, "\r\n")
		if !ok {
			if ok = strings.HasPrefix(text, "Name") && strings.Contains(text, "Id"); ok {
				if m := zone.FindStringSubmatch(text); m != nil {
					offset = m[1]
				}
			}
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		pid, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			continue
		}
		p := listedProcess{Name: m[1], PID: pid, Started: m[3], Path: m[7]}
		if p.Started != "" {
			p.Zone = offset
		}
		found = append(found, p)
	}
	return found, ok
}

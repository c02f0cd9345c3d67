package falconfake

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// output is what a command that reads prints. It is text for people, in columns whose
// widths vary. Those of ps are as people posted them, with a path that is empty for
// processes of the system; those of netstat are not documented.
func (d *Double) output(h edrtest.Host, base string) string {
	switch base {
	case "ps":
		return processTable(h)
	case "netstat":
		return connectionTable(h)
	}
	return `C:\`
}

func table(rows [][]string) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // A strings.Builder takes everything.
	return b.String()
}

func processTable(h edrtest.Host) string {
	rows := [][]string{
		{"Name", "Id", "Start Time (UTC+0)", "WorkingMemory(kb)", "CPU(s)", "HandleCount", "Path"},
		{"----", "--", "------------------", "-----------------", "------", "-----------", "----"},
	}
	for _, p := range h.Processes {
		if !p.End.IsZero() {
			continue
		}
		path := p.Path
		if p.Session == 0 && strings.EqualFold(p.User, `NT AUTHORITY\SYSTEM`) {
			path = ""
		}
		rows = append(rows, []string{
			strings.TrimSuffix(base(p.Path), ".exe"), strconv.FormatInt(p.PID, 10),
			p.Start.UTC().Format("1/2/2006 3:04:05 PM"), "5,612", "0.05", "93", path,
		})
	}
	return table(rows)
}

func connectionTable(h edrtest.Host) string {
	rows := [][]string{{"Proto", "Local Address", "Foreign Address", "State", "PID"}}
	for _, c := range h.Connections {
		if c.Process == nil || !c.Process.End.IsZero() {
			continue
		}
		e := ends(h, c)
		state := "ESTABLISHED"
		if c.Transport != "tcp" {
			state = ""
		}
		rows = append(rows, []string{
			strings.ToUpper(c.Transport), fmt.Sprintf("%s:%d", e.local, e.localPort),
			fmt.Sprintf("%s:%d", e.remote, e.remotePort), state, strconv.FormatInt(c.Process.PID, 10),
		})
	}
	return table(rows)
}

// base is the name of a file without its folders.
func base(path string) string { return path[strings.LastIndex(path, `\`)+1:] }

package traffic

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// same reports whether all paths are of one image, among the others.
func same(paths []string, others ...string) bool {
	m := imagesOf(append(others, paths...))
	for _, p := range paths[1:] {
		if m.key(p) != m.key(paths[0]) {
			return false
		}
	}
	return true
}

func TestOneImageInSeveralSpellings(t *testing.T) {
	for _, paths := range [][]string{
		{`C:\Windows\System32\svchost.exe`, `c:\windows\system32\SVCHOST.EXE`, `C:/Windows/System32/svchost.exe`, `"C:\Windows\System32\svchost.exe"`},
		{`C:\Tools\a.exe`, `\Device\HarddiskVolume2\Tools\a.exe`, `\\?\C:\Tools\a.exe`, `\??\C:\Tools\a.exe`, `\\.\C:\Tools\a.exe`},
		{`C:\Tools\a.exe`, `\\?\GLOBALROOT\Device\HarddiskVolume2\Tools\a.exe`, `\\.\HarddiskVolume2\Tools\a.exe`, `\device\harddiskvolume2\tools\A.EXE`},
		{`C:\Tools\a.exe`, `C:\\Tools\\a.exe`, `\\Device\\HarddiskVolume2\\Tools\\a.exe`, `\GLOBAL??\C:\Tools\a.exe`},
		{`C:\Tools\a.exe`, `\\?\Volume{2eca078d-5cbc-43d3-aff8-7e8511f60d0e}\Tools\a.exe`},
		{
			`D:\Windows\System32\drivers\n.sys`, `\SystemRoot\System32\drivers\n.sys`, `%SystemRoot%\System32\drivers\n.sys`, `%windir%\system32\drivers\n.sys`,
			`system32\drivers\n.sys`, `\Windows\System32\drivers\n.sys`, `%SystemDrive%\Windows\System32\drivers\n.sys`, `\Device\HarddiskVolume4\Windows\System32\drivers\n.sys`,
		},
		{`C:\Program Files\A\a.exe`, `%ProgramFiles%\A\a.exe`, `%PROGRAMW6432%\A\a.exe`, `\Device\HarddiskVolume3\Program Files\A\a.exe`},
		{`C:\Program Files (x86)\A\a.exe`, `%ProgramFiles(x86)%\A\a.exe`},
		{`C:\ProgramData\a.exe`, `%ALLUSERSPROFILE%\a.exe`, `%ProgramData%\a.exe`},
		{
			`\\server\share\a.exe`, `\\?\UNC\server\share\a.exe`, `\??\UNC\Server\Share\a.exe`, `\Device\Mup\server\share\a.exe`,
			`\Device\Mup\;LanmanRedirector\;Z:000000000003e7a1\server\share\a.exe`, `\Device\LanmanRedirector\;Z:000000000003e7a1\server\share\a.exe`, `\\\\server\\share\\a.exe`,
		},
		{`\Device\Harddisk0\Partition2\a.exe`, `C:\a.exe`},
		{`svchost.exe`, `SVCHOST.EXE`},
		{`/usr/bin/curl`, `/usr/bin/curl`},
	} {
		for _, p := range paths {
			if !same([]string{paths[0], p}) {
				t.Errorf("%q is another image than %q: %+v, %+v", p, paths[0], locate(p), locate(paths[0]))
			}
		}
		if !same(paths) {
			t.Errorf("%q are not of one image", paths)
		}
	}
}

func TestDifferentImagesStayDifferent(t *testing.T) {
	for _, c := range [][]string{
		{`C:\Tools\a.exe`, `D:\Tools\a.exe`},
		{`\Device\HarddiskVolume2\Tools\a.exe`, `\Device\HarddiskVolume3\Tools\a.exe`},
		{`C:\Tools\a.exe`, `C:\Tools\b.exe`},
		{`C:\Tools\a.exe`, `\Device\HarddiskVolume2\Users\a.exe`},
		{`C:\Tools\a.exe`, `a.exe`},
		{`C:\share\a.exe`, `\\server\share\a.exe`},
		{`\\one\share\a.exe`, `\\two\share\a.exe`},
		{`\Device\Mup\one\share\a.exe`, `\\?\UNC\two\share\a.exe`},
		{`C:\Windows\a.exe`, `\SystemRoot\System32\a.exe`},
		{`%APPDATA%\a.exe`, `C:\Users\eve\AppData\Roaming\a.exe`}, // the user is unknown
		{`/usr/bin/curl`, `C:\usr\bin\curl`},
		{`\Device\HarddiskVolumeShadowCopy1\Tools\a.exe`, `\Device\HarddiskVolume2\Tools\a.exe`},
	} {
		if same(c) {
			t.Errorf("%q are of one image", c)
		}
	}
	for _, c := range []struct {
		name          string
		paths, others []string
	}{
		{"a letter and a device of which there is another letter", []string{`C:\a.exe`, `\Device\HarddiskVolume2\a.exe`}, []string{`D:\a.exe`}},
		{"a letter and a device of which there is another device", []string{`C:\a.exe`, `\Device\HarddiskVolume2\a.exe`}, []string{`\Device\HarddiskVolume9\a.exe`}},
		{"the system's own and one of two drives", []string{`C:\Windows\a.exe`, `\SystemRoot\a.exe`}, []string{`D:\Windows\a.exe`}},
		{
			"a look-alike on a volume that is not the letter's",
			[]string{`C:\Windows\System32\svchost.exe`, `\Device\HarddiskVolume7\Windows\System32\svchost.exe`},
			[]string{`C:\b.exe`, `\Device\HarddiskVolume2\b.exe`, `C:\c.exe`, `\Device\HarddiskVolume2\c.exe`},
		},
		{
			"the same, where the volume has another letter",
			[]string{`C:\Windows\System32\svchost.exe`, `\Device\HarddiskVolume7\Windows\System32\svchost.exe`},
			[]string{`E:\b.exe`, `\Device\HarddiskVolume7\b.exe`, `E:\c.exe`, `\Device\HarddiskVolume7\c.exe`},
		},
	} {
		if same(c.paths, c.others...) {
			t.Errorf("%s: %q are of one image", c.name, c.paths)
		}
	}
}

// A driver's view of a process and a user's are of one process, which has all of
// the traffic; the path that people and policies use is reported.
func TestOneProcessInTwoSpellingsIsNamed(t *testing.T) {
	at := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	const letter, device = `C:\Tools\send.exe`, `\Device\HarddiskVolume2\Tools\send.exe`
	for _, pid := range []bool{true, false} {
		var flows []incident.Flow
		var conns []incident.Connection
		for i := range 60 {
			f := incident.Flow{
				Start: at.Add(time.Duration(i) * 10 * time.Second), Duration: time.Second, BytesOut: 9000, BytesIn: 900, PacketsOut: 9,
				Tuple: incident.Tuple{SrcIP: "10.20.4.42", SrcPort: 50000 + i, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"},
			}
			path := letter
			if i%2 == 0 {
				path = device
			}
			c := incident.Connection{At: f.Start, Tuple: f.Tuple, Process: incident.Process{Path: incident.Known(path, incident.FromEDR), CommandLine: incident.Known("send.exe -all", incident.FromEDR)}}
			if pid {
				c.Process.PID = incident.Known[int64](4242, incident.FromEDR)
			}
			flows, conns = append(flows, f), append(conns, c)
			// Both see the same connection.
			if c.Process.Path = incident.Known(device, incident.FromEDR); i%3 == 0 {
				conns = append(conns, c)
			}
		}
		for range 5 {
			got := Join(flows, conns)
			if path, _ := got.Process.Path.Get(); got.Attribution != incident.Exact || path != letter {
				t.Errorf("%s by %v, want %s", got.Attribution, got.Process.Path, letter)
			}
			if n, ok := got.Process.PID.Get(); ok != pid || pid && n != 4242 {
				t.Errorf("the process id is %v", got.Process.PID)
			}
			if line, _ := got.Process.CommandLine.Get(); line != "send.exe -all" {
				t.Errorf("the command line is %v", got.Process.CommandLine)
			}
			rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
		}
	}
}

// The same program on two drives is two, and neither has most.
func TestOnePathOnTwoVolumesIsNobody(t *testing.T) {
	at := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 60 {
		f := incident.Flow{
			Start: at.Add(time.Duration(i) * 10 * time.Second), Duration: time.Second, BytesOut: 9000, BytesIn: 900, PacketsOut: 9,
			Tuple: incident.Tuple{SrcIP: "10.20.4.42", SrcPort: 50000 + i, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"},
		}
		path := fmt.Sprintf(`%c:\Tools\send.exe`, 'C'+i%2)
		flows, conns = append(flows, f), append(conns, incident.Connection{At: f.Start, Tuple: f.Tuple, Process: incident.Process{Path: incident.Known(path, incident.FromEDR)}})
	}
	if got := Join(flows, conns); got.Attribution == incident.Exact {
		t.Errorf("%s: %v", got.Attribution, got.Process.Path)
	}
}

func TestAgentsInAnySpelling(t *testing.T) {
	for path, is := range map[string]bool{
		`\Device\HarddiskVolume3\Program Files\Filter\agent.exe`: true,
		`\\?\C:\Program Files\Filter\agent.exe`:                  true,
		`D:\Program Files\Filter\agent.exe`:                      true, // the setting leaves the drive open
		`C:\Program Files (x86)\Filter\agent.exe`:                false,
	} {
		p := incident.Process{Path: incident.Known(path, incident.FromEDR)}
		if isAgent(&p, []string{`%ProgramFiles%\Filter\agent.exe`}) != is {
			t.Errorf("%q is the agent: %v", path, !is)
		}
	}
}

// FuzzImages checks that any path of an endpoint is one image with itself, regardless
// of case.
func FuzzImages(f *testing.F) {
	for _, seed := range []string{`C:\a`, `\Device\Mup\;x\y`, `\\?\`, `%SystemRoot%\`, `\device\`, `\\?\unc\`, `c:\`, `\\`, `"`, `\??\volume{`} {
		f.Add(seed, `D:\a`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !SameImage(a, strings.ToLower(a)) || SameImage(a, b) != SameImage(b, a) {
			t.Errorf("%q and %q", a, b)
		}
	})
}

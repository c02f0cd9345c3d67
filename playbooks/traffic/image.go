package traffic

import (
	"cmp"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// spelled returns the path of a process's image, or its name where the path is
// unknown. It is empty for connections that the endpoint could not attribute.
func spelled(p *incident.Process) string {
	text, ok := p.Path.Get()
	if !ok {
		text, _ = p.Name.Get()
	}
	if strings.IndexByte(text, '<') < 0 && strings.IndexByte(text, '&') < 0 {
		return text // There may be very many of them.
	}
	if lower := strings.ToLower(text); strings.Contains(lower, "<unknown process>") || strings.Contains(lower, "&lt;unknown process&gt;") {
		return ""
	}
	return text
}

// namespace is how a path names its volume.
type namespace int

const (
	asWritten   namespace = iota // no other spelling is possible
	someVolume                   // no volume, or the system's: \SystemRoot, %ProgramFiles%
	driveLetter                  // C:
	deviceName                   // \Device\HarddiskVolume2
	volumeID                     // \\?\Volume{…}
)

// location is a path, in lower case, by its volume and the rest.
type location struct {
	in           namespace
	volume, rest string
}

// locate reads a path as Windows and its EDRs write it: the kernel knows volumes
// by device, people by letter. Anything else is compared as it is written, without
// case.
func locate(path string) location {
	s := strings.ToLower(strings.Trim(path, `" `))
	if strings.HasPrefix(s, "/") || !strings.ContainsAny(s, `\/`) {
		return location{rest: s}
	}
	s = strings.ReplaceAll(s, "/", `\`)
	if len(s) > 2 && strings.Contains(s[2:], `\\`) { // escaped once too often
		s = strings.ReplaceAll(s, `\\`, `\`)
	}
	s, bare := withoutNamespace(s)
	switch {
	case len(s) > 2 && s[1] == ':' && s[2] == '\\':
		return location{driveLetter, s[:1], s[2:]}
	case strings.HasPrefix(s, `\device\`):
		return locateDevice(s[len(`\device\`):])
	case bare && strings.HasPrefix(s, `unc\`):
		return location{rest: `\` + s[len(`unc`):]}
	case bare && strings.HasPrefix(s, "volume{"):
		volume, rest, _ := strings.Cut(s, `\`)
		return location{volumeID, volume, `\` + rest}
	case bare && strings.HasPrefix(s, "harddisk"):
		return locateDevice(s)
	case strings.HasPrefix(s, `\\`):
		return location{rest: s}
	}
	return locateSystem(s)
}

// withoutNamespace cuts off the prefixes that set how a path is read, and
// reports whether there was one.
func withoutNamespace(s string) (rest string, found bool) {
	for _, prefix := range []string{`\\?\`, `\??\`, `\\.\`, `\global??\`, `\dosdevices\`} {
		if after, ok := strings.CutPrefix(s, prefix); ok {
			return strings.TrimPrefix(after, "globalroot"), true
		}
	}
	return s, false
}

// locateDevice reads the part after \Device\. A redirector's device is
// followed by the session that it serves, and by server and share.
func locateDevice(s string) location {
	device, rest, _ := strings.Cut(s, `\`)
	redirects := device == "mup" || strings.HasSuffix(device, "redirector")
	for strings.HasPrefix(rest, ";") {
		_, rest, _ = strings.Cut(rest, `\`)
		redirects = true
	}
	if redirects {
		return location{rest: `\\` + rest}
	}
	if partition, after, ok := strings.Cut(rest, `\`); ok && strings.HasPrefix(partition, "partition") {
		device, rest = device+`\`+partition, after
	}
	return location{deviceName, device, `\` + rest}
}

// locateSystem reads paths whose volume is the system's.
func locateSystem(s string) location {
	for _, folder := range [...]struct{ name, is string }{
		{`\systemroot`, `\windows`},
		{`systemroot`, `\windows`},
		{`%systemroot%`, `\windows`},
		{`%windir%`, `\windows`},
		{`system32`, `\windows\system32`},
		{`%systemdrive%`, ""},
		{`%homedrive%`, ""},
		{`%programfiles%`, `\program files`},
		{`%programw6432%`, `\program files`},
		{`%programfiles(x86)%`, `\program files (x86)`},
		{`%commonprogramfiles%`, `\program files\common files`},
		{`%commonprogramw6432%`, `\program files\common files`},
		{`%commonprogramfiles(x86)%`, `\program files (x86)\common files`},
		{`%programdata%`, `\programdata`},
		{`%allusersprofile%`, `\programdata`},
		{`%public%`, `\users\public`},
	} {
		if rest, ok := strings.CutPrefix(s, folder.name+`\`); ok {
			return location{someVolume, "", folder.is + `\` + rest}
		}
	}
	if strings.HasPrefix(s, `\`) {
		return location{someVolume, "", s}
	}
	return location{rest: s}
}

// images decides which paths are of one image. Two names of a volume mean the same
// one where the rest of the paths agree, and where at most one volume of each kind of
// name has that path: the same path on two drives is of two images.
type images struct {
	volumes map[string]*[volumeID + 1]string // by the rest of the path
	// pairs counts the paths that a letter and a device have in common: a letter is
	// one device only, though another may hold a path that looks like its own.
	pairs map[[2]string]int
	// lettered are the paths with a drive's letter, by key.
	lettered map[string]string
}

// several means more than one volume.
const several = "*"

func imagesOf(paths []string) *images {
	m := &images{volumes: map[string]*[volumeID + 1]string{}, pairs: map[[2]string]int{}, lettered: map[string]string{}}
	for _, path := range paths {
		l := locate(path)
		if l.in <= someVolume {
			continue
		}
		of, ok := m.volumes[l.rest]
		if !ok {
			of = &[volumeID + 1]string{}
			m.volumes[l.rest] = of
		}
		if of[l.in] != "" && of[l.in] != l.volume {
			l.volume = several
		}
		of[l.in] = l.volume
	}
	for _, of := range m.volumes {
		if letter, device := of[driveLetter], of[deviceName]; letter != "" && device != "" && letter != several && device != several {
			m.pairs[[2]string{letter, device}]++
		}
	}
	for _, path := range paths {
		if locate(path).in != driveLetter {
			continue
		}
		key := m.key(path)
		if other, ok := m.lettered[key]; !ok || cmp.Or(cmp.Compare(len(path), len(other)), cmp.Compare(path, other)) < 0 {
			m.lettered[key] = path
		}
	}
	return m
}

// key is equal for paths of one image; empty for no path.
func (m *images) key(path string) string {
	l := locate(path)
	of, ok := m.volumes[l.rest]
	switch {
	case l.in == asWritten || !ok || m.one(of):
		return l.rest
	case l.in == someVolume:
		return several + l.rest
	}
	return l.volume + l.rest
}

// one reports whether a path is on one volume.
func (m *images) one(of *[volumeID + 1]string) bool {
	for _, volume := range of {
		if volume == several {
			return false
		}
	}
	letter, device := of[driveLetter], of[deviceName]
	if letter == "" || device == "" {
		return true
	}
	together := m.pairs[[2]string{letter, device}]
	for pair, n := range m.pairs {
		if n > together && (pair[0] == letter) != (pair[1] == device) {
			return false
		}
	}
	return true
}

// SameImage reports whether two paths, or names, can be of one image.
func SameImage(a, b string) bool {
	m := imagesOf([]string{a, b})
	return m.key(a) == m.key(b)
}

// clear writes the path of a process as people and policies do, if any path of the
// image has it: with its drive's letter.
func (m *images) clear(p incident.Process) incident.Process {
	path, known := p.Path.Get()
	if lettered, ok := m.lettered[m.key(path)]; known && ok && locate(path).in != driveLetter {
		p.Path = incident.Known(lettered, p.Path.From())
	}
	return p
}

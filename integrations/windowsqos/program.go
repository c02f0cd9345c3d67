package windowsqos

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// maxPath bounds a program's path, in UTF-16 units as Windows counts.
const maxPath = 255

// forbidden are programs that are never limited: they act for many services of the machine,
// or it is watched and given back by them. The script has the same lists.
func forbidden() []string {
	return []string{
		"agentbase", "aurora-agent", "axlaunch", "csfalconcontainer", "csfalconservice", "csrss", "dllhost",
		"elastic-agent", "elastic-endpoint", "endpoint-security", "filebeat", "lsaiso", "lsass", "lsm", "metricbeat",
		"mpdefendercoreservice", "msmpeng", "mssense", "nissrv", "ntoskrnl", "osqueryd", "ossec-agent",
		"packetbeat", "registry", "securityhealthservice", "sensece", "sensecncproxy", "senseir", "sensendr", "sentinelagent",
		"sentinelagentworker", "sentinelhelperservice", "sentinelservicehost", "sentinelstaticengine",
		"sentinelstaticenginescanner", "services", "smss", "svchost", "sysmon", "system", "taskhost",
		"taskhostw", "velociraptor", "wazuh-agent", "wininit", "winlogbeat", "winlogon", "wmiprvse", "wudfhost",
	}
}

// forbiddenFolders are names of folders below which no program is limited.
func forbiddenFolders() []string {
	return []string{
		"crowdstrike", "elastic", "elastic-agent", "microsoft security client", "ossec-agent", "sentinelone",
		"stanch", "windows defender", "windows defender advanced threat protection",
	}
}

// hosting are programs that run what others wrote.
func hosting() []string {
	return []string{
		"autohotkey", "autoit", "bash", "bun", "cmd", "conhost", "cscript", "deno", "dotnet", "installutil",
		"java", "javaw", "lua", "msbuild", "mshta", "msiexec", "node", "perl", "php", "php-cgi", "powershell",
		"powershell_ise", "pwsh", "py", "python", "pythonw", "regasm", "regsvcs", "regsvr", "ruby", "rubyw",
		"rundll", "tclsh", "w3wp", "wscript", "wsl", "wslhost", "wslrelay",
	}
}

// checkProgram returns what keeps a program from being limited, in words for people. narrowed
// says that the limit is for one destination or port alone. The path must be one.
func checkProgram(path string, narrowed bool) error {
	parts := strings.Split(strings.ToLower(path), `\`)
	for _, part := range parts {
		if slices.Contains(forbiddenFolders(), part) {
			return errors.New("the program belongs to what watches the device, and is never limited")
		}
	}
	base := strings.TrimRight(strings.TrimSuffix(parts[len(parts)-1], ".exe"), "0123456789.")
	switch {
	case slices.Contains(forbidden(), base):
		return errors.New("the program acts for many services of the device, or watches it, and is never limited")
	case slices.Contains(hosting(), base) && !narrowed:
		return errors.New("the program runs scripts of all kinds: a limit without a destination would be on all of them")
	}
	return nil
}

// checkPath returns what is wrong with a path: it must be that of one .exe on one drive, in
// the characters that the script takes.
func checkPath(path string) error {
	if path == "" {
		return errors.New("the program that sends is not known")
	}
	if len(utf16.Encode([]rune(path))) > maxPath {
		return errors.New("the program's path is too long")
	}
	if strings.HasPrefix(path, `\Device\`) {
		return errors.New("the program's path is known by device, and which drive that is only the device knows")
	}
	if len(path) < 3 || !plain(path[:1], "") || path[0] <= '9' || path[1:3] != `:\` {
		return errors.New(`the program's path does not begin with a drive, such as C:\`)
	}
	parts := strings.Split(path[3:], `\`)
	for _, part := range parts {
		switch {
		case part == "" || part == "." || part == ".." || strings.HasPrefix(part, " ") || strings.HasSuffix(part, " ") || strings.HasSuffix(part, "."):
			return errors.New("the program's path has an empty or relative part, or one that ends with a dot or blank")
		case strings.ContainsFunc(part, func(r rune) bool { return !pathRune(r) }):
			return errors.New("the program's path has a variable, a wildcard, or another character that no policy takes")
		case shortName(part):
			return errors.New("the program's path has a short name, such as PROGRA~1")
		}
	}
	if name := strings.ToLower(parts[len(parts)-1]); !strings.HasSuffix(name, ".exe") || name == ".exe" {
		return errors.New("the program's path does not end in .exe")
	}
	return nil
}

func pathRune(r rune) bool {
	if r == unicode.ReplacementChar || r > 0xffff {
		return false // The script compares UTF-16 units, and takes no halves of a character.
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd) || strings.ContainsRune(" ._()[]{}+,;=@&#!$^~'-", r)
}

func shortName(part string) bool {
	for i := 1; i < len(part); i++ {
		if part[i-1] == '~' && part[i] >= '0' && part[i] <= '9' {
			return true
		}
	}
	return false
}

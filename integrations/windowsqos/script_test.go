package windowsqos

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Windows PowerShell takes a file without a mark for one of the machine's code page.
func TestScriptIsASCII(t *testing.T) {
	if i := strings.IndexFunc(Script(), func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\n' }); i >= 0 || !strings.HasSuffix(Script(), "\n") {
		t.Errorf("the script has another character at %d: %.20q", i, Script()[max(0, i):])
	}
}

// The script may read, compare, and change the policy of its own name: nothing else.
func TestScriptCallsOnlyWhatItMay(t *testing.T) {
	s := apispec.ParsePowerShell(t, Script())
	if len(s.Broken) != 0 || len(s.Redirections) != 0 {
		t.Fatalf("the script cannot be parsed in the lines %v, and redirects %q", s.Broken, s.Redirections)
	}
	allowed := slices.Concat(s.Functions, []string{
		"ConvertTo-Json", "Get-Command", "Get-Item", "Get-NetQosPolicy", "New-NetQosPolicy", "New-Object", "Remove-NetQosPolicy",
		"Set-NetQosPolicy", "Set-StrictMode",
	})
	changes := map[string]int{}
	for _, c := range s.Commands {
		if c.Computed || !slices.Contains(allowed, c.Name) {
			t.Errorf("line %d calls %q, computed %t", c.Line, c.Name, c.Computed)
		}
		if strings.Contains(c.Name, "-NetQos") && c.With("-PolicyStore") != "ActiveStore" {
			t.Errorf("line %d: %s is not of the active store alone: %q", c.Line, c.Name, c.Words)
		}
		switch c.Name {
		case "New-NetQosPolicy", "Set-NetQosPolicy", "Remove-NetQosPolicy":
			changes[c.Name]++
			if c.With("-Name") != "$Name" || c.With("-Confirm") != "$false" {
				t.Errorf("line %d: %s is not of the one policy, or asks: %q", c.Line, c.Name, c.Words)
			}
		case "Get-Item":
			if c.With("-LiteralPath") == "" {
				t.Errorf("line %d takes a path for a pattern", c.Line)
			}
		case "New-Object":
			if c.With("-TypeName") != "System.Text.UTF8Encoding" {
				t.Errorf("line %d makes %q", c.Line, c.Words)
			}
		}
	}
	if changes["New-NetQosPolicy"] != 1 || changes["Set-NetQosPolicy"] != 1 || changes["Remove-NetQosPolicy"] != 1 {
		t.Errorf("the script changes policies in other places than one each: %v", changes)
	}
	for _, m := range s.Methods {
		if !slices.Contains([]string{
			"Contains", "FromBase64String", "LastIndexOf", "Length", "OrdinalIgnoreCase", "Replace", "Split", "Substring", "ToLowerInvariant",
			"ToString", "ToUnixTimeSeconds", "TryParse", "GetString", "PadRight", "Equals", "Min", "UtcNow",
		}, m) {
			t.Errorf("the script calls the method %s", m)
		}
	}
	for _, name := range s.Types {
		if !slices.Contains([]string{
			"int", "int64", "string", "ordered", "ref", "System.Convert", "System.DateTimeOffset", "System.IO.FileAttributes", "System.IO.FileInfo",
			"System.Math", "System.Net.IPAddress", "System.StringComparison", "System", "System.IO", "System.Net",
		}, name) {
			t.Errorf("the script uses the type %s", name)
		}
	}
}

// Names of variables are the same in small and large letters: setting one that the caller
// gave, or that the language sets by itself, would replace it.
func TestScriptSetsNoVariableOfOthers(t *testing.T) {
	s := apispec.ParsePowerShell(t, Script())
	others := append([]string{
		"$args", "$error", "$event", "$false", "$home", "$host", "$input", "$matches", "$pid", "$profile", "$pwd", "$sender", "$this", "$true", "$switch",
		"$foreach", "$myinvocation", "$psitem", "$_",
	}, s.Params...)
	for _, set := range s.Assigned {
		if slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(other, set) }) {
			t.Errorf("the script sets %s", set)
		}
	}
	if len(s.Assigned) < 20 || len(s.Params) != 8 {
		t.Errorf("it sets %d variables and has the parameters %v", len(s.Assigned), s.Params)
	}
}

// What the script refuses is what is refused before it is ordered.
func TestListsOfTheScriptAreThoseOfTheCode(t *testing.T) {
	for name, want := range map[string][]string{"forbidden": forbidden(), "forbiddenFolders": forbiddenFolders(), "hosting": hosting()} {
		block := regexp.MustCompile(`(?s)\n\$` + name + ` = @\((.*?)\n\)`).FindStringSubmatch(Script())
		if block == nil {
			t.Fatalf("the script has no list %s", name)
		}
		var got []string
		for _, m := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(block[1], -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) || !slices.IsSorted(slices.Clone(want)) && name != "forbidden" {
			t.Errorf("%s is %q in the script and %q in the code", name, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	filter := func(f incident.Filter) func(*incident.Order) {
		return func(o *incident.Order) { f.Direction = incident.Outbound; o.Filter = &f }
	}
	const (
		named = "-Name stanch-5b05edd5b8a4a8ae2a31b3cf2a5c4a5f"
		path  = "-AppPath QzpcUHJvZ3JhbSBGaWxlcyAoeDg2KVxTZW5kZXIgWzJdXHNlbmQgaXQuZXhl -Bps 2000000"
	)
	until := func(o *incident.Order) { o.Until = o.Until.AddDate(0, 0, 0) }
	for want, change := range map[string]func(*incident.Order){
		path: until,
		path + " -DstPrefix 192.0.2.53/32 -DstPort 53 -Protocol UDP": filter(incident.Filter{RemoteIP: "192.0.2.53", RemotePort: 53, Transport: "udp"}),
		path + " -DstPrefix 192.0.2.53/32":                           filter(incident.Filter{RemoteIP: "::ffff:192.0.2.53"}),
		path + " -DstPrefix 2001:db8::1/128 -Protocol TCP":           filter(incident.Filter{RemoteIP: "2001:DB8:0::1", Transport: "tcp"}),
		"-AppPath QzpcVG9vbHNcw6RiYy5FWEU -Bps 2000000":              func(o *incident.Order) { o.Program = `C:\Tools\äbc.EXE` },
	} {
		l, err := allowedOf("test", order(t, change))
		if err != nil {
			t.Error(err)
			continue
		}
		l.name, l.until = strings.Fields(named)[1], 1_796_000_000
		for action, line := range map[string]string{
			doApply: "-Action apply " + named + " " + want + " -Until 1796000000", doVerify: "-Action verify " + named + " " + want,
			doRemove: "-Action remove " + named,
		} {
			args := l.args(action)
			if got := strings.Join(args, " "); got != line {
				t.Errorf("%s is\n%s, want\n%s", action, got, line)
			}
			for _, a := range args {
				if !plain(a, `._:/\-`) {
					t.Errorf("an EDR does not take the argument %q", a)
				}
			}
		}
	}
}

// The name is of the key alone: what it holds is not in it.
func TestNameOfAKey(t *testing.T) {
	form := regexp.MustCompile(`^stanch-[0-9a-f]{32}$`)
	if a, b := nameOf("a"), nameOf("b"); !form.MatchString(a) || !form.MatchString(nameOf("\"; Remove-Item C:\\\n*")) || a == b || a != nameOf("a") {
		t.Errorf("the names are %q and %q", a, b)
	}
}

func TestAnswers(t *testing.T) {
	name := nameOf("k")
	good := `{"stanch":1,"action":"verify","name":"` + name + `","result":"done","reason":"","changed":false,"stands":true,"differs":false,"bps":2000000,"other":false,"otherBps":0,"competing":2,"detail":""}`
	exit := 0
	a, err := parse("\r\n"+good+"\r\n", doVerify, name, &exit)
	if err != nil || !a.Stands || a.Bps != 2_000_000 || a.Competing != 2 {
		t.Errorf("the answer is %+v, %v", a, err)
	}
	one := 1
	for what, c := range map[string]struct {
		text string
		exit *int
	}{
		"nothing":                 {"", nil},
		"an error of the shell":   {"The term 'x' is not recognized", nil},
		"two lines":               {good + "\n" + good, nil},
		"two on one line":         {good + good, nil},
		"a line before it":        {"WARNING: slow\n" + good, nil},
		"half of it":              {good[:60], nil},
		"another's name":          {strings.Replace(good, name, nameOf("l"), 1), nil},
		"another action":          {strings.Replace(good, "verify", "remove", 1), nil},
		"another form":            {strings.Replace(good, `"stanch":1`, `"stanch":2`, 1), nil},
		"an unknown field":        {strings.Replace(good, `"reason"`, `"cause"`, 1), nil},
		"an unknown result":       {strings.Replace(good, `"done"`, `"ok"`, 1), nil},
		"a rate below zero":       {strings.Replace(good, `2000000`, `-1`, 1), nil},
		"a rate that is no int":   {strings.Replace(good, `2000000`, `2e6`, 1), nil},
		"another exit":            {good, &one},
		"too much":                {good + strings.Repeat(" ", 5000) + "{}", nil},
		"what stands and differs": {strings.Replace(good, `"differs":false`, `"differs":true`, 1), nil},
	} {
		if a, err := parse(c.text, doVerify, name, c.exit); err == nil {
			t.Errorf("%s is taken for the answer %+v", what, a)
		}
	}
}

func TestPrograms(t *testing.T) {
	for path, want := range map[string]string{
		sender: "", `c:\x.exe`: "", `C:\Users\anna\.tools\a.b.EXE`: "", `C:\Users\Jörg\日本\é$1'~a.exe`: "",
		`C:\Windows\System32\svchost.exe`: "many services", `D:\evil\SVCHOST.EXE`: "many services", `C:\Windows\System32\lsass.exe`: "many services",
		`C:\Windows\Sysmon64.exe`: "many services", `C:\Program Files\CrowdStrike\x.exe`: "watches the device",
		`C:\ProgramData\Microsoft\Windows Defender\Platform\4.18\new.exe`: "watches the device", `C:\Program Files\SentinelOne\Sentinel Agent 24.1\S.exe`: "watches the device",
		`C:\Program Files (x86)\ossec-agent\wazuh-agent.exe`: "watches the device", `C:\Program Files\Elastic\Endpoint\elastic-endpoint.exe`: "watches the device",
		`C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`: "destination", `C:\Python\python3.11.exe`: "destination", `C:\a\rundll32.exe`: "destination",
		`C:\a\w3wp.exe`: "destination", `C:\PROGRA~1\a.exe`: "short name", `C:\a \x.exe`: "dot or blank", `C:\a.\x.exe`: "dot or blank", `C:\\x.exe`: "empty",
		`C:\x.exe:y.exe`: "another character", `C:\a/b.exe`: "another character", "C:\\a\u200bb.exe": "another character", `C:\%a%.exe`: "another character",
		"C:\\a\xff.exe": "another character", `C:\😀.exe`: "another character", "C:\\a`.exe": "another character", `C:\.exe`: ".exe", `C:\a.exe.`: "dot or blank",
		`\\?\C:\a.exe`: "drive", `1:\a.exe`: "drive", `\Device\HarddiskVolume3\a.exe`: "known by device", `C:`: "drive", `C:\` + strings.Repeat("a", 260) + `.exe`: "too long",
	} {
		_, err := allowedOf("test", order(t, func(o *incident.Order) { o.Program = path }))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || integrations.KindOf(err) != integrations.Invalid || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
	narrow := func(f incident.Filter) error {
		_, err := allowedOf("test", order(t, func(o *incident.Order) { o.Program, o.Filter = `C:\a\pwsh.exe`, &f }))
		return err
	}
	for text, f := range map[string]incident.Filter{
		"": {Direction: incident.Outbound, RemotePort: 53}, "destination": {Direction: incident.Outbound, Transport: "udp"}, "sends": {Direction: incident.Inbound, RemotePort: 53},
		"own port": {Direction: incident.Outbound, LocalPort: 53, RemotePort: 53}, "TCP and UDP": {Direction: incident.Outbound, Transport: "icmp"},
		"one address": {Direction: incident.Outbound, RemoteIP: "192.0.2.0/24"}, "not one": {Direction: incident.Outbound, RemotePort: 65536},
	} {
		if err := narrow(f); (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: %v, want %q", f, err, text)
		}
	}
}

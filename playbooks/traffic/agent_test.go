package traffic

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestAgentsSendForOthers(t *testing.T) {
	of := func(path string) incident.Process {
		return incident.Process{Path: incident.Known(path, incident.FromEDR)}
	}
	agents := []string{`C:\Program Files\Filter\agent.exe`, "tunnel.exe"}
	for path, is := range map[string]bool{
		`C:\Program Files\Filter\agent.exe`: true,
		`c:\program files\filter\AGENT.EXE`: true,
		`C:\Users\eve\agent.exe`:            false, // a whole path names one image
		`D:\Tunnel\Tunnel.exe`:              true,  // a bare name any
		`C:\Tools\nottunnel.exe`:            false,
		"":                                  false,
	} {
		p := of(path)
		if isAgent(&p, agents) != is {
			t.Errorf("%q is an agent: %v", path, !is)
		}
		r := JoinResult{Attribution: incident.Exact, Process: p, Explained: 900}
		if why := r.DisownAgent(agents); (why != "") != is {
			t.Errorf("%q: %q", path, why)
		} else if is && (r.Attribution != incident.NoneJoined || r.Process != (incident.Process{}) || r.Candidate != p || r.Explained != 0) {
			t.Errorf("%q is left as %+v", path, r)
		}
	}
	if p := (incident.Process{Name: incident.Known("TUNNEL.exe", incident.FromEDR)}); !isAgent(&p, agents) {
		t.Error("an image with a known name only is not an agent")
	}
}

func TestWhatCanNameAnAgent(t *testing.T) {
	for agent, ok := range map[string]bool{
		`C:\Program Files\Filter\agent.exe`:        true,
		`\Device\HarddiskVolume3\Filter\agent.exe`: true,
		`%ProgramFiles%\Filter\agent.exe`:          true,
		"/opt/filter/agent":                        true,
		"agent.exe":                                true,
		"":                                         false,
		" ":                                        false,
		"unknown":                                  false,
		`C:\Program Files\Filter\`:                 false,
		`C:\Program Files\*\agent.exe`:             false,
		`Filter\agent.exe`:                         false,
	} {
		if err := CheckAgent(agent); (err == nil) != ok {
			t.Errorf("%q: %v", agent, err)
		}
	}
}

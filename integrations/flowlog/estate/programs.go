package estate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// program is what sends, before it runs on a host.
type program struct {
	path, args, script, text string
	signer                   string // empty: the image is not signed
	account                  string // empty: who works at the host
	parent                   string
	pid                      int64 // 0: another one each day
}

// The programs, by their place in the list. A driver, or a program that writes raw packets,
// leaves no process.
const (
	browser = iota
	mailClient
	syncClient
	dnsClient
	timeService
	systemService
	lineOfBusiness
	mailRelay
	dnsServer
	backupAgent
	buildAgent
	gitClient
	webServer
	meetings
	patchServer
	speedTest
	copyTool
	reportJob
	directory
	scripted
	uploader
	masked
	flooder
	requester
	stresser
	kernel
	terminal
	filter
	cacheService
	noProcess = -1
)

const (
	localSystem    = `NT AUTHORITY\SYSTEM`
	networkService = `NT AUTHORITY\NETWORK SERVICE`
	localService   = `NT AUTHORITY\LOCAL SERVICE`
	microsoft      = "Microsoft Windows"
	shell          = `C:\Windows\explorer.exe`
	serviceManager = `C:\Windows\System32\services.exe`
	// filterPath is the web filter's image, which sends for all programs of its host.
	filterPath = `C:\Program Files\Webwall\wallagent.exe`
)

func programs() []program {
	const svchost = `C:\Windows\System32\svchost.exe`
	return []program{
		browser:        {path: `C:\Program Files\Browser\browser.exe`, args: "--type=utility", signer: "Browser Makers Ltd", parent: shell},
		mailClient:     {path: `C:\Program Files\Office\mail.exe`, args: "/recycle", signer: "Office Makers Inc", parent: shell},
		syncClient:     {path: `C:\Program Files\Office\sync.exe`, args: "/background", signer: "Office Makers Inc", parent: shell},
		dnsClient:      {path: svchost, args: "-k NetworkService -p -s Dnscache", signer: microsoft, account: networkService, parent: serviceManager},
		timeService:    {path: svchost, args: "-k LocalService -s W32Time", signer: microsoft, account: localService, parent: serviceManager},
		systemService:  {path: svchost, args: "-k netsvcs -p -s wuauserv", signer: microsoft, account: localSystem, parent: serviceManager},
		lineOfBusiness: {path: `C:\Apps\orders\orders.exe`, args: "--service", signer: "Corp Engineering", account: `CORP\svc-orders`, parent: serviceManager},
		mailRelay:      {path: `C:\Program Files\Relay\relay.exe`, args: "-daemon", signer: "Relay Project", account: networkService, parent: serviceManager},
		dnsServer:      {path: `C:\Windows\System32\dns.exe`, signer: microsoft, account: localSystem, parent: serviceManager},
		backupAgent:    {path: `C:\Program Files\Nightvault\vaultagent.exe`, args: "run --policy nightly", signer: "Nightvault GmbH", account: `CORP\svc-backup`, parent: serviceManager},
		buildAgent:     {path: `C:\Program Files\Buildfarm\agent.exe`, args: "worker --queue main", signer: "Buildfarm Inc", account: `CORP\svc-build`, parent: serviceManager},
		gitClient:      {path: `C:\Program Files\Git\usr\bin\ssh.exe`, args: "git@code.example.com git-upload-pack main", signer: "Git Makers", account: `CORP\svc-build`, parent: `C:\Program Files\Buildfarm\agent.exe`},
		webServer:      {path: `C:\Windows\System32\inetsrv\w3wp.exe`, args: `-ap "shop"`, signer: microsoft, account: `IIS APPPOOL\shop`, parent: svchost},
		meetings:       {path: `C:\Program Files\Meetings\meet.exe`, args: "--join", signer: "Meetings AG", parent: shell},
		patchServer:    {path: `C:\Program Files\Update Services\updateservice.exe`, signer: microsoft, account: networkService, parent: serviceManager},
		speedTest:      {path: `C:\Program Files\Browser\browser.exe`, args: "--type=utility --net", signer: "Browser Makers Ltd", parent: shell},
		copyTool:       {path: `C:\Windows\System32\OpenSSH\scp.exe`, args: "image.vhdx transfer@archive.example.com:/images/", signer: microsoft, account: `CORP\adm-weber`, parent: `C:\Windows\System32\cmd.exe`},
		reportJob:      {path: `C:\Apps\reports\monthly.exe`, args: "--month last --to regulator", signer: "Corp Engineering", account: `CORP\svc-reports`, parent: `C:\Windows\System32\svchost.exe`},
		directory:      {path: `C:\Windows\System32\lsass.exe`, signer: microsoft, account: localSystem, parent: `C:\Windows\System32\wininit.exe`},
		scripted: {
			path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, args: `-NoProfile -File C:\ProgramData\cache\sync.ps1`, signer: microsoft,
			script: `C:\ProgramData\cache\sync.ps1`, text: "while ($true) { Send-Next -Part $files.Dequeue(); Start-Sleep 60 }", parent: `C:\Windows\System32\svchost.exe`,
		},
		uploader:     {path: `C:\ProgramData\rclone.exe`, args: "copy E:\\ remote:drop --transfers 8", account: localSystem, parent: `C:\Windows\System32\cmd.exe`},
		masked:       {path: `C:\Users\Public\vaultagent.exe`, args: "run --policy nightly", account: localSystem, parent: `C:\Windows\System32\cmd.exe`},
		flooder:      {path: `C:\Windows\Temp\upd32.exe`, args: "-u -t 16", account: localSystem, parent: `C:\Windows\System32\cmd.exe`},
		requester:    {path: `C:\Windows\Temp\svc64.exe`, args: "-list peers.txt -s", account: localSystem, parent: `C:\Windows\System32\cmd.exe`},
		stresser:     {path: `C:\Users\Public\python\python.exe`, args: `load.py --workers 64`, script: `C:\Users\Public\load.py`, signer: "Python Makers", parent: `C:\Windows\System32\cmd.exe`},
		kernel:       {path: "System", pid: 4, account: localSystem, signer: microsoft},
		terminal:     {path: `C:\Program Files\Terminal\terminal.exe`, args: "-load saved", signer: "Terminal Makers", parent: shell},
		filter:       {path: filterPath, args: "--service", signer: "Webwall BV", account: localSystem, parent: serviceManager},
		cacheService: {path: `C:\Apps\cache\memcached.exe`, args: "-m 4096", account: `CORP\svc-orders`, parent: serviceManager},
	}
}

// unexplained is why what the EDR knows of the flow does not explain it; empty where a
// process with user and command line does.
func (h *Host) unexplained(f *flow) string {
	switch {
	case h.Shared.IsValid():
		return SharedAddress
	case h.Agent == NoAgent:
		return AgentMissing
	case !h.answers(f.at):
		return AgentSilent
	case f.program == noProcess:
		return NoProcess
	case h.Filtered:
		return FilterSends
	case !h.Audited:
		return NoCommandLine
	}
	return ""
}

// process is the program as it runs on the host at a time; it is restarted daily.
func (e *Estate) process(h *Host, number int16, at int64) incident.Process {
	if h.Filtered {
		number = filter
	}
	if number == noProcess {
		const why = "the agent saw no process for it"
		return incident.Process{Path: incident.NotKnown[string](why), Name: incident.NotKnown[string](why), PID: incident.NotKnown[int64](why)}
	}
	p := &e.programs[number]
	day := (at - e.start) / int64(24*time.Hour)
	lot := mix(e.config.Seed ^ mix(forProcess<<56^uint64(h.index)<<24^uint64(number)<<16^uint64(day)))
	said := func(s string) incident.Value[string] {
		if s == "" {
			return incident.NotKnown[string]("the agent did not record it")
		}
		return incident.Known(s, incident.FromEDR)
	}
	user := p.account
	if user == "" {
		user = h.User
	}
	digest := sha256.Sum256([]byte(p.path + p.signer))
	line := ""
	if h.Audited {
		line = fmt.Sprintf(`"%s" %s`, p.path, p.args)
	}
	text := ""
	if h.Audited {
		text = p.text
	}
	return incident.Process{
		Path: said(p.path), Name: said(base(p.path)), PID: incident.Known(cmp.Or(p.pid, int64(4*(256+lot%16000))), incident.FromEDR),
		CommandLine: said(line), Script: said(p.script), ScriptText: said(text), User: said(user),
		Signed: incident.Known(p.signer != "", incident.FromEDR), Signer: said(p.signer),
		SHA256: said(hex.EncodeToString(digest[:])), Parent: said(p.parent),
		Started: incident.Known(time.Unix(0, e.start+day*int64(24*time.Hour)).UTC(), incident.FromEDR),
	}
}

func base(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '\\' {
			return path[i+1:]
		}
	}
	return path
}

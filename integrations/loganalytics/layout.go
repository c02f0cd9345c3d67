package loganalytics

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Layout is whose table the flows are in, which sets the meaning of its columns.
type Layout string

// The closed set of layouts.
const (
	// CommonSecurityLog has the sessions of firewalls, as they sent them in CEF.
	CommonSecurityLog Layout = "commonsecuritylog"
	// NTANetAnalytics has what traffic analytics makes of virtual networks' flow logs.
	NTANetAnalytics Layout = "ntanetanalytics"
	// AzureNetworkAnalytics has what it makes of those of network security groups.
	AzureNetworkAnalytics Layout = "azurenetworkanalytics"
	// VMConnection has what VM insights measures on machines, minute by minute.
	VMConnection Layout = "vmconnection"
)

// layout is a table: expressions in KQL, over its columns, for what a flow consists of.
type layout struct {
	table string
	// stamps bounds TimeGenerated of the records that may overlap [from, to).
	stamps func(from, to time.Time, longest time.Duration) (time.Time, time.Time)
	// filters select the records of flows, without those that were denied.
	filters []string
	// public are the columns of lists of public addresses, of the source's end and of the
	// destination's, which hold what Src and Dst lack; none: empty.
	srcPublic, dstPublic string

	begun, ended            string
	src, dst                string
	srcPort, dstPort, proto string
	srcBytes, dstBytes      string
	srcPackets, dstPackets  string
	sensor                  string
	device, user            string
	// grows reports whether a record has what was added in its time only: then others of the
	// same ends are further traffic, and counts of 0 are real.
	grows bool
	// written reports whether addresses are as somebody wrote them, and not in one form.
	written bool
	// least is why volumes are the least that was sent; empty where they are whole.
	least string

	only, without []integrations.Match
}

func (l Layout) known() bool {
	switch l {
	case CommonSecurityLog, NTANetAnalytics, AzureNetworkAnalytics, VMConnection:
		return true
	}
	return false
}

// layout is that of the configuration.
func (c *Config) layout() layout {
	var l layout
	switch c.Layout {
	case CommonSecurityLog:
		l = commonSecurityLog()
	case NTANetAnalytics:
		l = ntaNetAnalytics()
	case AzureNetworkAnalytics:
		l = azureNetworkAnalytics()
	case VMConnection:
		l = vmConnection()
	}
	if c.SensorColumn != "" {
		l.sensor = c.SensorColumn
	}
	l.only, l.without = c.Only, c.Without
	return l
}

// clocks is how far the service's clock may be from that of who records.
const clocks = 5 * time.Minute

// deniedWords begin what firewalls write in DeviceAction of a session that they did not let
// through: nothing of it has left. Any other word counts as let through.
func deniedWords() []string {
	return []string{"den", "drop", "block", "reject", "reset", "discard", "prevent", "refuse"}
}

// commonSecurityLog: TimeGenerated is the event's time, which for a session is its end.
//
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/commonsecuritylog
func commonSecurityLog() layout {
	denied := deniedWords()
	for i, word := range denied {
		denied[i] = "DeviceAction startswith " + text(word)
	}
	return layout{
		table: "CommonSecurityLog", written: true,
		stamps: func(from, to time.Time, longest time.Duration) (time.Time, time.Time) {
			return from.Add(-clocks), to.Add(longest + clocks)
		},
		filters: []string{
			"isnotempty(SourceIP) and isnotempty(DestinationIP)",
			"not(" + strings.Join(denied, " or ") + ")",
			// The beginning of a session is no flow of its own, and neither is a report of one
			// that goes on, of which FortiGate's counts are those since its beginning.
			`not(DeviceAction =~ "start" or DeviceEventClassID =~ "start")`,
			`not(DeviceVendor =~ "Fortinet" and DeviceEventClassID endswith "00020")`,
		},
		begun: "coalesce(StartTime, Ended)", ended: "coalesce(EndTime, TimeGenerated)",
		src: "SourceIP", dst: "DestinationIP", srcPort: "SourcePort", dstPort: "DestinationPort", proto: "Protocol",
		srcBytes: "SentBytes", dstBytes: "ReceivedBytes", srcPackets: "-1", dstPackets: "-1",
		sensor: "iff(isnotempty(DeviceName), DeviceName, Computer)", device: "SourceHostName", user: "SourceUserName",
	}
}

const (
	// processing is how long after the end of an interval traffic analytics may write its
	// records, and interval the longest such interval.
	processing = 2 * time.Hour
	interval   = time.Hour
)

// analytics are the bounds of traffic analytics' records: TimeGenerated is when they were
// written, after their interval had ended.
func analytics(from, to time.Time, _ time.Duration) (time.Time, time.Time) {
	return from.Add(-clocks), to.Add(interval + processing)
}

// egress is the sensor of a network interface, of which both directions have names of their
// own: where a flow passes through a machine its interface sees it twice.
func egress(resource, mac, direction string) string {
	return "strcat(" + resource + `, " ", ` + mac + ", iff(" + direction + ` startswith "O", ` + text(flowmath.Egress) + `, ""))`
}

// ntaNetAnalytics: what is aggregated lasts from its first flow to the end of the interval.
// FlowEndTime is when the last one began.
//
// https://learn.microsoft.com/azure/network-watcher/traffic-analytics-schema
func ntaNetAnalytics() layout {
	return layout{
		table: "NTANetAnalytics", stamps: analytics, grows: true,
		filters:   []string{`SubType =~ "FlowLog"`, `not(FlowStatus startswith "D")`},
		srcPublic: "SrcPublicIps", dstPublic: "DestPublicIps",
		begun: "coalesce(FlowStartTime, FlowIntervalStartTime, Ended)", ended: "coalesce(FlowIntervalEndTime, FlowEndTime, TimeGenerated)",
		src: "SrcIp", dst: "DestIp", srcPort: "toint(SrcPorts)", dstPort: "DestPort", proto: "L4Protocol",
		srcBytes: "BytesSrcToDest", dstBytes: "BytesDestToSrc", srcPackets: "PacketsSrcToDest", dstPackets: "PacketsDestToSrc",
		sensor: egress("TargetResourceId", "MacAddress", "FlowDirection"), device: "SrcVm", user: `""`,
	}
}

func azureNetworkAnalytics() layout {
	return layout{
		table: "AzureNetworkAnalytics_CL", stamps: analytics, grows: true,
		filters:   []string{`SubType_s =~ "FlowLog"`, `not(FlowStatus_s startswith "D")`},
		srcPublic: "SrcPublicIPs_s", dstPublic: "DestPublicIPs_s",
		begun: "coalesce(FlowStartTime_t, FlowIntervalStartTime_t, Ended)", ended: "coalesce(FlowIntervalEndTime_t, FlowEndTime_t, TimeGenerated)",
		src: "SrcIP_s", dst: "DestIP_s", srcPort: "0", dstPort: "DestPort_d", proto: "L4Protocol_s",
		srcBytes: "OutboundBytes_d", dstBytes: "InboundBytes_d", srcPackets: "OutboundPackets_d", dstPackets: "InboundPackets_d",
		sensor: egress("NSGList_s", "MACAddress_s", "FlowDirection_s"), device: "VM1_s", user: `""`,
	}
}

// vmConnection: TimeGenerated is where the minute begins. What was sent is the machine's own
// view, whichever end opened the connection.
//
// https://learn.microsoft.com/azure/azure-monitor/vm/vminsights-log-query
func vmConnection() layout {
	outward := func(out, in string) string { return `iff(Direction =~ "inbound", ` + in + ", " + out + ")" }
	return layout{
		table: "VMConnection", grows: true, least: "VM insights has TCP over IPv4 only",
		stamps: func(from, to time.Time, _ time.Duration) (time.Time, time.Time) {
			return from.Add(-time.Minute), to
		},
		filters: []string{"isnotempty(SourceIp) and isnotempty(DestinationIp)"},
		begun:   "TimeGenerated", ended: "TimeGenerated + 1m",
		src: "SourceIp", dst: "DestinationIp", srcPort: "0", dstPort: "DestinationPort", proto: "Protocol",
		srcBytes: outward("BytesSent", "BytesReceived"), dstBytes: outward("BytesReceived", "BytesSent"), srcPackets: "-1", dstPackets: "-1",
		sensor: "Computer", device: outward("Computer", `""`), user: `""`,
	}
}

// spellings are the texts under which the table may hold an address, apart from the case of
// letters.
func (l layout) spellings(addrs []netip.Addr) []string {
	var list []string
	for _, a := range addrs {
		list = append(list, a.String())
		switch {
		case !l.written:
		case a.Is4():
			list = append(list, "::ffff:"+a.String())
		default:
			list = append(list, groups(a, ""), groups(a, "0"))
		}
	}
	return list
}

// groups is an address as one of IPv6 with all its groups, each filled up with a digit or not
// at all.
func groups(a netip.Addr, fill string) string {
	b := a.As16()
	list := make([]string, 8)
	for i := range list {
		text := strconv.FormatUint(uint64(b[2*i])<<8|uint64(b[2*i+1]), 16)
		list[i] = strings.Repeat(fill, 4-len(text)) + text
	}
	return strings.Join(list, ":")
}

// oneOf is the condition that the address of a flow is one of these.
func (l layout) oneOf(column string, addrs []netip.Addr) string {
	list := make([]string, len(addrs))
	for i, a := range addrs {
		if list[i] = a.String(); l.written {
			list[i] = groups(a, "0")
		}
	}
	return column + " in " + texts(list)
}

// within is the condition that the address of a flow is in a network.
func (l layout) within(column string, p netip.Prefix) string {
	if l.written && p.Addr().Is4() {
		p = netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), p.Bits()+96)
	}
	if p.Addr().Is4() {
		return "ipv4_is_in_range(" + column + ", " + text(p.String()) + ")"
	}
	return "ipv6_is_in_range(" + column + ", " + text(groups(p.Addr(), "")+"/"+strconv.Itoa(p.Bits())) + ")"
}

// counting begins a query of the records that count and are stamped in [first, last).
func (l layout) counting(first, last time.Time) *pipeline {
	q := &pipeline{}
	q.WriteString(l.table)
	q.where("TimeGenerated >= " + datetime(first) + " and TimeGenerated < " + datetime(last))
	for _, f := range l.filters {
		q.where(f)
	}
	for _, m := range l.only {
		q.where(matching(m))
	}
	for _, m := range l.without {
		q.where("not(" + matching(m) + ")")
	}
	return q
}

// matching is the condition that a column has one of the values.
func matching(m integrations.Match) string {
	return "tostring(" + m.Column.String() + ") in " + texts(m.Texts())
}

// touching is the condition, over the table's columns, that a record may be of one of the
// addresses. It keeps the rest from being looked at any further.
func (l layout) touching(addrs []netip.Addr) string {
	list := texts(l.spellings(addrs))
	any := []string{l.src + " in~ " + list, l.dst + " in~ " + list}
	if l.srcPublic != "" {
		for _, a := range addrs {
			any = append(any, l.srcPublic+" has "+text(a.String()), l.dstPublic+" has "+text(a.String()))
		}
	}
	return anyOf(any)
}

// flows adds the operators that make flows of records: columns with the same names in all
// layouts. Counters that a record does not have are -1.
func (l layout) flows(q *pipeline) *pipeline {
	src, dst := l.src, l.dst
	if l.written {
		// One form of each address, of IPv4 too; what is no address is empty.
		src, dst = "parse_ipv6("+src+")", "parse_ipv6("+dst+")"
	}
	srcBytes, dstBytes, srcPackets, dstPackets := l.srcBytes, l.dstBytes, l.srcPackets, l.dstPackets
	if l.srcPublic != "" {
		l.expand(q)
		src, dst = "iff(isempty("+src+"), Public, "+src+")", "iff(isempty("+dst+"), Public, "+dst+")"
		srcPackets, dstPackets = l.either(3, srcPackets), l.either(4, dstPackets)
		srcBytes, dstBytes = l.either(5, srcBytes), l.either(6, dstBytes)
	}
	q.then("extend", "Ended = "+l.ended)
	// A beginning that cannot be one would hide what was sent in a share of nearly nothing.
	q.then("extend", "Begun = "+l.begun)
	q.then("extend", fmt.Sprintf("Begun = iff(Begun > Ended or Ended - Begun > %dd, Ended, Begun)", flowmath.MaxDuration/(24*time.Hour)))
	count := func(name, expression string) string {
		return fmt.Sprintf("%s = coalesce(tolong(%s), -1)", name, expression)
	}
	port := func(name, expression string) string {
		return fmt.Sprintf("%s = coalesce(tolong(%s), 0)", name, expression)
	}
	return q.then("project", "Begun", "Ended", "Src = "+src, "Dst = "+dst, port("SrcPort", l.srcPort), port("DstPort", l.dstPort),
		"Proto = tolower("+l.proto+")", count("SrcBytes", srcBytes), count("DstBytes", dstBytes),
		count("SrcPackets", srcPackets), count("DstPackets", dstPackets),
		"Sensor = tostring("+l.sensor+")", "Device = tostring("+l.device+")", "User = tostring("+l.user+")")
}

// expand makes a row of each public address of a record that has a list of them in place of
// one of its ends: <address>|<flows begun>|<ended>|<packets out>|<in>|<bytes out>|<in>,
// with blanks between them.
func (l layout) expand(q *pipeline) {
	q.then("extend", fmt.Sprintf(`List = case(isempty(%s), %s, isempty(%s), %s, "")`, l.dst, l.dstPublic, l.src, l.srcPublic))
	q.then("extend", `Entry = split(List, " ")`)
	q.then("mv-expand", "Entry to typeof(string)")
	q.where("isnotempty(Entry) or isempty(List)")
	q.then("extend", `Parts = split(Entry, "|")`)
	q.then("extend", "Public = tostring(Parts[0])")
}

// either is the entry's own count where the record has a list of public addresses.
func (l layout) either(part int, column string) string {
	return fmt.Sprintf("iff(isempty(Public), tolong(%s), tolong(tostring(Parts[%d])))", column, part)
}

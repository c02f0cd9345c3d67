package loganalyticsfake

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Entry is a flow as somebody saw it.
type Entry struct {
	flowmath.Record
	// Denied says that it was not let through: where the table then has no counts, it has
	// none.
	Denied bool
	// Ingested is when its row came to the workspace; the zero time is when it was
	// generated.
	Ingested time.Time
	// Process is who sent, where the table has that.
	Process string
}

// Add writes flows to a table, as the product that fills it would. What the table has no
// place for is lost, such as ports of sources; a flow that such a product does not see at
// all is an error.
func (d *Double) Add(table string, entries ...Entry) error {
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return fmt.Errorf("add a flow to %s: %w", table, err)
		}
		row, err := d.row(table, &e)
		if err != nil {
			return err
		}
		if err := d.AddRow(table, row, e.Ingested); err != nil {
			return err
		}
	}
	return nil
}

// AddRow writes a row by the names of its columns. All others are null, or empty. Its
// values have the types of the evaluator: an int is an int64. The zero time of its ingestion
// is that of its generation.
func (d *Double) AddRow(table string, row map[string]any, at time.Time) error {
	columns, ok := d.columns(table)
	if !ok {
		return fmt.Errorf("add a row: there is no table %q", table)
	}
	generated, ok := row["TimeGenerated"].(time.Time)
	if !ok {
		return fmt.Errorf("add a row to %s: TimeGenerated is %v", table, row["TimeGenerated"])
	}
	s := stored{generated: generated.UTC().Truncate(100), ingested: cmp.Or(at, generated).UTC()}
	rest := maps.Clone(row)
	for _, c := range columns {
		v := rest[c.Name]
		delete(rest, c.Name)
		cell, ok := cellOf(c.Type, v)
		if !ok {
			return fmt.Errorf("add a row to %s: %s is %v, want a %s", table, c.Name, v, c.Type)
		}
		s.cells = append(s.cells, cell)
	}
	if len(rest) > 0 {
		return fmt.Errorf("add a row to %s: it has no columns %q", table, slices.Sorted(maps.Keys(rest)))
	}
	s.cells = append(s.cells, s.ingested)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[table] = append(d.rows[table], s)
	return nil
}

// cellOf is a value as a column keeps it; ok is false where it is of another type.
func cellOf(t kql.Type, v any) (cell any, ok bool) {
	if v == nil {
		if t == kql.String {
			return "", true
		}
		return nil, true
	}
	switch t {
	case kql.String:
		_, ok = v.(string)
	case kql.Int, kql.Long:
		_, ok = v.(int64)
	case kql.Real:
		_, ok = v.(float64)
	case kql.Bool:
		_, ok = v.(bool)
	case kql.Datetime:
		at, isTime := v.(time.Time)
		return at.UTC().Truncate(100), isTime
	case kql.Timespan:
		_, ok = v.(time.Duration)
	case kql.Dynamic:
		ok = true
	}
	return v, ok
}

// row is a flow as a table has it.
func (d *Double) row(table string, e *Entry) (map[string]any, error) {
	switch table {
	case CommonSecurityLog:
		return e.firewall(), nil
	case NTANetAnalytics, AzureNetwork:
		return d.traffic(table, e)
	case VMConnection:
		return d.connection(e)
	case DeviceNetworkEvents:
		return d.event(e), nil
	}
	return nil, fmt.Errorf("add a flow: there is no table %q", table)
}

// bytes are what a side sent, and packets how many; nil where that is unknown. A rate of
// sampling is applied: no table says one.
func (e *Entry) bytes(s flowmath.Side) any {
	n, _, _, ok := s.Volume()
	if !ok {
		return nil
	}
	return n * max(1, e.Sampling)
}

func (e *Entry) packets(s flowmath.Side) any {
	if s.Packets < 0 {
		return nil
	}
	return s.Packets * max(1, e.Sampling)
}

// firewall is the log of a session at its end. What a firewall does not say is null, such as
// the bytes of a session of which it saw one direction.
func (e *Entry) firewall() map[string]any {
	action := "allow"
	if e.Denied {
		action = "deny"
	}
	row := map[string]any{
		"TimeGenerated": e.End(), "DeviceVendor": "Palo Alto Networks", "DeviceProduct": "PAN-OS", "Activity": "TRAFFIC",
		"DeviceEventClassID": "end", "LogSeverity": "1", "SourceIP": e.Src.String(), "DestinationIP": e.Dst.String(),
		"SourcePort": int64(e.SrcPort), "DestinationPort": int64(e.DstPort), "Protocol": e.Transport,
		"SentBytes": e.bytes(e.Orig), "ReceivedBytes": e.bytes(e.Resp), "StartTime": e.Start, "EndTime": e.End(),
		"DeviceAction": action, "SimplifiedDeviceAction": action, "Computer": e.Sensor, "DeviceName": e.Sensor,
		"SourceHostName": e.Device, "SourceUserName": e.User, "Type": CommonSecurityLog, "SourceSystem": "OpsManager",
	}
	if sent, received := e.packets(e.Orig), e.packets(e.Resp); sent != nil && received != nil {
		row["AdditionalExtensions"] = fmt.Sprintf("PanOSPacketsSent=%d;PanOSPacketsReceived=%d", sent, received)
	}
	return row
}

// interval is how often traffic analytics processes flow logs.
const interval = 10 * time.Minute

func (d *Double) own(a netip.Addr) bool {
	return slices.ContainsFunc(d.o.VNet, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// traffic is a record of traffic analytics. Public addresses are not where the others are,
// but in a list of their own with their counts; a row is generated when its interval is
// processed, and not when the flow was. FlowEndTime is when the last of the flows that it
// aggregates began, which is this one.
func (d *Double) traffic(table string, e *Entry) (map[string]any, error) {
	protocol, ok := map[string]string{"tcp": "T", "udp": "U"}[e.Transport]
	if !ok {
		return nil, fmt.Errorf("add a flow to %s: it has TCP and UDP only, and not %s", table, e.Transport)
	}
	end := e.End().Truncate(interval).Add(interval)
	outward := d.own(e.Src) || !d.own(e.Dst)
	sent, received := e.bytes(e.Orig), e.bytes(e.Resp)
	packetsOut, packetsIn := e.packets(e.Orig), e.packets(e.Resp)
	if e.Denied {
		sent, received, packetsOut, packetsIn = nil, nil, nil, nil
	}
	src, dst, srcPublic, dstPublic := e.Src.String(), e.Dst.String(), "", ""
	counts := fmt.Sprintf("|1|0|%s|%s|%s|%s", count(packetsOut), count(packetsIn), count(sent), count(received))
	kind := "IntraVNet"
	if outward && !d.own(e.Dst) {
		dst, dstPublic, kind = "", dst+counts, "ExternalPublic"
	} else if !outward {
		src, srcPublic, kind = "", src+counts, "ExternalPublic"
	}
	flows := map[string]int64{"AllowedOutFlows": 0, "AllowedInFlows": 0, "DeniedOutFlows": 0, "DeniedInFlows": 0}
	status, direction := "Allowed", "Inbound"
	if e.Denied {
		status = "Denied"
	}
	if outward {
		direction = "Outbound"
	}
	flows[status+direction[:len(direction)-len("bound")]+"Flows"] = 1
	if d.o.Letters || table == AzureNetwork {
		status, direction = status[:1], direction[:1]
	}
	start := e.Start.Truncate(interval)
	if table == NTANetAnalytics {
		row := map[string]any{
			"TimeGenerated": cmp.Or(e.Ingested, end), "TimeProcessed": end, "FlowIntervalStartTime": start, "FlowIntervalEndTime": end,
			"FlowStartTime": e.Start, "FlowEndTime": e.Start, "SubType": "FlowLog", "FaSchemaVersion": "3", "FlowType": kind,
			"SrcIp": src, "DestIp": dst, "SrcPublicIps": srcPublic, "DestPublicIps": dstPublic, "DestPort": int64(e.DstPort),
			"L4Protocol": protocol, "FlowDirection": direction, "FlowStatus": status, "BytesSrcToDest": sent, "BytesDestToSrc": received,
			"PacketsSrcToDest": packetsOut, "PacketsDestToSrc": packetsIn, "TargetResourceId": e.Sensor, "FlowLogResourceId": e.Sensor,
			"CompletedFlows": int64(0), "SrcVm": e.Device, "Type": table, "Status": "Completed",
		}
		for name, n := range flows {
			row[name] = n
		}
		return row, nil
	}
	row := map[string]any{
		"TimeGenerated": cmp.Or(e.Ingested, end), "TimeProcessed_t": end, "FlowIntervalStartTime_t": start, "FlowIntervalEndTime_t": end,
		"FlowStartTime_t": e.Start, "FlowEndTime_t": e.Start, "SubType_s": "FlowLog", "FASchemaVersion_s": "2", "FlowType_s": kind,
		"SrcIP_s": src, "DestIP_s": dst, "SrcPublicIPs_s": srcPublic, "DestPublicIPs_s": dstPublic, "DestPort_d": float64(e.DstPort),
		"L4Protocol_s": protocol, "FlowDirection_s": direction, "FlowStatus_s": status, "OutboundBytes_d": double(sent),
		"InboundBytes_d": double(received), "OutboundPackets_d": double(packetsOut), "InboundPackets_d": double(packetsIn),
		"NSGList_s": e.Sensor, "VM1_s": e.Device, "CompletedFlows_d": 0.0, "Type": table,
	}
	for name, n := range flows {
		row[name+"_d"] = float64(n)
	}
	return row, nil
}

// count is a number of a list of public addresses; what is unknown is 0 there.
func count(v any) string {
	n, _ := v.(int64)
	return strconv.FormatInt(n, 10)
}

func double(v any) any {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	return nil
}

// connection is a minute of a connection by the agent of a machine, which is the sensor. It
// is generated at the start of that minute, and says what the machine sent, whoever opened
// the connection. The agent sees TCP over IPv4 only, and a connection that failed is counted
// and has no bytes. A flow that is not within one minute by the clock is an error: it would
// have several rows.
func (d *Double) connection(e *Entry) (map[string]any, error) {
	if e.Transport != "tcp" || !e.Src.Unmap().Is4() {
		return nil, fmt.Errorf("add a flow to %s: it has TCP over IPv4 only, and not %s of %s", VMConnection, e.Transport, e.Src)
	}
	minute := e.Start.Truncate(time.Minute)
	if e.End().After(minute.Add(time.Minute)) {
		return nil, fmt.Errorf("add a flow to %s: from %s to %s is more than one of its minutes", VMConnection, e.Start, e.End())
	}
	row := map[string]any{
		"TimeGenerated": minute, "Computer": e.Sensor, "Machine": "m-" + e.Sensor, "Direction": "outbound", "Protocol": "tcp",
		"SourceIp": e.Src.String(), "DestinationIp": e.Dst.String(), "RemoteIp": e.Dst.String(), "DestinationPort": int64(e.DstPort),
		"BytesSent": e.bytes(e.Orig), "BytesReceived": e.bytes(e.Resp), "ProcessName": e.Process,
		"LinksEstablished": int64(1), "LinksTerminated": int64(1), "LinksLive": int64(0), "LinksFailed": int64(0),
		"SourceSystem": "OpsManager", "Type": VMConnection,
	}
	if !d.own(e.Src) && d.own(e.Dst) {
		row["Direction"], row["RemoteIp"] = "inbound", e.Src.String()
		row["BytesSent"], row["BytesReceived"] = row["BytesReceived"], row["BytesSent"]
	}
	if e.Denied {
		row["BytesSent"], row["BytesReceived"] = int64(0), int64(0)
		row["LinksEstablished"], row["LinksTerminated"], row["LinksFailed"] = int64(0), int64(0), int64(1)
	}
	return row, nil
}

// event is what Defender's sensor on a machine says: that it connected, and not how much it
// sent.
func (d *Double) event(e *Entry) map[string]any {
	row := map[string]any{
		"TimeGenerated": e.Start, "ActionType": "ConnectionSuccess", "DeviceName": cmp.Or(e.Device, e.Sensor),
		"LocalIP": e.Src.String(), "LocalPort": int64(e.SrcPort), "RemoteIP": e.Dst.String(), "RemotePort": int64(e.DstPort),
		"Protocol": map[string]string{"tcp": "Tcp", "udp": "Udp"}[e.Transport], "InitiatingProcessFileName": e.Process,
		"InitiatingProcessAccountName": e.User, "SourceSystem": "OpsManager", "Type": DeviceNetworkEvents,
	}
	if !d.own(e.Src) && d.own(e.Dst) {
		row["ActionType"] = "InboundConnectionAccepted"
		row["LocalIP"], row["RemoteIP"] = row["RemoteIP"], row["LocalIP"]
		row["LocalPort"], row["RemotePort"] = row["RemotePort"], row["LocalPort"]
	}
	if e.Denied {
		row["ActionType"] = "ConnectionFailed"
	}
	return row
}

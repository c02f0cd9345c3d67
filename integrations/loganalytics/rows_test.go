package loganalytics

import (
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations/contract"
)

// record is a row of a table, by the names of its columns; what is left out is null.
type record map[string]any

// recordOf is a flow as its table holds it.
func recordOf(l Layout, f contract.Seen) record {
	end := f.Start.Add(f.Duration)
	switch l {
	case CommonSecurityLog:
		r := record{
			"TimeGenerated": end, "StartTime": f.Start, "EndTime": end, "DeviceVendor": "Palo Alto Networks", "DeviceEventClassID": "end",
			"Activity": "TRAFFIC", "DeviceAction": "allow", "Computer": f.Sensor, "Protocol": f.Transport,
			"SourceIP": f.SrcIP, "SourcePort": f.SrcPort, "DestinationIP": f.DstIP, "DestinationPort": f.DstPort, "ReceivedBytes": f.BytesIn,
		}
		return r.with("SentBytes", f.BytesOut)
	case NTANetAnalytics:
		r := record{
			// It is written when its interval has been processed.
			"TimeGenerated": end.Add(20 * time.Minute), "FlowStartTime": f.Start, "FlowEndTime": end, "FlowIntervalStartTime": f.Start, "FlowIntervalEndTime": end,
			"SubType": "FlowLog", "FlowStatus": "Allowed", "FlowDirection": "Inbound", "TargetResourceId": "net", "MacAddress": f.Sensor,
			"L4Protocol": map[string]string{"tcp": "T", "udp": "U"}[f.Transport], "SrcIp": f.SrcIP, "DestIp": f.DstIP, "DestPort": f.DstPort,
			"BytesDestToSrc": f.BytesIn, "PacketsDestToSrc": min(f.BytesIn, 1),
		}
		r["SrcPorts"] = strconv.Itoa(f.SrcPort)
		return r.with("BytesSrcToDest", f.BytesOut).with("PacketsSrcToDest", f.PacketsOut)
	case AzureNetworkAnalytics:
		r := record{
			"TimeGenerated": end.Add(20 * time.Minute), "FlowStartTime_t": f.Start, "FlowEndTime_t": end, "FlowIntervalStartTime_t": f.Start, "FlowIntervalEndTime_t": end,
			"SubType_s": "FlowLog", "FlowStatus_s": "A", "FlowDirection_s": "I", "NSGList_s": "nsg", "MACAddress_s": f.Sensor,
			"L4Protocol_s": map[string]string{"tcp": "T", "udp": "U"}[f.Transport], "SrcIP_s": f.SrcIP, "DestIP_s": f.DstIP, "DestPort_d": float64(f.DstPort),
			"InboundBytes_d": float64(f.BytesIn), "InboundPackets_d": float64(min(f.BytesIn, 1)),
		}
		if f.BytesOut >= 0 {
			r["OutboundBytes_d"], r["OutboundPackets_d"] = float64(f.BytesOut), float64(f.PacketsOut)
		}
		return r
	case VMConnection:
		return record{
			"TimeGenerated": f.Start, "Computer": f.Sensor, "Direction": "outbound", "ProcessName": "rclone", "Protocol": f.Transport,
			"SourceIp": f.SrcIP, "DestinationIp": f.DstIP, "RemoteIp": f.DstIP, "DestinationPort": f.DstPort, "BytesSent": f.BytesOut, "BytesReceived": f.BytesIn,
		}
	}
	return nil
}

// with adds a count, unless it was not seen.
func (r record) with(column string, n int64) record {
	if n >= 0 {
		r[column] = n
	}
	return r
}

package loganalyticsfake

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

// The tables that a workspace can have.
const (
	CommonSecurityLog   = "CommonSecurityLog"
	NTANetAnalytics     = "NTANetAnalytics"
	AzureNetwork        = "AzureNetworkAnalytics_CL"
	VMConnection        = "VMConnection"
	DeviceNetworkEvents = "DeviceNetworkEvents"
)

// Tables are the names of all.
func Tables() []string {
	return []string{CommonSecurityLog, NTANetAnalytics, AzureNetwork, VMConnection, DeviceNetworkEvents}
}

// ingested is the hidden column with the time at which a row came to the workspace.
const ingested = "$IngestionTime"

// stored is a row as a table has it, in the order of its columns and with the hidden one.
type stored struct {
	generated, ingested time.Time
	cells               []any
}

// columns are those of a table of the workspace.
func (d *Double) columns(table string) ([]kql.Column, bool) {
	if !slices.Contains(d.o.Tables, table) {
		return nil, false
	}
	return columnsOf(table), true
}

// empty reports whether the workspace has no data, which queries are answered 204 for.
func (d *Double) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, rows := range d.rows {
		if len(rows) > 0 {
			return false
		}
	}
	return true
}

// scan are the rows of a table within bounds that have come so far.
func (d *Double) scan(table string, b kql.Bounds) [][]any {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	var out [][]any
	for _, s := range d.rows[table] {
		if b.None || s.generated.Before(b.From) || !b.To.IsZero() && s.generated.After(b.To) {
			continue
		}
		// What was ingested when it was generated has always been there: a sensor's clock may
		// be ahead.
		if s.ingested.After(now) && s.ingested.After(s.generated) {
			continue
		}
		out = append(out, s.cells)
	}
	d.reads = append(d.reads, Read{Table: table, From: b.From, To: b.To, Rows: len(out)})
	return out
}

// columnsOf are the columns of a table by its reference page, and of the older table of
// traffic analytics by the page of its schema. One without a type is a string.
func columnsOf(table string) []kql.Column {
	const common = ` _BilledSize:real _IsBillable SourceSystem TenantId Type TimeGenerated:datetime `
	text := map[string]string{
		CommonSecurityLog: `Activity AdditionalExtensions ApplicationProtocol CollectorHostName CommunicationDirection Computer
			DestinationDnsDomain DestinationHostName DestinationIP DestinationMACAddress DestinationNTDomain DestinationPort:int
			DestinationProcessId:int DestinationProcessName DestinationServiceName DestinationTranslatedAddress
			DestinationTranslatedPort:int DestinationUserID DestinationUserName DestinationUserPrivileges DeviceAction
			DeviceAddress DeviceCustomDate1 DeviceCustomDate1Label DeviceCustomDate2 DeviceCustomDate2Label
			DeviceCustomFloatingPoint1:real DeviceCustomFloatingPoint1Label DeviceCustomFloatingPoint2:real
			DeviceCustomFloatingPoint2Label DeviceCustomFloatingPoint3:real DeviceCustomFloatingPoint3Label
			DeviceCustomFloatingPoint4:real DeviceCustomFloatingPoint4Label DeviceCustomIPv6Address1
			DeviceCustomIPv6Address1Label DeviceCustomIPv6Address2 DeviceCustomIPv6Address2Label DeviceCustomIPv6Address3
			DeviceCustomIPv6Address3Label DeviceCustomIPv6Address4 DeviceCustomIPv6Address4Label DeviceCustomNumber1:int
			DeviceCustomNumber1Label DeviceCustomNumber2:int DeviceCustomNumber2Label DeviceCustomNumber3:int
			DeviceCustomNumber3Label DeviceCustomString1 DeviceCustomString1Label DeviceCustomString2 DeviceCustomString2Label
			DeviceCustomString3 DeviceCustomString3Label DeviceCustomString4 DeviceCustomString4Label DeviceCustomString5
			DeviceCustomString5Label DeviceCustomString6 DeviceCustomString6Label DeviceDnsDomain DeviceEventCategory
			DeviceEventClassID DeviceExternalID DeviceFacility DeviceInboundInterface DeviceMacAddress DeviceName DeviceNtDomain
			DeviceOutboundInterface DevicePayloadId DeviceProduct DeviceTimeZone DeviceTranslatedAddress DeviceVendor
			DeviceVersion EndTime:datetime EventCount:int EventOutcome EventType:int ExternalID:int ExtID
			FieldDeviceCustomNumber1:long FieldDeviceCustomNumber2:long FieldDeviceCustomNumber3:long FileCreateTime FileHash
			FileID FileModificationTime FileName FilePath FilePermission FileSize:int FileType FlexDate1 FlexDate1Label
			FlexNumber1:int FlexNumber1Label FlexNumber2:int FlexNumber2Label FlexString1 FlexString1Label FlexString2
			FlexString2Label IndicatorThreatType LogSeverity MaliciousIP MaliciousIPCountry MaliciousIPLatitude:real
			MaliciousIPLongitude:real Message OldFileCreateTime OldFileHash OldFileID OldFileModificationTime OldFileName
			OldFilePath OldFilePermission OldFileSize:int OldFileType OriginalLogSeverity ProcessID:int ProcessName Protocol
			Reason ReceiptTime ReceivedBytes:long RemoteIP RemotePort ReportReferenceLink RequestClientApplication
			RequestContext RequestCookies RequestMethod RequestURL _ResourceId SentBytes:long SimplifiedDeviceAction
			SourceDnsDomain SourceHostName SourceIP SourceMACAddress SourceNTDomain SourcePort:int SourceProcessId:int
			SourceProcessName SourceServiceName SourceTranslatedAddress SourceTranslatedPort:int SourceUserID SourceUserName
			SourceUserPrivileges StartTime:datetime _SubscriptionId ThreatConfidence ThreatDescription ThreatSeverity:int` + common,
		NTANetAnalytics: `AclGroup AclRule Action AllowedInFlows:long AllowedOutFlows:long AzureRegion BytesDestToSrc:long
			BytesSrcToDest:long CompletedFlows:long ConnectingVnets ConnectionName ConnectionType Country DeniedInFlows:long
			DeniedOutFlows:long Description DestApplicationGateway DestCloud DestEnvironment DestExpressRouteCircuit DestIp
			DestLoadBalancer DestLocalNetworkGateway DestNetworkGroups DestNic DestPort:int DestPublicIps DestRegion
			DestServiceId DestServiceName DestServiceTags DestSubnet DestSubscription DestTenantId DestTenantName DestVm
			ExpressRouteCircuitPeeringType FaSchemaVersion FlowDirection FlowEncryption FlowEndTime:datetime
			FlowIntervalEndTime:datetime FlowIntervalStartTime:datetime FlowLogResourceId FlowStartTime:datetime FlowStatus
			FlowType IsFlowCapturedAtUdrHop:bool L4Protocol L7Protocol LogResourceId MacAddress NsgList NsgRule NsgRuleType
			PacketsDestToSrc:long PacketsSrcToDest:long PrivateEndpointResourceId PrivateLinkResourceId PrivateLinkResourceName
			RecordCount:long SrcApplicationGateway SrcCloud SrcEnvironment SrcExpressRouteCircuit SrcIp SrcLoadBalancer
			SrcLocalNetworkGateway SrcNetworkGroups SrcNic SrcPorts SrcPublicIps SrcRegion SrcServiceId SrcServiceName
			SrcServiceTags SrcSubnet SrcSubscription SrcTenantId SrcTenantName SrcVm Status SubType TargetResourceId
			TargetResourceType TimeProcessed:datetime TrafficAnalyticsResourceId` + common,
		AzureNetwork: `SubType_s FASchemaVersion_s TimeProcessed_t:datetime FlowIntervalStartTime_t:datetime
			FlowIntervalEndTime_t:datetime FlowStartTime_t:datetime FlowEndTime_t:datetime FlowType_s SrcIP_s DestIP_s VMIP_s
			DestPort_d:real L4Protocol_s L7Protocol_s FlowDirection_s FlowStatus_s NSGList_s NSGRules_s NSGRule_s NSGRuleType_s
			MACAddress_s Subscription_g Subscription1_g Subscription2_g Region_s Region1_s Region2_s NIC_s NIC1_s NIC2_s VM_s
			VM1_s VM2_s Subnet_s Subnet1_s Subnet2_s ApplicationGateway1_s ApplicationGateway2_s ExpressRouteCircuit1_s
			ExpressRouteCircuit2_s ExpressRouteCircuitPeeringType_s LoadBalancer1_s LoadBalancer2_s LocalNetworkGateway1_s
			LocalNetworkGateway2_s ConnectionType_s ConnectionName_s ConnectingVNets_s Country_s AzureRegion_s
			AllowedInFlows_d:real DeniedInFlows_d:real AllowedOutFlows_d:real DeniedOutFlows_d:real FlowCount_d:real
			InboundPackets_d:real OutboundPackets_d:real InboundBytes_d:real OutboundBytes_d:real CompletedFlows_d:real
			PublicIPs_s SrcPublicIPs_s DestPublicIPs_s IsFlowCapturedAtUDRHop_b:bool Computer` + common,
		VMConnection: `AgentId BytesReceived:long BytesSent:long Computer Confidence ConnectionId Description DestinationIp
			DestinationPort:int Direction FirstReportedDateTime IndicatorThreatType IsActive LastReportedDateTime
			LinksEstablished:long LinksFailed:long LinksLive:long LinksTerminated:long Machine MaliciousIp Process ProcessName
			Protocol RemoteClassification RemoteCountry RemoteDnsCanonicalNames RemoteDnsQuestions RemoteIp RemoteLatitude:real
			RemoteLongitude:real _ResourceId Responses:long ResponseTimeMax:long ResponseTimeMin:long ResponseTimeSum:long
			Severity:int SourceIp _SubscriptionId TLPLevel` + common,
		DeviceNetworkEvents: `ActionType AdditionalFields:dynamic AppGuardContainerId DeviceId DeviceName
			InitiatingProcessAccountDomain InitiatingProcessAccountName InitiatingProcessAccountObjectId
			InitiatingProcessAccountSid InitiatingProcessAccountUpn InitiatingProcessCommandLine
			InitiatingProcessCreationTime:datetime InitiatingProcessFileName InitiatingProcessFileSize:long
			InitiatingProcessFolderPath InitiatingProcessId:long InitiatingProcessIntegrityLevel InitiatingProcessMD5
			InitiatingProcessParentCreationTime:datetime InitiatingProcessParentFileName InitiatingProcessParentId:long
			InitiatingProcessSHA1 InitiatingProcessSHA256 InitiatingProcessTokenElevation
			InitiatingProcessVersionInfoCompanyName InitiatingProcessVersionInfoFileDescription
			InitiatingProcessVersionInfoInternalFileName InitiatingProcessVersionInfoOriginalFileName
			InitiatingProcessVersionInfoProductName InitiatingProcessVersionInfoProductVersion LocalIP LocalIPType LocalPort:int
			MachineGroup Protocol RemoteIP RemoteIPType RemotePort:int RemoteUrl ReportId:long` + common,
	}[table]
	var columns []kql.Column
	for field := range strings.FieldsSeq(text) {
		name, typ, _ := strings.Cut(field, ":")
		columns = append(columns, kql.Column{Name: name, Type: kql.Type(cmp.Or(typ, string(kql.String)))})
	}
	return columns
}

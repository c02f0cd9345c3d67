package defenderfake

import (
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

// columnsOf are the columns of a table of the advanced hunting schema, by its
// reference pages. One without a type is a string.
func columnsOf(table string) ([]kql.Column, bool) {
	// Which process did something, as most tables with events have it.
	const initiating = ` InitiatingProcessSHA1 InitiatingProcessSHA256 InitiatingProcessMD5 InitiatingProcessFileName
		InitiatingProcessFileSize:long InitiatingProcessVersionInfoCompanyName InitiatingProcessVersionInfoProductName
		InitiatingProcessVersionInfoProductVersion InitiatingProcessVersionInfoInternalFileName
		InitiatingProcessVersionInfoOriginalFileName InitiatingProcessVersionInfoFileDescription InitiatingProcessId:long
		InitiatingProcessCommandLine InitiatingProcessCreationTime:datetime InitiatingProcessFolderPath
		InitiatingProcessParentFileName InitiatingProcessParentId:long InitiatingProcessParentCreationTime:datetime
		InitiatingProcessAccountDomain InitiatingProcessAccountName InitiatingProcessAccountSid InitiatingProcessAccountUpn
		InitiatingProcessAccountObjectId `
	const token = ` InitiatingProcessIntegrityLevel InitiatingProcessTokenElevation `
	const tail = ` ReportId:long AppGuardContainerId AdditionalFields `
	const remote = ` InitiatingProcessSessionId:long IsInitiatingProcessRemoteSession:bool
		InitiatingProcessRemoteSessionDeviceName InitiatingProcessRemoteSessionIP `
	const created = `CreatedProcessSessionId:long IsProcessRemoteSession:bool ProcessRemoteSessionDeviceName
		ProcessRemoteSessionIP `
	const event = `Timestamp:datetime DeviceId DeviceName ActionType `
	const file = ` FileName FolderPath SHA1 SHA256 MD5 FileSize:long `
	text, ok := map[string]string{
		"DeviceNetworkEvents": event + `RemoteIP RemotePort:int RemoteUrl LocalIP LocalPort:int Protocol LocalIPType
			RemoteIPType` + initiating + token + tail + remote,
		"DeviceProcessEvents": event + file + `ProcessVersionInfoCompanyName ProcessVersionInfoProductName
			ProcessVersionInfoProductVersion ProcessVersionInfoInternalFileName ProcessVersionInfoOriginalFileName
			ProcessVersionInfoFileDescription ProcessId:long ProcessCommandLine ProcessIntegrityLevel ProcessTokenElevation
			ProcessCreationTime:datetime AccountDomain AccountName AccountSid AccountUpn AccountObjectId LogonId:long` +
			initiating + token + `InitiatingProcessLogonId:long InitiatingProcessSignerType
			InitiatingProcessSignatureStatus` + tail + remote + created,
		"DeviceEvents": event + file + `AccountDomain AccountName AccountSid RemoteUrl RemoteDeviceName ProcessId:long
			ProcessCommandLine ProcessCreationTime:datetime ProcessTokenElevation LogonId:long RegistryKey RegistryValueName
			RegistryValueData RemoteIP RemotePort:int LocalIP LocalPort:int FileOriginUrl FileOriginIP` + initiating +
			`InitiatingProcessLogonId:long` + tail + remote + created,
		"DeviceLogonEvents": event + `LogonType AccountDomain AccountName AccountSid Protocol FailureReason
			IsLocalAdmin:bool LogonId:long RemoteDeviceName RemoteIP RemoteIPType RemotePort:int` + initiating + token + tail + remote,
		"DeviceInfo": `Timestamp:datetime DeviceId DeviceName ClientVersion PublicIP OSArchitecture OSPlatform OSBuild:long
			IsAzureADJoined:bool JoinType AadDeviceId LoggedOnUsers RegistryDeviceTag OSVersion MachineGroup ReportId:long
			OnboardingStatus AdditionalFields DeviceCategory DeviceType DeviceSubtype Model Vendor OSDistribution OSVersionInfo
			MergedDeviceIds MergedToDeviceId IsInternetFacing:bool SensorHealthState IsExcluded:bool ExclusionReason
			ExposureLevel AssetValue DeviceManualTags DeviceDynamicTags ConnectivityType HostDeviceId AzureResourceId
			AwsResourceName GcpFullResourceName HardwareUuid CloudPlatforms AzureVmId AzureVmSubscriptionId IsTransient:bool
			OsBuildRevision MitigationStatus Site DiscoverySources DeviceRoles DlpInfo`,
		"DeviceFileCertificateInfo": `Timestamp:datetime DeviceId DeviceName SHA1 IsSigned:bool SignatureType Signer SignerHash
			Issuer IssuerHash CertificateSerialNumber CrlDistributionPointUrls CertificateCreationTime:datetime
			CertificateExpirationTime:datetime CertificateCountersignatureTime:datetime IsTrusted:bool
			IsRootSignerMicrosoft:bool ReportId:long`,
		"DeviceNetworkInfo": `Timestamp:datetime DeviceId DeviceName NetworkAdapterName MacAddress NetworkAdapterType
			NetworkAdapterStatus TunnelType ConnectedNetworks DnsAddresses IPv4Dhcp IPv6Dhcp DefaultGateways IPAddresses
			ReportId:long NetworkAdapterVendor`,
	}[table]
	var columns []kql.Column
	for field := range strings.FieldsSeq(text) {
		name, typ, _ := strings.Cut(field, ":")
		columns = append(columns, kql.Column{Name: name, Type: kql.Type(or(typ, string(kql.String)))})
	}
	return columns, ok
}

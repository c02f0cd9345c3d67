package flowlog

import "github.com/stanch-soar/stanch/playbooks/incident"

const azureNSG = "NetworkSecurityGroupFlowEvent"

func formatAzureNSG() Format {
	return Format{
		Name: "azure-nsg", Title: "Azure NSG flow logs",
		Doc: "The `PT1H.json` of a network security group's flow log, version 1 or 2, from its storage account. Version 2 has counts: each tuple's " +
			"are those since the one before of the same flow. Version 1 has none, so that what was sent is unknown: choose version 2. " +
			"Denied flows did not leave.\n\n" +
			"Azure writes the counts of a flow that goes on every five minutes, and does not say when a flow began whose beginning is in " +
			"an older file.",
		Exit: incident.ExitCloud, Frame: ByObject,
		Begins: func(head []byte) bool { return says(head, "category", azureNSG) },
		New:    func(Options) (Parser, error) { return &azure{category: azureNSG}, nil },
	}
}

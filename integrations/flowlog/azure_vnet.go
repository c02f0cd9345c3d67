package flowlog

import "github.com/stanch-soar/stanch/playbooks/incident"

const azureVNet = "FlowLogFlowEvent"

func formatAzureVNet() Format {
	return Format{
		Name: "azure-vnet", Title: "Azure virtual network flow logs",
		Doc: "The `PT1H.json` of a virtual network's flow log from its storage account. The counts of a tuple are those since the one before of the " +
			"same flow; denied flows did not leave.\n\n" +
			"Azure writes the counts of a flow that goes on every five minutes, and does not say when a flow began whose beginning is in " +
			"an older file.",
		Exit: incident.ExitCloud, Frame: ByObject,
		Begins: func(head []byte) bool { return says(head, "category", azureVNet) },
		New:    func(Options) (Parser, error) { return &azure{category: azureVNet}, nil },
	}
}

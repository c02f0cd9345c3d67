// Package all lists every vendor. Only commands and tests import it.
package all

import (
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alertmanager"
	"github.com/stanch-soar/stanch/integrations/aws"
	"github.com/stanch-soar/stanch/integrations/clickhouse"
	"github.com/stanch-soar/stanch/integrations/crowdstrike"
	"github.com/stanch-soar/stanch/integrations/defender"
	"github.com/stanch-soar/stanch/integrations/duckdb"
	"github.com/stanch-soar/stanch/integrations/elastic"
	"github.com/stanch-soar/stanch/integrations/fastnetmon"
	"github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/integrations/kafka"
	"github.com/stanch-soar/stanch/integrations/loganalytics"
	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/nats"
	"github.com/stanch-soar/stanch/integrations/nfdump"
	"github.com/stanch-soar/stanch/integrations/nftables"
	"github.com/stanch-soar/stanch/integrations/ocsf"
	"github.com/stanch-soar/stanch/integrations/pagerduty"
	"github.com/stanch-soar/stanch/integrations/postgres"
	"github.com/stanch-soar/stanch/integrations/secops"
	"github.com/stanch-soar/stanch/integrations/sentinel"
	"github.com/stanch-soar/stanch/integrations/sentinelone"
	"github.com/stanch-soar/stanch/integrations/sflowrt"
	"github.com/stanch-soar/stanch/integrations/shadowserver"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/splunk"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/integrations/sqs"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/integrations/suricata"
	"github.com/stanch-soar/stanch/integrations/wazuh"
	"github.com/stanch-soar/stanch/integrations/webhook"
	"github.com/stanch-soar/stanch/integrations/windowsqos"
)

// Catalog returns what every vendor registers. The results of two calls share
// no memory.
func Catalog() integrations.Catalog {
	return integrations.NewCatalog(
		alertmanager.Vendor(),
		aws.Vendor(),
		clickhouse.Vendor(),
		crowdstrike.Vendor(),
		defender.Vendor(),
		duckdb.Vendor(),
		elastic.Vendor(),
		fastnetmon.Vendor(),
		file.Vendor(),
		flowspec.Vendor(),
		kafka.Vendor(),
		loganalytics.Vendor(),
		mapping.Vendor(),
		memory.Vendor(),
		nats.Vendor(),
		nfdump.Vendor(),
		nftables.Vendor(),
		ocsf.Vendor(),
		pagerduty.Vendor(),
		postgres.Vendor(),
		secops.Vendor(),
		sentinel.Vendor(),
		sentinelone.Vendor(),
		sflowrt.Vendor(),
		shadowserver.Vendor(),
		slack.Vendor(),
		splunk.Vendor(),
		sqlite.Vendor(),
		sqs.Vendor(),
		stanch.Vendor(),
		suricata.Vendor(),
		wazuh.Vendor(),
		webhook.Vendor(),
		windowsqos.Vendor(),
	)
}

// Package all lists every integration. Only commands and tests import it.
package all

import (
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/clickhouse"
	"github.com/stanch-soar/stanch/integrations/duckdb"
	"github.com/stanch-soar/stanch/integrations/elastic"
	"github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/nfdump"
	"github.com/stanch-soar/stanch/integrations/pagerduty"
	"github.com/stanch-soar/stanch/integrations/postgres"
	"github.com/stanch-soar/stanch/integrations/slack"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/integrations/webhook"
)

// Specs returns every integration, sorted by kind. What each call returns
// shares nothing with what another returned.
func Specs() []integrations.Spec {
	return []integrations.Spec{
		clickhouse.Spec(),
		duckdb.Spec(),
		elastic.Spec(),
		file.Spec(),
		memory.Spec(),
		nfdump.Spec(),
		pagerduty.Spec(),
		postgres.Spec(),
		slack.Spec(),
		sqlite.Spec(),
		webhook.Spec(),
	}
}

// Package all lists every integration. Only commands and tests import it.
package all

import (
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/pagerduty"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/integrations/webhook"
)

// Specs returns every integration, sorted by kind. What each call returns
// shares nothing with what another returned.
func Specs() []integrations.Spec {
	return []integrations.Spec{
		file.Spec(),
		memory.Spec(),
		pagerduty.Spec(),
		sqlite.Spec(),
		webhook.Spec(),
	}
}

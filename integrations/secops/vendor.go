package secops

import (
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

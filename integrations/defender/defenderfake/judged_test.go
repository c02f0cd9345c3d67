package defenderfake_test

import (
	"net/http"
	"testing"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
)

// judged is what serves a double.
func judged(_ *testing.T, d *defenderfake.Double) http.Handler { return d.Handler() }

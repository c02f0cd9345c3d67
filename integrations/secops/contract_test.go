package secops

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// tick is how far the clock goes on each time that somebody looks at it. It is longer than
// Lag goes without asking.
const tick = 10 * time.Millisecond

func TestPullContract(t *testing.T) {
	t.Parallel()
	contract.Puller(t, contract.PullerHarness{
		Knobs:     contract.Knobs{Kind: "secops"},
		Unordered: "in which order Google lists is not documented",
		NoLag:     "Google does not tell how many detections wait",
		Alone:     Transport().Alone,
		Again:     Transport().Again,
		Body: func(text string) string {
			said, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			whole := aDetection(fmt.Sprintf("de_%x", sha256.Sum256([]byte(text))), first, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			return strings.TrimSuffix(whole, "}") + `,"description":` + string(said) + `}`
		},
		Open: func(t testing.TB) contract.PullerWorld {
			w := newWorld(t)
			const page = 20
			w.double.SetPages(page)
			looked := func() time.Time {
				w.pass(tick)
				return w.now()
			}
			return contract.PullerWorld{
				New: func() alerts.Puller {
					// Longer than one question overlaps with the one before.
					w.pass(time.Hour)
					p := w.connect()
					p.now = looked
					return p
				},
				Send: func(bodies ...string) {
					for _, body := range bodies {
						w.double.Put(body, looked(), time.Time{})
					}
				},
				Restart: func() {
					w.server.Break(contract.Down)
					w.server.Break(contract.Works)
				},
				Break: func() { w.server.Break(contract.Down) },
			}
		},
	})
}

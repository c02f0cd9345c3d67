package httpx

import (
	"fmt"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// skewWarned and skewWrong are by how much the clock may differ before it is reported:
	// tokens are good for times that both ends must agree on, and so are the windows that
	// are asked for.
	skewWarned = 2 * time.Minute
	skewWrong  = 5 * time.Minute
)

// Clock compares the machine's clock with that of a product, by the header of an answer
// that came now. Whose names the product's in the finding, such as "Falcon's".
func Clock(whose string, h http.Header, now time.Time) integrations.Finding {
	there, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return integrations.Finding{
			What: fmt.Sprintf("cannot tell whether the clock agrees with %s: the answer has no date", whose), OK: true, Warning: true,
			Fix: "have the machine's clock kept by NTP",
		}
	}
	off := now.Sub(there).Round(time.Second)
	if off.Abs() <= skewWarned {
		return integrations.Finding{What: fmt.Sprintf("the clock agrees with %s to %s", whose, max(off.Abs(), time.Second)), OK: true}
	}
	return integrations.Finding{
		What: fmt.Sprintf("the clock differs from %s by %s", whose, off), Fix: "have the machine's clock kept by NTP",
		OK: off.Abs() <= skewWrong, Warning: off.Abs() <= skewWrong,
	}
}

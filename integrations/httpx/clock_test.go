package httpx

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A clock that is a little off is told, and one that is far off is wrong, on either side.
func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		date     string
		what     string
		ok, warn bool
	}{
		"the same":        {now.Format(http.TimeFormat), "the clock agrees with Falcon's to 1s", true, false},
		"two minutes":     {now.Add(-2 * time.Minute).Format(http.TimeFormat), "the clock agrees with Falcon's to 2m0s", true, false},
		"ahead":           {now.Add(-2*time.Minute - time.Second).Format(http.TimeFormat), "the clock differs from Falcon's by 2m1s", true, true},
		"behind":          {now.Add(5 * time.Minute).Format(http.TimeFormat), "the clock differs from Falcon's by -5m0s", true, true},
		"far ahead":       {now.Add(-5*time.Minute - time.Second).Format(http.TimeFormat), "the clock differs from Falcon's by 5m1s", false, false},
		"far behind":      {now.Add(3 * time.Hour).Format(http.TimeFormat), "the clock differs from Falcon's by -3h0m0s", false, false},
		"no date":         {"", "cannot tell whether the clock agrees with Falcon's", true, true},
		"not a date":      {"today", "cannot tell whether the clock agrees with Falcon's", true, true},
		"an old spelling": {now.Format(time.RFC850), "the clock agrees with Falcon's to 1s", true, false},
	} {
		f := Clock("Falcon's", http.Header{"Date": {c.date}}, now)
		if !strings.HasPrefix(f.What, c.what) || f.OK != c.ok || f.Warning != c.warn || (f.Fix == "") != (c.ok && !c.warn) {
			t.Errorf("%s: found %+v, want %q, ok %t, a warning %t", name, f, c.what, c.ok, c.warn)
		}
	}
}

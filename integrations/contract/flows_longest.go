package contract

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// LongerThanLongest checks a store that looks for flows up to a length, its setting
// longest: a longer flow is missing from windows long after its start. The answer
// must then be a lower bound, not zero; a survey and doctor must report that.
func LongerThanLongest(t *testing.T, open func(t testing.TB, longest time.Duration, records []Seen) integrations.Flows) {
	t.Helper()
	long := Second(3*time.Hour, 3_000_000, 10)
	long.Duration = 4 * time.Hour
	short := Second(time.Minute, 500, 10)
	short.SrcIP = flowsElse
	q := Quarter()
	for longest, known := range map[time.Duration]bool{time.Hour: false, 5 * time.Hour: true} {
		f := open(t, longest, []Seen{long, short})
		got, err := f.Traffic(t.Context(), q)
		if err != nil || got.BytesOut.IsKnown() && (len(got.AtLeast) == 0) != known || !known && len(got.AtLeast) == 0 {
			t.Errorf("with longest %s bytes_out is %v, at least %q: %v", longest, got.BytesOut, got.AtLeast, err)
		}
		if n, ok := got.BytesOut.Get(); ok && n == 0 {
			t.Errorf("with longest %s bytes_out is 0 of a host that sends all the time", longest)
		}
		other := q
		other.IPs = []string{short.SrcIP}
		got, err = f.Traffic(t.Context(), other)
		if n, _ := got.BytesOut.Get(); err != nil || n != 500 || (len(got.AtLeast) == 0) != known {
			t.Errorf("with longest %s bytes_out of the other is %v, at least %q: %v", longest, got.BytesOut, got.AtLeast, err)
		}
		survey, err := surveyor(t, f).Survey(t.Context(), q.From, q.To)
		if err != nil || strings.Contains(survey.AtLeast, "flows last up to 4h, and longest is 1h") == known {
			t.Errorf("with longest %s the survey says %q: %v", longest, survey.AtLeast, err)
		}
		prober, ok := f.(integrations.Prober)
		if !ok {
			t.Fatalf("%T is not a Prober", f)
		}
		told := false
		for _, finding := range prober.Probe(t.Context()) {
			told = told || finding.Warning && strings.Contains(finding.Fix, "raise longest above 4h")
		}
		if told == known {
			t.Errorf("with longest %s the probe says %+v", longest, prober.Probe(t.Context()))
		}
	}
}

package mapping_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/mapping"
)

// BenchmarkParse reads one alert, from the bytes to the fingerprints.
func BenchmarkParse(b *testing.B) {
	s := alerts.Source{Spec: mapping.Alerts(), Name: "ndr"}
	body, now := []byte(s.Example), time.Now()
	for b.Loop() {
		parsed, err := s.Parse(body, now)
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
			b.Fatalf("%+v, %v", parsed, err)
		}
	}
}

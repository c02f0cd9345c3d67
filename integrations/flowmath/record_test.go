package flowmath

import "testing"

func TestVolume(t *testing.T) {
	for _, c := range []struct {
		name             string
		side             Side
		bytes, low, high int64
		known            bool
	}{
		{"headers on top", Side{39, 67, 1}, 67, 67, 67, true},
		{"acknowledgements", Side{0, 40_000, 1000}, 40_000, 40_000, 40_000, true},
		{"the card merged packets (APT29's exfiltration)", Side{2181167, 22269, 582}, 2181167, 22269, 2181167, true},
		{"sequence numbers that jumped", Side{4_000_000_000, 180, 3}, 180, 180, 4_000_000_000, true},
		{"far more on the wire than payload", Side{1000, 500_000, 10}, 500_000, 2200, 500_000, true},
		{"payload only", Side{500, NotSeen, NotSeen}, 500, 500, 500, true},
		{"wire only", Side{NotSeen, 500, 3}, 500, 500, 500, true},
		{"nothing", Unseen(), 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bytes, low, high, known := c.side.Volume()
			if bytes != c.bytes || low != c.low || high != c.high || known != c.known {
				t.Errorf("volume is %d (%d to %d, known %v), want %d (%d to %d, %v)", bytes, low, high, known, c.bytes, c.low, c.high, c.known)
			}
		})
	}
}

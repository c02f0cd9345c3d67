package flowmath

import (
	"net/netip"
	"testing"
	"time"
)

func TestStayingIsWhatDoesNotLeave(t *testing.T) {
	own := Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fc00::/7")}
	staying := own.Staying()
	for _, text := range []string{
		"10.1.2.3", "11.0.0.0", "fd00::1", "fe00::1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "ff02::1", "169.254.1.1", "169.255.0.1", "fe80::1", "fec0::1",
		"127.0.0.1", "128.0.0.1", "::1", "::2", "0.0.0.0", "0.0.0.1", "::", "255.255.255.255", "255.255.255.254", "198.51.100.7", "2001:db8::1",
	} {
		a := netip.MustParseAddr(text)
		if staying.Has(a) == own.Leaves(a) {
			t.Errorf("%s: staying %t, leaves %t", text, staying.Has(a), own.Leaves(a))
		}
	}
}

func TestPiecesHoldEachWindowOnce(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	to := from.Add(50*time.Hour + 10*time.Minute)
	next := 0
	for _, p := range Pieces(from, to, 15*time.Minute, 201, 24*time.Hour) {
		if p.First != next || !p.From.Equal(from.Add(time.Duration(p.First)*15*time.Minute)) || p.Windows > 96 {
			t.Errorf("piece %+v, want it to begin with window %d", p, next)
		}
		next += p.Windows
		if want := from.Add(time.Duration(next) * 15 * time.Minute); !p.To.Equal(want) && (next != 201 || !p.To.Equal(to)) {
			t.Errorf("piece %+v ends at %s, want %s", p, p.To, want)
		}
	}
	if next != 201 {
		t.Errorf("%d windows, want 201", next)
	}
	if long := Pieces(from, to, 48*time.Hour, 2, 24*time.Hour); len(long) != 2 || long[0].Windows != 1 {
		t.Errorf("%+v, want one window in each piece", long)
	}
}

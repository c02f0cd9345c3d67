package flowmath

import (
	"net/netip"
	"time"
)

// Staying returns the networks to which nothing leaves, as [Networks.Leaves] says it: one's own, and
// those of everybody on the same wire.
func (n Networks) Staying() Networks {
	all := append(Networks{}, n...)
	for _, text := range []string{
		"224.0.0.0/4", "ff00::/8", "169.254.0.0/16", "fe80::/10", "127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "255.255.255.255/32",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// Piece is some of the windows of a census, those that one query reads.
type Piece struct {
	// First is the number of the first window, Windows how many there are.
	First, Windows int
	// From is where they begin; To is where they end, or the census does.
	From, To time.Time
}

// Pieces divides the windows of a census, so that each piece takes at most the given time, or is one window.
func Pieces(from, to time.Time, each time.Duration, windows int, most time.Duration) []Piece {
	var pieces []Piece
	some := max(1, int(most/each))
	for first := 0; first < windows; first += some {
		p := Piece{First: first, Windows: min(some, windows-first), From: from.Add(time.Duration(first) * each)}
		p.To = p.From.Add(time.Duration(p.Windows) * each)
		if p.To.After(to) {
			p.To = to
		}
		pieces = append(pieces, p)
	}
	return pieces
}

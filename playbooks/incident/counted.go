package incident

import (
	"fmt"
	"time"
)

// Became says what became of the egress that a containment is for, by what its own product
// counted and what the flow store saw.
type Became string

// The closed set of what became of it. None of them is known of a product that does not
// count.
const (
	// EgressFell: what the host sends is less than was asked.
	EgressFell Became = "egress_fell"
	// ShiftedElsewhere: the containment meets little, and the flow store sees much: the
	// traffic goes another way.
	ShiftedElsewhere Became = "shifted_elsewhere"
	// NothingToLimit: the flow store sees little, and the containment met next to nothing
	// since it is in place.
	NothingToLimit Became = "nothing_to_limit"
)

// Counted is what a containment's product counted.
type Counted struct {
	// Counters are its last reading: all since it is in place.
	Counters
	At time.Time `json:"at"`
	// Passed and Dropped are bits per second between the last two readings; nil where there
	// was one only, or where it began to count anew between them.
	Passed  *int64 `json:"passed,omitempty"`
	Dropped *int64 `json:"dropped,omitempty"`
	// Became is empty for as long as it is not known.
	Became Became `json:"became,omitempty"`
}

// Then is what was counted by a later reading.
func (c Counted) Then(now Counters, at time.Time) Counted {
	next := Counted{Counters: now, At: at}
	over := at.Sub(c.At).Seconds()
	passed, dropped := now.PassedBytes-c.PassedBytes, now.DroppedBytes-c.DroppedBytes
	if c.At.IsZero() || over <= 0 || passed < 0 || dropped < 0 {
		return next
	}
	rate := func(bytes int64) *int64 {
		bits := int64(float64(bytes) * 8 / over)
		return &bits
	}
	next.Passed, next.Dropped = rate(passed), rate(dropped)
	return next
}

// Met reports whether it met traffic that it is for: it dropped any, or let through more
// than the rate over the time since then, in bits per second.
func (c Counters) Met(rate int64, over time.Duration) bool {
	return c.DroppedBytes > 0 || c.DroppedPackets > 0 || float64(c.PassedBytes)*8 > float64(rate)*over.Seconds()
}

// Text is what was counted, for people, by the name of who counted: gateway lets 2 Mbit/s
// through and has dropped 310 MiB since it is in place.
func (c Counted) Text(by string) string {
	all := "has dropped nothing"
	if c.DroppedBytes > 0 || c.DroppedPackets > 0 {
		all = "has dropped " + FormatSize(c.DroppedBytes) + " since it is in place"
	}
	if c.Passed == nil {
		return fmt.Sprintf("%s %s", by, all)
	}
	return fmt.Sprintf("%s lets %s through and %s", by, FormatRate(*c.Passed), all)
}

package nfdump

import (
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

const (
	// settleEvery is how many records come between two checks for flows that are over.
	settleEvery = 1 << 16
	// over is how long after its end a flow gets no further record: longer
	// than flowmath lets two sensors differ.
	over = int64(10 * time.Second)
)

// settler passes on each flow once, of records that come in the order of their
// starts. It holds only those flows of which more records may come, so that a
// flood of millions of short flows takes little memory.
type settler struct {
	op   string
	open []flowmath.View
	// look is how many open records make it check for those that are over, most
	// is how many may stay open.
	look, most int
	emit       func(*flowmath.View)
}

func newSettler(op string, most int, emit func(*flowmath.View)) *settler {
	return &settler{op: op, look: settleEvery, most: most, emit: emit}
}

func (s *settler) add(v flowmath.View) error {
	s.open = append(s.open, v)
	if len(s.open) < s.look {
		return nil
	}
	return s.settle(v.Start - over)
}

// settle passes on the flows that ended before a time. A flow's records are
// joined only when all of them are there: joining twice would take a part for
// the whole.
func (s *settler) settle(before int64) error {
	last := make(map[flowmath.Ends]int64, len(s.open))
	for i := range s.open {
		v := &s.open[i]
		if end, ok := last[v.Ends]; !ok || v.End > end {
			last[v.Ends] = v.End
		}
	}
	var ended []flowmath.View
	kept := s.open[:0]
	for _, v := range s.open {
		if last[v.Ends] < before {
			ended = append(ended, v)
		} else {
			kept = append(kept, v)
		}
	}
	s.open = kept
	ended = flowmath.Distinct(ended)
	for i := range ended {
		s.emit(&ended[i])
	}
	if len(s.open) > s.most {
		return integrations.Errorf(integrations.Invalid, s.op, "more than %d records are open at once: raise records", s.most)
	}
	s.look = max(settleEvery, 2*len(s.open))
	return nil
}

// finish passes on the rest.
func (s *settler) finish() error { return s.settle(1<<63 - 1) }

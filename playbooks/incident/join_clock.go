package incident

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// maxPairs bounds the pairs that one tuple votes with. A tuple that is used
	// over and over, as a fixed port is, tells nothing about the clocks.
	maxPairs = 64
	// maxChance is how many differences as good as one that is believed may be
	// expected where all votes are accidents.
	maxChance = 0.01
	// maxOffsets bounds the differences of the clocks that are believed at
	// once. Where more fit, none is known.
	maxOffsets = 8
	// A second difference, for clocks that drift or jump, needs so many votes,
	// and this share of what the first has.
	minFurther   = 3
	furtherShare = 1. / 8
)

// vote is how far a connection's time lies from its flow's.
type vote struct {
	diff  int64
	tuple int32
}

// ballot holds the votes of one kind, by difference, and how long the recorders
// ran: within that the pairs of ports that were used again differ by anything.
type ballot struct {
	votes []vote
	ran   int64
}

// clocks returns the differences of the endpoint's clock and the sensors' by
// which flows and connections are matched, and what is said of them. Tuples
// that were used once tell most; the others are asked where those do not agree.
// Without agreement the clocks are taken to be right.
func (x *index) clocks() ([]int64, Value[time.Duration]) {
	once := x.votes(func(pairs int) bool { return pairs == 1 })
	offsets, near := once.offsets()
	if len(offsets) == 0 {
		again := x.votes(func(pairs int) bool { return pairs > 1 && pairs <= maxPairs })
		if offsets, near = again.offsets(); len(offsets) == 0 {
			offsets, near = []int64{0}, append(once.around(0), again.around(0)...)
		}
	}
	if len(near) == 0 {
		return offsets, NotKnown[time.Duration]("too few connections have the 5-tuple of a flow to tell how the clocks differ")
	}
	slices.Sort(near)
	if len(offsets) > 1 && near[len(near)-1]-near[0] > 2*int64(JoinTolerance)*int64(len(offsets)) {
		return offsets, NotKnown[time.Duration]("the clocks' difference changes while the records run")
	}
	return offsets, Known(time.Duration(near[(len(near)-1)/2]), Computed)
}

// votes pairs the uses of those tuples that have as many pairs as asked for.
func (x *index) votes(asked func(pairs int) bool) ballot {
	var b ballot
	var flows, conns period
	for t, tuple := range x.tuples {
		starts, ats := x.flowUses[t], x.usesOfConnections(tuple)
		if len(starts) == 0 {
			continue
		}
		flows.take(starts[0].from, starts[len(starts)-1].from)
		conns.take(ats[0], ats[len(ats)-1])
		if !asked(len(starts) * len(ats)) {
			continue
		}
		for _, start := range starts {
			for _, at := range ats {
				b.votes = append(b.votes, vote{at - start.from, int32(t)})
			}
		}
	}
	b.ran = max(flows.length(), conns.length())
	slices.SortFunc(b.votes, func(a, b vote) int {
		return cmp.Or(cmp.Compare(a.diff, b.diff), cmp.Compare(a.tuple, b.tuple))
	})
	return b
}

// around returns the differences that lie within the tolerance of an offset.
func (b *ballot) around(offset int64) []int64 {
	var near []int64
	for _, v := range b.votes {
		if v.diff >= offset-int64(JoinTolerance) && v.diff <= offset+int64(JoinTolerance) {
			near = append(near, v.diff)
		}
	}
	return near
}

// offsets returns the differences on which the votes agree, the one with the
// most first, and the votes behind them. It returns none where another
// difference has half as many votes as the first, or more, and cannot be
// believed as well: then it is open which of them is right.
func (b *ballot) offsets() (offsets, near []int64) {
	left := b.votes
	most := 0
	for {
		w, tuples := widest(left)
		votes := w.end - w.begin
		believed := tuples >= 2 && b.accident(tuples, len(left), len(left)-int(votes)) < maxChance
		if most > 0 {
			believed = believed && tuples >= minFurther && float64(tuples) >= furtherShare*float64(most)
		}
		if !believed || len(offsets) == maxOffsets {
			if 2*tuples > most {
				return nil, nil
			}
			return offsets, near
		}
		most = max(most, tuples)
		offsets = append(offsets, left[w.begin+(votes-1)/2].diff)
		for _, v := range left[w.begin:w.end] {
			near = append(near, v.diff)
		}
		left = slices.Concat(left[:w.begin], left[w.end:])
	}
}

// widest returns the votes within twice the tolerance that are of the most
// tuples; of equal ones those nearest to clocks that agree.
func widest(votes []vote) (best span, most int) {
	in := map[int32]int{}
	begin := 0
	for end, v := range votes {
		in[v.tuple]++
		for ; v.diff-votes[begin].diff > 2*int64(JoinTolerance); begin++ {
			if in[votes[begin].tuple]--; in[votes[begin].tuple] == 0 {
				delete(in, votes[begin].tuple)
			}
		}
		w := span{int32(begin), int32(end) + 1}
		if len(in) > most || len(in) == most && nearer(votes, w, best) {
			best, most = w, len(in)
		}
	}
	return best, most
}

func nearer(votes []vote, a, b span) bool {
	middle := func(s span) int64 {
		m := votes[s.begin+(s.end-s.begin-1)/2].diff
		return max(m, -m)
	}
	return b.begin < b.end && middle(a) < middle(b)
}

// accident is how many windows with so many tuples may be expected where the
// others of so many votes, and these too, fell anywhere in the time that the
// recorders ran. Two that agree may do so in a short time though there is no
// other.
func (b *ballot) accident(tuples, votes, others int) float64 {
	const window = float64(2 * JoinTolerance)
	if tuples == 2 {
		others = max(1, others)
	}
	mean := float64(others) * window / max(float64(b.ran), window)
	if float64(tuples) <= 2*mean {
		return float64(votes)
	}
	if mean == 0 {
		return 0
	}
	factorial, _ := math.Lgamma(float64(tuples))
	return float64(votes) * math.Exp(float64(tuples-1)*math.Log(mean)-factorial)
}

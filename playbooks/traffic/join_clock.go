package traffic

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxVotes bounds the votes. The tuples with the fewest pairs vote first: one
	// that is used repeatedly, such as that of a fixed port, is little evidence of the
	// clocks.
	maxVotes = 1 << 19
	// maxTimes bounds the times from which the length of the records is estimated.
	maxTimes = 1 << 14
	// maxChance is how many differences as good as an accepted one may be expected
	// where all votes are accidents.
	maxChance = 0.01
	// fewVotes are so few that others may outvote them.
	fewVotes = 10
	// maxOffsets bounds the differences of the clocks that are accepted at once.
	// Where more fit, the difference is unknown.
	maxOffsets = 8
	// A second difference, for clocks that drift or jump, needs this many votes,
	// and this share of what the first has.
	minFurther   = 3
	furtherShare = 1. / 8
)

// vote is how far a connection's time is from its flow's.
type vote struct {
	diff  int64
	tuple int32
}

// ballot holds the votes of one kind, by difference, of how many tuples they can
// be, and how long the recorders ran: pairs of ports that were used again can
// differ by anything up to that.
type ballot struct {
	votes  []vote
	tuples int
	ran    int64
}

// clocks returns the differences of the endpoint's clock and the sensors' by
// which flows and connections are matched, and the clock skew that is reported.
// Tuples that were used once are the best evidence; the others are used where those
// do not agree, or are few.
// Without agreement the clocks are assumed to be right.
func (x *index) clocks() ([]int64, incident.Value[time.Duration]) {
	once := x.votes(func(pairs int) bool { return pairs == 1 })
	offsets, near := once.offsets()
	if len(near) < fewVotes {
		again := x.votes(func(pairs int) bool { return pairs > 1 })
		others, votes := again.offsets()
		if len(offsets) == 0 || len(votes) > len(near) && together(others) {
			offsets, near = others, votes
		}
		if len(offsets) == 0 {
			offsets, near = []int64{0}, append(once.around(0), again.around(0)...)
		}
	}
	if len(near) == 0 {
		return offsets, incident.NotKnown[time.Duration]("too few connections have the 5-tuple of a flow to tell how the clocks differ")
	}
	slices.Sort(near)
	if len(offsets) > 1 && near[len(near)-1]-near[0] > 2*int64(JoinTolerance)*int64(len(offsets)) {
		return offsets, incident.NotKnown[time.Duration]("the clocks' difference changes while the records run")
	}
	return offsets, incident.Known(time.Duration(near[(len(near)-1)/2]), incident.Computed)
}

// votes pairs the uses of those tuples that have the given number of pairs.
func (x *index) votes(asked func(pairs int) bool) ballot {
	b := ballot{tuples: len(x.tuples)}
	type voter struct {
		tuple int32
		pairs int
		ats   []int64
	}
	var voters []voter
	var flows, conns []int64
	for t, tuple := range x.tuples {
		starts, ats := x.begun(t), x.usesOfConnections(tuple)
		if len(starts) == 0 {
			continue
		}
		conns = append(conns, ats...)
		for _, start := range starts {
			flows = append(flows, start.from)
		}
		if pairs := len(starts) * len(ats); asked(pairs) {
			voters = append(voters, voter{int32(t), pairs, ats})
		}
	}
	b.ran = max(breadth(flows), breadth(conns))
	slices.SortFunc(voters, func(a, b voter) int { return cmp.Or(cmp.Compare(a.pairs, b.pairs), cmp.Compare(a.tuple, b.tuple)) })
	for _, v := range voters {
		if len(b.votes)+v.pairs > maxVotes {
			break
		}
		for _, start := range x.begun(int(v.tuple)) {
			for _, at := range v.ats {
				b.votes = append(b.votes, vote{at - start.from, v.tuple})
			}
		}
	}
	slices.SortFunc(b.votes, func(a, b vote) int {
		return cmp.Or(cmp.Compare(a.diff, b.diff), cmp.Compare(a.tuple, b.tuple))
	})
	return b
}

// breadth is how long times go on that come evenly: twice what the middle half
// of them takes. A stray one a day away must not make a busy hour look empty.
func breadth(times []int64) int64 {
	if len(times) == 0 {
		return 0
	}
	step := 1 + len(times)/maxTimes
	some := times[:0]
	for i := 0; i < len(times); i += step {
		some = append(some, times[i])
	}
	slices.Sort(some)
	last := len(some) - 1
	return 2 * (some[last-last/4] - some[last/4])
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
// accepted as well: then it is open which of them is right. Votes next to an
// accepted difference are its own fringe.
func (b *ballot) offsets() (offsets, near []int64) {
	left := slices.Clone(b.votes)
	most := 0
	for {
		w, tuples := widest(left, b.tuples)
		votes := int(w.end - w.begin)
		believed := tuples >= 2 && b.accident(tuples, len(left), len(left)-votes) < maxChance
		if most > 0 {
			believed = believed && tuples >= minFurther && float64(tuples) >= furtherShare*float64(most)
		}
		switch {
		case believed && len(offsets) < maxOffsets:
			most = max(most, tuples)
			offsets = append(offsets, middle(left, w))
			for _, v := range left[w.begin:w.end] {
				near = append(near, v.diff)
			}
		case votes > 0 && adjacent(offsets, middle(left, w)):
		case 2*tuples > most:
			return nil, nil
		default:
			return offsets, near
		}
		left = slices.Delete(left, int(w.begin), int(w.end))
	}
}

// adjacent reports whether a difference is so near one of the offsets that one window
// may have cut off the other's votes.
func adjacent(offsets []int64, diff int64) bool {
	return slices.ContainsFunc(offsets, func(o int64) bool { return max(o-diff, diff-o) <= 2*int64(JoinTolerance) })
}

// together reports whether the offsets are one that a window cut in two.
func together(offsets []int64) bool {
	return !slices.ContainsFunc(offsets, func(o int64) bool { return !adjacent(offsets[:1], o) })
}

// middle is the median of the votes of a window, the lower one of two.
func middle(votes []vote, w span) int64 { return votes[w.begin+(w.end-w.begin-1)/2].diff }

// widest returns the votes within twice the tolerance that are of the most tuples, and
// how many these are; of equal ones those nearest to clocks that agree. Tuples bounds
// the numbers of tuples.
func widest(votes []vote, tuples int) (best span, most int) {
	in := make([]int32, tuples)
	begin, distinct := 0, 0
	for end, v := range votes {
		if in[v.tuple]++; in[v.tuple] == 1 {
			distinct++
		}
		for ; v.diff-votes[begin].diff > 2*int64(JoinTolerance); begin++ {
			if in[votes[begin].tuple]--; in[votes[begin].tuple] == 0 {
				distinct--
			}
		}
		w := span{int32(begin), int32(end) + 1}
		if distinct > most || distinct == most && nearer(votes, w, best) {
			best, most = w, distinct
		}
	}
	return best, most
}

func nearer(votes []vote, a, b span) bool {
	distance := func(w span) int64 {
		m := middle(votes, w)
		return max(m, -m)
	}
	return b.begin < b.end && distance(a) < distance(b)
}

// accident is how many windows with that many tuples may be expected if all of the
// votes fell anywhere in the time that the recorders ran. Two that agree may do so
// in a short time though there is no other.
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

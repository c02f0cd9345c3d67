package traffic

import (
	"cmp"
	"slices"
	"time"
)

// UseSlack is how far apart two records of one tuple may be and still be of one
// use of it: two sensors, an event that was reported twice, or the records of
// one long flow.
const UseSlack = 5 * time.Second

// period is a time from its first to its last moment.
type period struct{ from, to int64 }

// use is a time for which the flows of a tuple follow one another: one long
// flow comes as many records where the exporter has an active timeout.
type use struct {
	period
	// running reports whether it was under way when the window began.
	running bool
}

// usesOfFlows returns when each tuple was used, by its flows, earliest first.
// Flows whose lives touch are one use.
func (x *index) usesOfFlows() [][]use {
	of := make([][]use, len(x.tuples))
	for t, flows := range x.flowsOf() {
		slices.SortFunc(flows, func(a, b int32) int { return x.flows[a].Start.Compare(x.flows[b].Start) })
		uses := make([]use, 0, min(len(flows), 4))
		for _, i := range flows {
			life := use{period{x.flows[i].Start.UnixNano(), endOf(&x.flows[i])}, x.flows[i].Running}
			if last := len(uses) - 1; last >= 0 && life.from <= uses[last].to+int64(UseSlack) {
				uses[last].to, uses[last].running = max(uses[last].to, life.to), uses[last].running || life.running
			} else {
				uses = append(uses, life)
			}
		}
		of[t] = uses
	}
	return of
}

// begun returns the uses of a tuple whose beginning is known.
func (x *index) begun(tuple int) []use {
	uses := x.flowUses[tuple]
	if len(uses) > 0 && uses[0].running { // Only the earliest can be.
		return uses[1:]
	}
	return uses
}

// useOfFlow returns the use that a flow is a part of.
func (x *index) useOfFlow(i int) use {
	uses := x.flowUses[x.tupleOf[i]]
	n, found := slices.BinarySearchFunc(uses, x.flows[i].Start.UnixNano(), func(u use, at int64) int { return cmp.Compare(u.from, at) })
	if !found {
		n--
	}
	return uses[n]
}

// flowsOf returns the places of each tuple's flows.
func (x *index) flowsOf() [][]int32 {
	begins := make([]int32, len(x.tuples)+1)
	for _, t := range x.tupleOf {
		if t >= 0 {
			begins[t+1]++
		}
	}
	for t := range x.tuples {
		begins[t+1] += begins[t]
	}
	places := make([]int32, begins[len(x.tuples)])
	of := make([][]int32, len(x.tuples))
	for t := range of {
		of[t] = places[begins[t]:begins[t]:begins[t+1]]
	}
	for i, t := range x.tupleOf {
		if t >= 0 {
			of[t] = append(of[t], int32(i))
		}
	}
	return of
}

// usesOfConnections returns when each use of a tuple began, by its connections.
// Those that follow another one closely are of the same use.
func (x *index) usesOfConnections(tuple span) []int64 {
	uses := x.at[tuple.begin : tuple.begin+1 : tuple.begin+1]
	for i := tuple.begin + 1; i < tuple.end; i++ {
		if x.useOf[i] != x.useOf[i-1] {
			uses = append(uses, x.at[i])
		}
	}
	return uses
}

// contested reports whether the connections of a span may be of other uses of
// their tuple than the given one: there are more uses near them than connections.
// Otherwise, when an endpoint did not report one of two uses, both would be
// attributed to the process of the other.
func (x *index) contested(s span, tuple int32, offset int64) bool {
	uses := x.flowUses[tuple]
	if len(uses) == 1 {
		return false
	}
	near := period{x.at[s.begin] - offset - int64(JoinTolerance), x.at[s.end-1] - offset + int64(JoinTolerance)}
	first, _ := slices.BinarySearchFunc(uses, near.from, func(u use, at int64) int { return cmp.Compare(u.to, at) })
	last, _ := slices.BinarySearchFunc(uses, near.to+1, func(u use, at int64) int { return cmp.Compare(u.from, at) })
	if last-first <= 1 {
		return false
	}
	all := x.reported(x.tuples[tuple], period{
		uses[first].from + offset - int64(JoinTolerance), uses[last-1].to + offset + int64(JoinTolerance),
	})
	return x.useOf[all.end-1]-x.useOf[all.begin]+1 < int32(last-first)
}

// numberUses numbers the uses of each tuple that its connections report.
func (x *index) numberUses() {
	x.useOf = make([]int32, len(x.at))
	for _, t := range x.tuples {
		for i := t.begin + 1; i < t.end; i++ {
			x.useOf[i] = x.useOf[i-1]
			if x.at[i] > x.at[i-1]+int64(UseSlack) {
				x.useOf[i]++
			}
		}
	}
}

package flowmath

import (
	"cmp"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// MaxSensors bounds the sensors of one survey; the records of further ones are
// counted.
const MaxSensors = 1000

// Tally counts the records of a window by sensor, for a survey.
type Tally struct {
	from, to int64
	sensors  map[uint64]*sensorTally
	flows    []View
}

type sensorTally struct {
	incident.Sensor
	measured bool
	newest   int64
}

// NewTally returns an empty tally of [from, to).
func NewTally(from, to time.Time) *Tally {
	return &Tally{from: from.UnixNano(), to: to.UnixNano(), sensors: map[uint64]*sensorTally{}}
}

// Record counts a record, unless it is outside of the window.
func (t *Tally) Record(r *Record, sensor uint64) {
	v := ViewOf(r, true, sensor)
	if !v.Overlaps(t.from, t.to) {
		return
	}
	s, ok := t.sensors[sensor]
	if !ok {
		s = &sensorTally{newest: v.End}
		t.sensors[sensor] = s
	}
	s.Records++
	s.Sampling = max(s.Sampling, r.Sampling)
	s.measured = s.measured || v.Measured
	switch v.Blank {
	case NoPackets:
		s.NoPackets++
	case NoRate:
		s.NoRate++
	case Counted:
	}
	s.newest = max(s.newest, v.End)
	t.flows = append(t.flows, v)
}

// Survey returns the sums of the records. The span is of the whole store, name
// returns the names of sensors.
func (t *Tally) Survey(span Span, name func(sensor uint64) string) incident.Survey {
	var sensors []incident.Sensor
	for n, s := range t.sensors {
		s.Name, s.OneWay, s.Newest = name(n), !s.measured, time.Unix(0, s.newest).UTC()
		sensors = append(sensors, s.Sensor)
	}
	var low, high int64
	for _, v := range Distinct(t.flows) {
		low, high = Add(low, v.Low), Add(high, v.High)
	}
	return Survey(span, sensors, low, high)
}

// Survey sums what the sensors of a window saw: the worst of their coverages, and
// the sensors by name. The span is of the whole store. Low and
// High bound what all counters allow.
func Survey(span Span, sensors []incident.Sensor, low, high int64) incident.Survey {
	s := incident.Survey{FastClocks: span.Fast, AtLeast: span.why()}
	if !span.Newest.IsZero() {
		s.Newest = span.Newest.UTC()
	}
	slices.SortFunc(sensors, func(a, b incident.Sensor) int { return cmp.Compare(a.Name, b.Name) })
	oneWay, sampled := false, false
	for _, sensor := range sensors {
		s.Records += sensor.Records
		oneWay = oneWay || sensor.OneWay || sensor.NoPackets+sensor.NoRate > 0
		sampled = sampled || sensor.Sampling > 1
	}
	s.Sensors = sensors[:min(len(sensors), MaxSensors)]
	switch {
	case s.Records == 0:
	case oneWay:
		s.Coverage = incident.OneWay
	case high/disagreement > low:
		s.Coverage = incident.Disagree
	case sampled:
		s.Coverage = incident.Sampled
	default:
		s.Coverage = incident.BothWays
	}
	return s
}

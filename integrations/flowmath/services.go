package flowmath

import "cmp"

// BySensor sums exchanges that a server summed, those of each sensor apart: sensors may
// have seen the same flows. The zero value is empty.
type BySensor struct{ lines map[sighted]Exchange }

// sighted is a service as one sensor saw it.
type sighted struct {
	Service
	sensor string
}

// Add adds what a sensor saw.
func (s *BySensor) Add(sensor string, x Exchange) {
	if s.lines == nil {
		s.lines = map[sighted]Exchange{}
	}
	at := sighted{x.Service, sensor}
	have, ok := s.lines[at]
	if !ok {
		s.lines[at] = x
		return
	}
	have.merge(&x)
	s.lines[at] = have
}

// Exchanges returns each service once: as the sensor saw it that saw most, with the
// bounds of all.
func (s *BySensor) Exchanges() []Exchange {
	best := map[Service]Exchange{}
	for at, x := range s.lines {
		b, ok := best[at.Service]
		if !ok {
			best[at.Service] = x
			continue
		}
		low, high := min(b.Low, x.Low), max(b.High, x.High)
		received, blank, oneWay := max(b.Received, x.Received), max(b.Blank, x.Blank), max(b.OneWay, x.OneWay)
		if cmp.Or(cmp.Compare(x.Sent, b.Sent), cmp.Compare(x.Measured, b.Measured), cmp.Compare(x.Flows, b.Flows), cmp.Compare(x.Packets, b.Packets)) > 0 {
			b = x
		}
		b.Low, b.High, b.Received = low, high, received
		if b.Measured == 0 {
			b.Blank, b.OneWay = blank, oneWay
		}
		best[at.Service] = b
	}
	list := make([]Exchange, 0, len(best))
	for _, x := range best {
		list = append(list, x)
	}
	return list
}

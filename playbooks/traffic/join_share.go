package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

type share struct {
	volume
	image   string
	process incident.Process
	pids    map[int64]*share
}

// shares sums joined flows by image, and within it by process id. Images are in
// the order in which they were added, so that ties do not depend on a map.
type shares struct {
	images *images
	index  map[string]*share
	order  []*share
}

func newShares(m *images) *shares { return &shares{images: m, index: map[string]*share{}} }

// add counts what one process sent.
func (s *shares) add(p incident.Process, v volume) {
	p = s.images.clear(p)
	of := s.image(p, v)
	pid, ok := p.PID.Get()
	if of == nil || !ok {
		return
	}
	one, ok := of.pids[pid]
	if !ok {
		one = &share{process: p}
		of.pids[pid] = one
	}
	one.join(v)
}

// addShared counts what several processes of the image of p sent.
func (s *shares) addShared(p incident.Process, v volume) {
	const why = "several processes of this image share the traffic"
	s.image(imageOnly(s.images.clear(p), why), v)
}

// image counts for the image only. A process without path and name is not a
// process: an EDR writes such a row for traffic that it could not attribute.
func (s *shares) image(p incident.Process, v volume) *share {
	key := s.images.key(spelled(&p))
	if key == "" {
		return nil
	}
	of, ok := s.index[key]
	if !ok {
		of = &share{image: key, process: p, pids: map[int64]*share{}}
		s.index[key] = of
		s.order = append(s.order, of)
	}
	of.process = common(of.process, p)
	of.join(v)
	return of
}

// winner returns the image with the most bytes, then the most matches, then
// the first path, when it has more than half of the total, and its bytes.
func (s *shares) winner(of volume) (incident.Process, int64, bool) {
	if len(s.order) == 0 {
		return incident.Process{}, 0, false
	}
	best := slices.MaxFunc(s.order, func(a, b *share) int {
		return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.matches, b.matches), cmp.Compare(b.image, a.image))
	})
	if !best.most(of) {
		return incident.Process{}, 0, false
	}
	for _, one := range best.pids {
		if one.most(of) {
			return one.process, one.bytes, true
		}
	}
	p := best.process
	if len(best.pids) > 1 {
		p.PID = incident.NotKnown[int64](fmt.Sprintf("%d processes of this image share the traffic", len(best.pids)))
	}
	return p, best.bytes, true
}

func (s *share) most(of volume) bool {
	if of.bytes > 0 {
		return s.bytes > of.bytes/2
	}
	return s.matches*2 > of.matches
}

// imageOnly returns the fields that are true of every process of an image.
func imageOnly(p incident.Process, why string) incident.Process {
	unknown := incident.NotKnown[string](why)
	p.PID = incident.NotKnown[int64](why)
	p.CommandLine, p.Script, p.User, p.Parent = unknown, unknown, unknown, unknown
	p.ScriptText, p.Session, p.Parents, p.Started = unknown, unknown, unknown, incident.NotKnown[time.Time](why)
	return p
}

// common returns the fields that two processes of one image have in common; path and
// name are the image's, in the first one's spelling.
func common(a, b incident.Process) incident.Process {
	a.PID = agreed(a.PID, b.PID)
	a.CommandLine, a.Script, a.User = agreed(a.CommandLine, b.CommandLine), agreed(a.Script, b.Script), agreed(a.User, b.User)
	a.Parent, a.SHA256, a.Signed = agreed(a.Parent, b.Parent), agreed(a.SHA256, b.SHA256), agreed(a.Signed, b.Signed)
	a.ScriptText, a.Session, a.Signer = agreed(a.ScriptText, b.ScriptText), agreed(a.Session, b.Session), agreed(a.Signer, b.Signer)
	a.Parents, a.Started = agreed(a.Parents, b.Parents), agreed(a.Started, b.Started)
	return a
}

func agreed[T comparable](a, b incident.Value[T]) incident.Value[T] {
	x, known := a.Get()
	y, too := b.Get()
	switch {
	case !known || known && too && x == y:
		return a
	case !too:
		return b
	default:
		return incident.NotKnown[T]("the processes of this image that share the traffic differ in it")
	}
}

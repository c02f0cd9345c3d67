package slackfake

import "time"

// Posting is one message each second to a channel, with short bursts. How long
// a burst may be the documents do not say. They speak of a limit of several
// hundred messages a minute for a workspace, too; it has no number, so there is
// none here.
const (
	postEvery = time.Second
	postBurst = 5
)

// bucket holds the messages that a channel still takes.
type bucket struct {
	left float64
	at   time.Time
}

// limit returns how long a call must wait, if its method is limited. The lock
// must be held.
func (s *Server) limit(m method, c *call) time.Duration {
	if !s.limited[c.method] {
		return 0
	}
	if m.perMinute == tierSpecial {
		return s.limitPosts(c.arg("channel"))
	}
	now := s.now()
	recent := s.windows[c.method]
	for len(recent) > 0 && now.Sub(recent[0]) >= time.Minute {
		recent = recent[1:]
	}
	if len(recent) >= m.perMinute {
		s.windows[c.method] = recent
		return recent[0].Add(time.Minute).Sub(now)
	}
	s.windows[c.method] = append(recent, now)
	return 0
}

// limitPosts takes one message from a channel's bucket.
func (s *Server) limitPosts(channel string) time.Duration {
	if ch, no := s.target(channel); no == nil {
		channel = ch.ID
	}
	now := s.now()
	b := s.buckets[channel]
	if b == nil {
		b = &bucket{left: postBurst, at: now}
		s.buckets[channel] = b
	}
	b.left = min(postBurst, b.left+now.Sub(b.at).Seconds()/postEvery.Seconds())
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) * float64(postEvery))
	}
	b.left--
	return 0
}

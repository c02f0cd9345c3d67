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

// limitPosts takes one message from a channel's bucket, and returns how long
// the call must wait when there is none. The lock must be held.
func (s *Server) limitPosts(channel string) time.Duration {
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

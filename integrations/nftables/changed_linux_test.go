package nftables

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// byHand has nft carry out a script in which CHAIN is the chain of the only limit, HANDLE
// its first rule, and COMMENT that rule's comment.
func (s space) byHand(script string) {
	s.t.Helper()
	listed := s.in("nft", "-a", "list", "table", "inet", "stanch")
	rule := regexp.MustCompile(`(?s)chain ((?:limit|block)-[0-9a-f]{16}) \{[^\n]*\n[^\n]*comment ("[^"]*") # handle (\d+)`).FindStringSubmatch(listed)
	require.NotNil(s.t, rule, listed)
	s.load(strings.NewReplacer("CHAIN", rule[1], "COMMENT", rule[2], "HANDLE", rule[3]).Replace(script) + "\n")
}

// What is left of a limit that somebody has changed is ours still: it may go on to limit the
// host, and is given back.
func TestWhatIsLeftOfALimitIsOursToGiveBack(t *testing.T) {
	for name, tt := range map[string]struct{ script, left string }{
		"another rate, without our comment": {`replace rule inet stanch CHAIN handle HANDLE limit rate over 12500 bytes/second drop`, "not those that were made"},
		"only the first rule":               {`replace rule inet stanch CHAIN handle HANDLE drop`, "not those that were made"},
		"one address of two":                {`delete element inet stanch limit_out_ip4 { 192.0.2.2 }`, "other addresses"},
		"a rule before it":                  {`insert rule inet stanch CHAIN tcp dport 22 accept`, "not those that were made"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpace(t)
			g := s.gateway()
			o := order(t, "lease/rate_limit/gateway/ws-042", "192.0.2.2", "192.0.2.3")
			apply(t, g, o)
			s.byHand(tt.script)
			r := reading(t, g, o)
			assert.False(t, r.Stands)
			assert.True(t, r.Pending, "something of it limits the host")
			assert.Equal(t, o.Key, r.Key)
			assert.Contains(t, r.Detail, tt.left)
			other := o
			other.Key = "lease/rate_limit/gateway/ws-043"
			if r := reading(t, g, other); r.Key == other.Key {
				t.Errorf("what is left of one lease is another's, too: %+v", r)
			}
			_, err := g.Undo(t.Context(), o)
			require.NoError(t, err)
			assert.Equal(t, incident.Reading{}, reading(t, g, o))
			assert.Empty(t, s.rules())
		})
	}
}

// A rule that has another meaning with the same words in the same order is not ours.
func TestARuleOfAnotherMeaningIsSeen(t *testing.T) {
	for name, script := range map[string]string{
		"a minute's worth":      `replace rule inet stanch CHAIN handle HANDLE limit rate over 1000000 bytes/minute burst 131072 bytes counter drop comment COMMENT`,
		"packets":               `replace rule inet stanch CHAIN handle HANDLE limit rate over 1000000/second burst 131072 packets counter drop comment COMMENT`,
		"a verdict that lets":   `replace rule inet stanch CHAIN handle HANDLE limit rate over 1000000 bytes/second burst 131072 bytes counter accept comment COMMENT`,
		"another burst":         `replace rule inet stanch CHAIN handle HANDLE limit rate over 1000000 bytes/second burst 500 mbytes counter drop comment COMMENT`,
		"what is below instead": `replace rule inet stanch CHAIN handle HANDLE limit rate 1000000 bytes/second burst 131072 bytes counter drop comment COMMENT`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpace(t)
			g := s.gateway()
			o := order(t, "key-1", "192.0.2.2")
			apply(t, g, o)
			s.byHand(script)
			r := reading(t, g, o)
			assert.False(t, r.Stands, s.rules())
			assert.Contains(t, r.Detail, "not those that were made")
			apply(t, g, o)
			assert.True(t, reading(t, g, o).Stands)
		})
	}
}

// A rate that was changed by hand is read as it is.
func TestARateThatWasChangedByHandIsRead(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	o := order(t, "key-1", "192.0.2.2")
	apply(t, g, o)
	s.byHand(`replace rule inet stanch CHAIN handle HANDLE limit rate over 250000 bytes/second burst 131072 bytes counter drop comment COMMENT`)
	r := reading(t, g, o)
	assert.True(t, r.Stands)
	assert.EqualValues(t, 2_000_000, r.Rate)
}

// What somebody else holds takes the place of a limit only where it is as strict.
func TestALooserLimitOfSomebodyElseIsNotTakenForOurs(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	loose := order(t, "key-1", "192.0.2.2")
	apply(t, g, loose)
	strict := order(t, "key-2", "192.0.2.2")
	strict.Rate = loose.Rate / 2
	refused(t, g.Plan(t.Context(), strict), integrations.Conflict, `"key-1" already, at 8 Mbit/s`)
	_, err := g.Apply(t.Context(), strict)
	refused(t, err, integrations.Conflict, `"key-1" already, at 8 Mbit/s`)
	assert.EqualValues(t, loose.Rate, reading(t, g, loose).Rate)
	for _, rate := range []int64{loose.Rate, 2 * loose.Rate} {
		strict.Rate = rate
		apply(t, g, strict)
		assert.Equal(t, loose.Key, reading(t, g, strict).Key)
	}
}

// What somebody else has put in and has no effect takes the place of nothing.
func TestWhatHasNoEffectIsNotTakenForALimit(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	o := order(t, "key-1", "192.0.2.2")
	apply(t, g, order(t, "key-0", "192.0.2.9"))
	s.load("add element inet stanch limit_out_ip4 { 192.0.2.2 : accept }\n")
	_, err := g.Apply(t.Context(), o)
	refused(t, err, integrations.Conflict, "without effect")
	assert.False(t, reading(t, g, o).Stands)
}

// What is asked for for less than the kernel's clock can tell ends all the same.
func TestTheShortestLimitEnds(t *testing.T) {
	s := newSpace(t)
	g := s.gateway()
	l := Limit{Scope: Scope{Action: incident.RateLimit, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}, Key: "key-1", Rate: 8000}
	for _, left := range []time.Duration{1, time.Millisecond - 1, time.Millisecond} {
		l.Left = left
		_, err := g.table.Put(t.Context(), l)
		require.NoError(t, err)
		wait(t, "a limit of "+left.String()+" has no end", func() bool {
			held, err := g.table.List(t.Context(), nil)
			require.NoError(t, err)
			return len(held) == 0
		})
	}
}

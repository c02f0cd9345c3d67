package secops

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// part is how much of the time is listed at once.
const part = time.Hour

// leastPart is the shortest part that is listed by itself.
const leastPart = time.Second

// puller lists what is new again and again. Nothing of it outlives the process: after a
// start it looks back, and the engine recognises what it has.
type puller struct {
	config    Config
	base      string
	client    *httpx.Client
	tokens    *httpx.Tokens
	now       func() time.Time
	impatient time.Duration

	// position is until when all detections were taken, by when they were created.
	position time.Time
	// taken are the digests of detections that were taken and may be listed again.
	taken map[[sha256.Size]byte]bool

	mu sync.Mutex
	// listed is when the API last answered, and failed why it did not the last time.
	listed time.Time
	failed error
}

func newPuller(c Config) (*puller, error) {
	const op = "open Google SecOps"
	base, err := c.base()
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	account, err := parseAccount(c.ServiceAccount)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	options := c.Options()
	options.MaxBody, options.Credentials = maxBody, "service_account, and that its role in the project has chronicle.legacies.legacySearchDetections"
	client, err := httpx.New(options)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return &puller{
		config: c, base: base, client: client, tokens: account.tokens(client), now: time.Now, impatient: impatient,
		taken: map[[sha256.Size]byte]bool{},
	}, nil
}

// Pull implements [alerts.Puller].
func (p *puller) Pull(ctx context.Context, take alerts.Take) error {
	for {
		if err := p.pass(ctx, take); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		if err := httpx.Pause(ctx, opList, "new detections", p.config.Every); err != nil {
			// The only reason is that the context has ended.
			return ctx.Err()
		}
	}
}

// pass takes everything that is new. What was listed is remembered until the next pass, which
// lists the end of it again.
func (p *puller) pass(ctx context.Context, take alerts.Take) error {
	end := p.now()
	start := p.position.Add(-p.config.Overlap)
	if p.position.IsZero() {
		start = end.Add(-p.config.Lookback)
	}
	listed := map[[sha256.Size]byte]bool{}
	var left error
	for length := part; start.Before(end); {
		stop := start.Add(length)
		if stop.After(end) {
			stop = end
		}
		until, err := p.window(ctx, start, stop, listed, take)
		switch {
		case errors.Is(err, errTooMany) && length > leastPart:
			length /= 2
			continue
		case errors.Is(err, errTooLarge):
			// It must not keep the others back.
			left = err
		case err != nil:
			return err
		}
		if p.position = until; until.Before(stop) {
			break
		}
		start = stop
	}
	p.taken = listed
	if left != nil {
		p.note(time.Time{}, left)
	}
	return left
}

// window takes what was created in a part of the time, in pages so small that the API gives
// all of it, and returns until when that is complete.
func (p *puller) window(ctx context.Context, from, to time.Time, listed map[[sha256.Size]byte]bool, take alerts.Take) (time.Time, error) {
	for size := pageSize; ; size /= 2 {
		until, err := p.pages(ctx, from, to, size, listed, take)
		if !errors.Is(err, errTruncated) {
			return until, err
		}
	}
}

// pages takes the pages of a part of the time, and returns until when it is complete: it is
// not ahead of the product's own clock.
func (p *puller) pages(ctx context.Context, from, to time.Time, size int, listed map[[sha256.Size]byte]bool, take alerts.Take) (time.Time, error) {
	until, token, asked := to, "", map[string]bool{}
	var left error
	for {
		got, err := p.list(ctx, from, to, token, size)
		if err != nil {
			return time.Time{}, err
		}
		if len(asked) == 0 && !got.at.IsZero() && got.at.Before(until) {
			until = got.at
		}
		if err := p.takeNew(ctx, got.Detections, listed, take); err != nil {
			return time.Time{}, err
		}
		switch {
		case got.Truncated && size > 1:
			return time.Time{}, errTruncated
		case got.Truncated:
			left = integrations.Errorf(integrations.Unavailable, opList, "%w: it was created between %s and %s", errTooLarge, from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
		}
		asked[token] = true
		switch token = got.Next; {
		case token == "":
			return until, left
		case asked[token]:
			err := integrations.Errorf(integrations.Unavailable, opList, "the answer continues with a page that was listed before")
			p.note(time.Time{}, err)
			return time.Time{}, err
		case len(asked) >= maxPages:
			return time.Time{}, integrations.Errorf(integrations.Unavailable, opList, "%w", errTooMany)
		}
	}
}

// takeNew takes those of a page that were not taken yet.
func (p *puller) takeNew(ctx context.Context, detections []json.RawMessage, listed map[[sha256.Size]byte]bool, take alerts.Take) error {
	var keys [][sha256.Size]byte
	var bodies [][]byte
	for _, detection := range detections {
		if string(detection) == "null" {
			continue
		}
		key := digest(detection)
		listed[key] = true
		if !p.taken[key] && !slices.Contains(keys, key) {
			keys, bodies = append(keys, key), append(bodies, detection)
		}
	}
	if len(bodies) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	taken, err := take(ctx, bodies)
	for _, key := range keys[:taken] {
		p.taken[key] = true
	}
	if err != nil {
		return fmt.Errorf("take a detection of Google SecOps: %w", err)
	}
	return nil
}

// digest is what a detection is known by: the same JSON may come with other blanks.
func digest(detection json.RawMessage) [sha256.Size]byte {
	var plain bytes.Buffer
	if json.Compact(&plain, detection) != nil {
		return sha256.Sum256(detection)
	}
	return sha256.Sum256(plain.Bytes())
}

// note notes how the API answered.
func (p *puller) note(at time.Time, failed error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed = failed; failed == nil {
		p.listed = at
	}
}

// Lag implements [alerts.Puller]. Google does not tell how many detections wait; it is asked
// only where Pull has not heard from it for a while.
func (p *puller) Lag(ctx context.Context) (int64, error) {
	p.mu.Lock()
	heard, failed := p.listed, p.failed
	p.mu.Unlock()
	now := p.now()
	if failed == nil && now.Sub(heard) > 2*p.config.Every {
		_, failed = p.list(ctx, now.Add(-time.Minute), now, "", 1)
	}
	if failed != nil {
		return 0, failed
	}
	return 0, fmt.Errorf("count the detections that wait: %w", errors.ErrUnsupported)
}

// Close implements [alerts.Puller].
func (p *puller) Close() error { return p.client.Close() }

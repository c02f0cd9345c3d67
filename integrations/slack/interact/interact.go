// Package interact takes what people do in Slack to the desk: clicks on a
// card's buttons, over Socket Mode or as signed HTTP requests, and the forms
// that ask for a reason. It decides nothing about who may.
package interact

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// ackWithin is how long the desk and Slack's forms have: Slack itself gives
	// up after 3 s and tells the clicker that it failed.
	ackWithin = 2500 * time.Millisecond
	// afterWithin is how long may take what follows the acknowledgement.
	afterWithin = 5 * time.Second
	// atOnce bounds the interactions that are handled at the same time. What
	// comes on top is not acknowledged, which Slack shows to the clicker.
	atOnce = 64
)

// Options say how a Receiver is connected.
type Options struct {
	// Use is the integration's name in stanch.yaml.
	Use string
	// Socket reports whether the client has an app-level token, so that Listen can
	// connect.
	Socket bool
	// SigningSecret checks HTTP requests; without it there is no Handler.
	SigningSecret integrations.Secret
	// API is the base URL of the client's API when it is not Slack's own:
	// clickers are answered at that host too.
	API string
	// HTTP answers clickers, at the URL that came with their click.
	HTTP *http.Client
	Log  *slog.Logger
	Now  func() time.Time
}

// Receiver receives interactions.
type Receiver struct {
	api    *slack.Client
	use    string
	socket bool
	secret integrations.Secret
	log    *slog.Logger
	now    func() time.Time

	teller teller
	// urls remembers where those who fill in a form can be answered.
	urls  *urls
	slots chan struct{}

	ackWithin   time.Duration
	afterWithin time.Duration
	againAfter  time.Duration
}

// New returns a receiver that opens its forms through api.
func New(api *slack.Client, o Options) *Receiver {
	log := cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	r := &Receiver{
		api: api, use: o.Use, socket: o.Socket, secret: o.SigningSecret, log: log, now: o.Now,
		teller: newTeller(o.HTTP, o.API, log),
		slots:  make(chan struct{}, atOnce), ackWithin: ackWithin, afterWithin: afterWithin, againAfter: againAfter,
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.urls = newURLs(r.now)
	return r
}

// enter takes one of the places for interactions, and leave gives it back.
func (r *Receiver) enter() bool {
	select {
	case r.slots <- struct{}{}:
		return true
	default:
		r.log.Warn("too many interactions at once: one is left for Slack to report as failed", "use", r.use, "limit", cap(r.slots))
		return false
	}
}

func (r *Receiver) leave() { <-r.slots }

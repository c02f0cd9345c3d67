package interact

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// maxEnvelope bounds what Slack may send at once; a card comes back with
	// each click on it.
	maxEnvelope = 1 << 20
	// againAfter is how long to wait before connecting anew, after the library
	// gave up or would wait for longer than longestWait itself: people's answers
	// have a deadline.
	againAfter  = 10 * time.Second
	longestWait = 30 * time.Second
)

// errWaitsTooLong ends a run whose next attempt is too far away.
var errWaitsTooLong = errors.New("slack cannot be reached")

// Listen takes interactions to the desk over Socket Mode until the context
// ends, and connects again by itself; clicks that are under way are finished.
// It returns an error only when Slack refuses the credentials for good. Without
// an app-level token it only waits for the context.
func (r *Receiver) Listen(ctx context.Context, desk integrations.Desk) error {
	if !r.socket {
		<-ctx.Done()
		return nil
	}
	l := &listener{Receiver: r, desk: desk, client: socketmode.New(r.api, socketmode.OptionReadLimit(maxEnvelope))}
	defer l.running.Wait()
	for {
		err := l.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if reason, ok := hopeless(err); ok {
			return integrations.Errorf(integrations.Denied, "connect to Slack", "the app-level token is refused: %s", reason)
		}
		r.log.WarnContext(ctx, "connecting to Slack again", "use", r.use, "after", r.againAfter.String(), "error", cause(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.againAfter):
		}
	}
}

// listener is one Listen: running counts the interactions that are under way.
type listener struct {
	*Receiver
	desk    integrations.Desk
	client  *socketmode.Client
	running sync.WaitGroup
}

// run holds the connection until it is hopeless, too slow to come back, or no
// longer wanted. It must keep taking events: Slack's pings are answered only
// while somebody does.
func (l *listener) run(ctx context.Context) error {
	connected, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.client.RunContext(connected) }()
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			// Acknowledgements of what is under way still need the connection.
			l.running.Wait()
			stop()
			return <-ended
		case event := <-l.client.Events:
			if l.take(ctx, event) {
				continue
			}
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				return err
			}
			return errWaitsTooLong
		}
	}
}

// take looks at an event without ever blocking, and reports whether the
// connection is worth keeping.
func (l *listener) take(ctx context.Context, event socketmode.Event) bool {
	switch event.Type {
	case socketmode.EventTypeInteractive:
		if callback, ok := event.Data.(slack.InteractionCallback); ok && event.Request != nil {
			l.start(ctx, *event.Request, callback)
		}
	case socketmode.EventTypeEventsAPI, socketmode.EventTypeSlashCommand:
		// The app subscribes to none; Slack would send what is not acknowledged again.
		l.acknowledge(ctx, event.Request, nil)
	case socketmode.EventTypeConnected:
		l.log.InfoContext(ctx, "connected to Slack", "use", l.use)
	case socketmode.EventTypeConnectionError:
		return l.connectionError(ctx, event.Data)
	case socketmode.EventTypeErrorBadMessage:
		l.log.WarnContext(ctx, "what Slack sent cannot be read", "use", l.use)
	case socketmode.EventTypeErrorWriteFailed:
		l.log.WarnContext(ctx, "an acknowledgement was not sent", "use", l.use)
	default:
		l.log.DebugContext(ctx, "slack connection", "use", l.use, "event", string(event.Type))
	}
	return true
}

func (l *listener) connectionError(ctx context.Context, data any) bool {
	e, ok := data.(*slack.ConnectionErrorEvent)
	if !ok {
		return true
	}
	l.log.WarnContext(ctx, "Slack cannot be reached", "use", l.use, "again", e.Backoff.String(), "error", cause(e.ErrorObj))
	if _, asked := errors.AsType[*slack.RateLimitedError](e.ErrorObj); asked {
		return true
	}
	return e.Backoff <= longestWait
}

// start handles an interaction beside the others, and acknowledges it only when
// the desk holds it.
func (l *listener) start(ctx context.Context, request socketmode.Request, callback slack.InteractionCallback) {
	if !l.enter() {
		return
	}
	ctx = context.WithoutCancel(ctx)
	l.running.Go(func() {
		defer l.leave()
		result := l.answer(ctx, l.desk, interaction{InteractionCallback: callback, payload: request.Payload})
		if result.held {
			l.acknowledge(ctx, &request, result.response)
		}
		l.afterwards(ctx, result)
	})
}

func (l *listener) acknowledge(ctx context.Context, request *socketmode.Request, response *slack.ViewSubmissionResponse) {
	if request == nil || request.EnvelopeID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.ackWithin)
	defer cancel()
	var payload any
	if response != nil {
		payload = response
	}
	if err := l.client.AckCtx(ctx, request.EnvelopeID, payload); err != nil {
		l.log.WarnContext(ctx, "an acknowledgement was not sent", "use", l.use, "error", err)
	}
}

// hopeless returns Slack's word for credentials that no waiting will mend.
func hopeless(err error) (string, bool) {
	e, ok := errors.AsType[slack.SlackErrorResponse](err)
	if !ok {
		return "", false
	}
	switch e.Err {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked":
		return e.Err, true
	default:
		return "", false
	}
}

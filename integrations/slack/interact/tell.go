package interact

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"
)

// maxTold is what a plain text section may hold.
const maxTold = 3000

// teller answers a clicker at the URL that came with the click. Such a URL is a
// capability: whoever knows it can write into the channel, so that it is
// neither logged nor kept beyond its use.
type teller struct {
	http *http.Client
	own  *url.URL
	log  *slog.Logger
}

func newTeller(client *http.Client, api string, log *slog.Logger) teller {
	t := teller{http: &http.Client{Timeout: 10 * time.Second}, log: log}
	if client != nil {
		*t.http = *client
	}
	t.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if own, err := url.Parse(api); err == nil && own.Host != "" {
		t.own = own
	}
	return t
}

// tell shows text to the clicker and to nobody else. The card is never
// replaced: the engine alone writes it. That it could not be sent is logged,
// and nothing else.
func (t teller) tell(ctx context.Context, at, text string) {
	if at == "" || text == "" {
		return
	}
	if !t.trusted(at) {
		t.log.WarnContext(ctx, "no reply to a click: the response URL is not Slack's")
		return
	}
	text = cut(text, maxTold)
	plain := slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
	err := slack.PostWebhookCustomHTTPContext(ctx, at, t.http, &slack.WebhookMessage{
		ResponseType: slack.ResponseTypeEphemeral,
		Text:         slackutilsx.EscapeMessage(text),
		Blocks:       &slack.Blocks{BlockSet: []slack.Block{slack.NewSectionBlock(plain, nil, nil)}},
	})
	if err != nil {
		t.log.WarnContext(ctx, "the reply to a click could not be sent", "error", cause(err))
	}
}

// trusted reports whether an address is one of Slack's, so that no payload can
// have a request sent elsewhere.
func (t teller) trusted(at string) bool {
	u, err := url.Parse(at)
	if err != nil || u.User != nil {
		return false
	}
	if t.own != nil && u.Scheme == t.own.Scheme && u.Host == t.own.Host {
		return true
	}
	return u.Scheme == "https" && u.Port() == "" &&
		(strings.HasSuffix(u.Hostname(), ".slack.com") || strings.HasSuffix(u.Hostname(), ".slack-gov.com"))
}

// cause returns an error without the URL that net/http puts into it.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// cut shortens text to at most limit runes.
func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}

// Package slack tells people in Slack, shows them cases as cards that stay up
// to date, and knows who answered. One App is one Slack app in one workspace.
//
// Every capability makes each of its requests once: the engine repeats what
// failed. What Slack does not say is never taken for a yes: a person or a group
// that cannot be looked up is an error, and one that is not there is nobody.
package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/interact"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Mode is how people's answers reach Stanch.
type Mode string

// The closed set of modes.
const (
	// Socket has Stanch connect to Slack: nothing of Stanch need be reachable.
	Socket Mode = "socket"
	// HTTP has Slack call Stanch, with signed requests.
	HTTP Mode = "http"
)

// Config is what stanch.yaml says of a Slack app.
type Config struct {
	BotToken      integrations.Secret `yaml:"bot_token" doc:"The app's bot token, xoxb-…; required."`
	AppToken      integrations.Secret `yaml:"app_token" doc:"The app-level token, xapp-…, with the scope connections:write; required in mode socket."`
	SigningSecret integrations.Secret `yaml:"signing_secret" doc:"The app's signing secret; required in mode http."`
	Mode          Mode                `yaml:"mode" enum:"socket,http" doc:"How answers arrive: socket, over a connection that Stanch opens, or http, as requests that Slack sends to the app's request URL."`
	Workspace     string              `yaml:"workspace" doc:"The workspace's id, T…; members of others are nobody. Empty: the workspace of the bot token."`
	MatchEmail    bool                `yaml:"match_email" doc:"Whether people may be matched by the e-mail address that Slack has confirmed. Whoever administers Slack can then be anybody."`
	APIURL        string              `yaml:"api_url" doc:"The base of Slack's Web API, for GovSlack or tests."`
	Timeout       time.Duration       `yaml:"timeout" doc:"How long one request to Slack may take."`
}

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = time.Minute
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the integration.
func Spec() integrations.Spec {
	return integrations.Spec{
		Kind:        "slack",
		Summary:     "Slack: cards with approvals, kept up to date, with the people and user groups that may answer.",
		Implements:  (*App)(nil),
		Actions:     []incident.Action{incident.Notify},
		Permissions: permissions(),
		Example:     "slack: { kind: slack, bot_token_file: /run/secrets/slack-bot, app_token_file: /run/secrets/slack-app }",
		NewConfig: func() any {
			return &Config{Mode: Socket, APIURL: slack.APIURL, Timeout: defaultTimeout}
		},
		Open: integrations.OpenWith(func(_ context.Context, c *Config) (any, error) { return Open(*c, Options{}) }),
	}
}

// Options are what a configuration cannot say.
type Options struct {
	// Log is slog.Default when nil.
	Log *slog.Logger
	// Now is time.Now when nil.
	Now func() time.Time
}

// App is Stanch's app in one workspace. It is safe for concurrent use.
type App struct {
	*interact.Receiver

	config Config
	api    *slack.Client
	http   *http.Client
	log    *slog.Logger
	now    func() time.Time

	whoami *cache[identity]
	// sent are the messages by their keys, threads the parents of messages.
	sent    *store[*delivery]
	drawn   *store[*delivery]
	threads *cache[string]
	people  directory
	places  *cache[string]
}

// Open returns the app that a configuration describes. It reaches nothing.
func Open(c Config, o Options) (*App, error) {
	if err := c.check(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "open slack", "%w", err)
	}
	a := &App{config: c, log: o.Log, now: o.Now, http: newHTTPClient(c.Timeout)}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.api = slack.New(c.BotToken.Reveal(), slack.OptionHTTPClient(bounded{a.http}), slack.OptionAPIURL(c.APIURL),
		slack.OptionAppLevelToken(c.AppToken.Reveal()))
	a.Receiver = interact.New(a.api, c.receiving(a))
	a.whoami = newCache[identity](a.now, 1, forever)
	a.sent, a.drawn = newStore[*delivery](maxSent), newStore[*delivery](maxSent)
	a.threads = newCache[string](a.now, maxSent, forever)
	a.places = newCache[string](a.now, maxPlaces, placesFor)
	a.people = newDirectory(a.now)
	return a, nil
}

// receiving says how answers reach the app: by the way of its mode alone, also
// where the other's credential is there.
func (c Config) receiving(a *App) interact.Options {
	o := interact.Options{API: c.APIURL, HTTP: a.http, Log: a.log, Now: a.now}
	switch c.Mode {
	case Socket:
		o.Socket = true
	case HTTP:
		o.SigningSecret = c.SigningSecret
	}
	return o
}

// Close lets go of the connections to Slack that are kept open.
func (a *App) Close() error {
	a.http.CloseIdleConnections()
	return nil
}

func (c *Config) check() error {
	if err := checkToken("bot_token", c.BotToken, "xoxb-"); err != nil {
		return err
	}
	switch c.Mode {
	case Socket:
		if c.AppToken == "" {
			return fmt.Errorf("mode socket needs app_token: make one with the scope connections:write " +
				"under Basic Information of the app, or say mode: http")
		}
	case HTTP:
		if c.SigningSecret == "" {
			return fmt.Errorf("mode http needs signing_secret: see Basic Information in the settings of the app")
		}
	default:
		return fmt.Errorf("unknown mode %q: must be socket or http", c.Mode)
	}
	if c.AppToken != "" {
		if err := checkToken("app_token", c.AppToken, "xapp-"); err != nil {
			return err
		}
	}
	if c.Workspace != "" && !isID(c.Workspace, "TE") {
		return errors.New("workspace is not an id such as T0123ABCD")
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return fmt.Errorf("timeout %s is not between 0 and %s", c.Timeout, maxTimeout)
	}
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	return c.checkURL()
}

// checkToken refuses a token of another kind by its beginning, which is no
// secret. Tokens that rotate end after hours, and nobody would renew them.
func checkToken(name string, token integrations.Secret, prefix string) error {
	text := token.Reveal()
	switch {
	case text == "":
		return fmt.Errorf("%s is empty", name)
	case strings.HasPrefix(text, "xoxe."):
		return fmt.Errorf("%s is a rotating token, which is not supported: turn token rotation off for the app", name)
	case !strings.HasPrefix(text, prefix):
		return fmt.Errorf("%s does not begin with %s: it is another kind of token", name, prefix)
	case strings.ContainsAny(text, " \t\r\n"):
		return fmt.Errorf("%s contains white space", name)
	}
	return nil
}

// checkURL wants an address that tokens may be sent to.
func (c *Config) checkURL() error {
	c.APIURL = cmp.Or(c.APIURL, slack.APIURL)
	u, err := url.Parse(c.APIURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("api_url must be an address such as %s, without user, query and fragment", slack.APIURL)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && !ip.IsLoopback()) {
		return errors.New("api_url is not https: the tokens would be readable on their way")
	}
	if !strings.HasSuffix(c.APIURL, "/") {
		c.APIURL += "/"
	}
	return nil
}

// isID reports whether a text is one of Slack's ids that begins with one of the
// letters. Names and handles are in lower case, so that they are none.
func isID(s, letters string) bool {
	return len(s) > 2 && strings.ContainsRune(letters, rune(s[0])) &&
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

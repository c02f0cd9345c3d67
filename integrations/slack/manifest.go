package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Slack's limits on names, in characters.
	maxAppName  = 35
	defaultName = "Stanch"
)

// ManifestOptions say what the app is called and how answers reach Stanch.
type ManifestOptions struct {
	// Name is Stanch when empty.
	Name string
	// Mode is Socket when empty.
	Mode Mode
	// RequestURL is where Slack sends answers in mode HTTP.
	RequestURL string
	// MatchEmail adds the scope that match_email needs.
	MatchEmail bool
}

// Manifest returns the manifest, in YAML, from which Slack makes the app: at
// api.slack.com/apps under Create New App, From a manifest.
func Manifest(o ManifestOptions) ([]byte, error) {
	if o.Name == "" {
		o.Name = defaultName
	}
	if o.Mode == "" {
		o.Mode = Socket
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("make the app manifest: %w", err)
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The Slack app of Stanch. At api.slack.com/apps: Create New App, From a manifest.")
	line("display_information:")
	line("  name: %s", quoted(o.Name))
	line("  description: %s", quoted("Asks before it contains a host, and shows what was done."))
	line("  background_color: %s", quoted("#1f2937"))
	line("features:")
	line("  app_home:")
	line("    home_tab_enabled: false")
	line("    # Without it the app can write to nobody directly.")
	line("    messages_tab_enabled: true")
	line("    messages_tab_read_only_enabled: true")
	line("  bot_user:")
	line("    display_name: %s", quoted(botName(o.Name)))
	line("    always_online: true")
	line("oauth_config:")
	line("  scopes:")
	line("    bot:")
	for _, p := range scopesFor(o.MatchEmail) {
		line("      - %s # %s", quoted(p.Name), p.Why)
	}
	line("settings:")
	line("  interactivity:")
	line("    is_enabled: true")
	if o.Mode == HTTP {
		line("    request_url: %s", quoted(o.RequestURL))
	}
	line("  org_deploy_enabled: false")
	if o.Mode == Socket {
		line("  # The app-level token is made by hand: Basic Information, App-Level Tokens,")
		line("  # with the scope connections:write.")
	}
	line("  socket_mode_enabled: %t", o.Mode == Socket)
	line("  # Tokens that rotate would have to be renewed every few hours.")
	line("  token_rotation_enabled: false")
	return []byte(b.String()), nil
}

func (o ManifestOptions) check() error {
	if utf8.RuneCountInString(o.Name) > maxAppName || strings.ContainsFunc(o.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("invalid name %q: must be at most %d visible characters", o.Name, maxAppName)
	}
	if botName(o.Name) == "" {
		return fmt.Errorf("invalid name %q: must have a letter from a to z or a digit", o.Name)
	}
	switch o.Mode {
	case Socket:
		if o.RequestURL != "" {
			return errors.New("mode socket takes no request URL")
		}
	case HTTP:
		u, err := url.Parse(o.RequestURL)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
			return fmt.Errorf("invalid request URL %q: must be like https://stanch.example/v1/slack", o.RequestURL)
		}
	default:
		return fmt.Errorf("unknown mode %q: must be socket or http", o.Mode)
	}
	return nil
}

// quoted is text as a JSON string, which YAML reads the same.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}

// botName makes a name of the characters that Slack takes for a bot's.
func botName(name string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(r); {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		}
		return '-'
	}, name), "-._")
}

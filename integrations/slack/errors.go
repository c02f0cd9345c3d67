package slack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// waitUnsaid is how long to wait when Slack asks to and does not say for how
	// long, maxWait the longest that it is believed.
	waitUnsaid = 30 * time.Second
	maxWait    = time.Hour
)

// maxDetail bounds what is repeated of an answer's own words, in characters.
const maxDetail = 300

// request is one request to Slack, to tell how it failed.
type request struct {
	op string
	// write reports whether it changes what people see.
	write bool
}

func reading(format string, args ...any) request {
	return request{op: fmt.Sprintf(format, args...)}
}

func writing(format string, args ...any) request {
	return request{op: fmt.Sprintf(format, args...), write: true}
}

func (r request) invalid(format string, args ...any) error {
	return integrations.Errorf(integrations.Invalid, r.op, format, args...)
}

// unsure is the kind of a request that may have been carried out.
func (r request) unsure() integrations.Kind {
	if r.write {
		return integrations.Ambiguous
	}
	return integrations.Unavailable
}

// failed returns what went wrong as one of the closed set of kinds.
func (r request) failed(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return &integrations.Error{Kind: integrations.Throttled, Op: r.op, After: max(time.Second, min(e.RetryAfter, maxWait)), Err: errors.New("slack asks to wait")}
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return r.status(e.Code)
	}
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return r.refused(e)
	}
	if notSent(err) {
		return integrations.Errorf(integrations.Unavailable, r.op, "%w", bare(err))
	}
	return integrations.Errorf(r.unsure(), r.op, "%w", bare(err))
}

// status tells of an answer that is not Slack's own.
func (r request) status(code int) error {
	kind := integrations.Invalid
	switch {
	case code == http.StatusTooManyRequests:
		return &integrations.Error{Kind: integrations.Throttled, Op: r.op, After: waitUnsaid, Err: errors.New("slack asks to wait")}
	case code >= http.StatusInternalServerError:
		kind = r.unsure()
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		kind = integrations.Denied
	}
	return integrations.Errorf(kind, r.op, "the answer is HTTP status %d %s", code, http.StatusText(code))
}

// notSent reports whether a request never left: nobody can have carried it out.
func notSent(err error) bool {
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// bare returns an error without the URL that net/http puts into it: where a
// file is sent to is a secret.
func bare(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// refused tells of an answer with ok: false. An unknown code is invalid: Slack
// has not done it, and would not the next time.
func (r request) refused(e slack.SlackErrorResponse) error {
	switch e.Err {
	case "missing_scope":
		return integrations.Errorf(integrations.Denied, r.op, "the bot token lacks a scope, %s: add it to the app "+
			"under OAuth & Permissions and install the app again (missing_scope)", scopeNames(e.Needed))
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return &integrations.Error{Kind: integrations.Throttled, Op: r.op, After: waitUnsaid, Err: errors.New(e.Err)}
	case "internal_error", "fatal_error", "request_timeout":
		// Slack's documents: some of it may have been carried out.
		return integrations.Errorf(r.unsure(), r.op, "slack has trouble of its own (%s)", e.Err)
	}
	kind, known := kinds()[e.Err]
	if !known {
		kind = integrations.Invalid
	}
	text := e.Err
	if fix := fixes()[e.Err]; fix != "" {
		text = fix + " (" + e.Err + ")"
	}
	if len(e.ResponseMetadata.Messages) > 0 {
		text += ": " + cut(strings.Join(e.ResponseMetadata.Messages, "; "), maxDetail)
	}
	return integrations.Errorf(kind, r.op, "%s", text)
}

func scopeNames(needed string) string {
	if needed == "" {
		return "which Slack does not name"
	}
	return strings.ReplaceAll(needed, ",", " or ")
}

// kinds are Slack's codes that are not invalid.
func kinds() map[string]integrations.Kind {
	codes := map[string]integrations.Kind{"service_unavailable": integrations.Unavailable, "team_added_to_org": integrations.Unavailable}
	for _, code := range []string{
		"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission", "org_login_required",
		"ekm_access_denied", "not_allowed_token_type", "access_denied", "team_access_not_granted", "accesslimited",
		"two_factor_setup_required", "restricted_action", "restricted_action_thread_locked", "restricted_action_read_only_channel",
		"restricted_action_thread_only_channel", "restricted_action_non_threadable_channel", "cant_update_message", "edit_window_closed",
		"posting_to_channel_denied", "messages_tab_disabled", "file_uploads_disabled", "app_access_denied", "external_channel_migrating",
	} {
		codes[code] = integrations.Denied
	}
	for _, code := range []string{
		"channel_not_found", "message_not_found", "thread_not_found", "user_not_found", "users_not_found", "user_not_visible",
		"no_such_subteam", "subteam_not_found", "file_not_found",
	} {
		codes[code] = integrations.NotFound
	}
	return codes
}

// fixes say how to fix what people can fix.
func fixes() map[string]string {
	invite := "the app is not in the channel: invite it there with /invite @ and the app's name"
	install := "slack refuses the token: install the app again and configure the new token"
	return map[string]string{
		"not_in_channel":         invite,
		"channel_not_found":      "there is no such channel that the app can see: check its name; in a private one, invite the app with /invite @ and its name",
		"is_archived":            "the channel is archived: unarchive it or name another one",
		"is_inactive":            "the channel is archived: unarchive it or name another one",
		"invalid_auth":           install,
		"not_authed":             install,
		"token_revoked":          install,
		"token_expired":          install,
		"account_inactive":       install,
		"not_allowed_token_type": "it is another kind of token: bot_token begins with xoxb-, app_token with xapp-",
		"restricted_action":      "the workspace's settings do not let the app write there",
		"messages_tab_disabled":  "the app takes no direct messages: switch its Messages Tab on under App Home",
		"file_uploads_disabled":  "the workspace does not take files",
		"msg_too_long":           "the message is longer than Slack takes",
		"msg_blocks_too_long":    "the card is longer than Slack takes",
		"user_disabled":          "the account is deactivated",
		"cannot_dm_bot":          "it is a bot",
	}
}

// is reports whether an error is of a kind.
func is(err error, kind integrations.Kind) bool {
	return err != nil && integrations.KindOf(err) == kind
}

package crosscheck_test

import (
	"maps"
	"strings"
)

const (
	card = `[{"type":"header","text":{"type":"plain_text","text":"Isolate?"}},{"type":"actions","block_id":"a1",` +
		`"elements":[{"type":"button","action_id":"approve","value":"v","text":{"type":"plain_text","text":"Approve"}}]}]`
	modal = `{"type":"modal","title":{"type":"plain_text","text":"Deny"},"submit":{"type":"plain_text","text":"Deny"},` +
		`"close":{"type":"plain_text","text":"Back"},"callback_id":"deny","private_metadata":"a1","blocks":[{"type":"input",` +
		`"block_id":"why","label":{"type":"plain_text","text":"Why?"},"element":{"type":"plain_text_input","action_id":"reason"}}]}`
)

func many(block string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(block+",", n), ",") + "]"
}

func with(all ...map[string]string) map[string]string {
	sum := map[string]string{}
	for _, m := range all {
		maps.Copy(sum, m)
	}
	return sum
}

// known are the members that only one of the two has.
func known() map[string]string {
	return map[string]string{
		"bot_id":                "its tokens are people's",
		"bot_profile":           "its tokens are people's",
		"is_enterprise_install": "it has no organisations",
		"is_restricted":         "it has no guests",
		"is_ultra_restricted":   "it has no guests",
		"is_owner":              "it has no owners",
		"is_primary_owner":      "it has no owners",
		"is_app_user":           "it has no users of apps",
		"profile":               "it shows more of a person than ours, and not their team",
		"tz":                    "it has no time zones",
		"updated":               "it keeps no time of it",
		"is_general":            "it has no such channel",
		"is_shared":             "it shares no channels",
		"is_ext_shared":         "it shares no channels",
		"is_org_shared":         "it shares no channels",
		"is_open":               "of a channel only direct ones have it",
		"last_read":             "ours keeps nothing of who read what",
		"app_id":                "its messages are of no app",
		"team":                  "its messages are of no team",
		"emoji":                 "it keeps text objects as they were sent",
		"thread_ts":             "it does not say that a message is the first of a thread",
		"latest_reply":          "it does not keep it",
		"reply_users_count":     "it does not keep it",
		"metadata":              "it gives metadata unasked",
		"response_metadata":     "it gives an empty cursor where there is no next page",
		"app_installed_team_id": "it has one team",
		"files":                 "it says more of a file than ours, but not what the description is",
	}
}

// steps are the calls of TestAgainstEmulate, in order.
func steps() []step {
	var all []step
	for _, part := range [][]step{people(), channels(), messages(), reading(), views(), files()} {
		all = append(all, part...)
	}
	return all
}

func people() []step {
	return []step{
		{name: "who am I", method: "auth.test"},
		{name: "no token", method: "auth.test", token: "none", code: "not_authed"},
		{name: "another's token", method: "auth.test", token: "xoxb-wrong", code: "invalid_auth", laxer: "any token is somebody's"},
		{name: "by address", method: "users.lookupByEmail", args: map[string]string{"email": "alice@example.com"}, keep: map[string]string{"alice": "user.id"}},
		{name: "by no address", method: "users.lookupByEmail", args: map[string]string{"email": "nobody@example.com"}, code: "users_not_found"},
		{name: "user", method: "users.info", args: map[string]string{"user": "{alice}"}},
		{name: "no user", method: "users.info", args: map[string]string{"user": "U0NOBODY"}, code: "user_not_found"},
	}
}

func channels() []step {
	return []step{
		{name: "list", method: "conversations.list", args: map[string]string{"limit": "1"}},
		{name: "info", method: "conversations.info", args: map[string]string{"channel": "{sec_oncall}"}},
		{name: "no info", method: "conversations.info", args: map[string]string{"channel": "C0NOWHERE"}, code: "channel_not_found"},
		{name: "open", method: "conversations.open", args: map[string]string{"users": "{alice}"}},
		{name: "open again", method: "conversations.open", args: map[string]string{"users": "{alice}"}},
		{name: "open with nobody", method: "conversations.open", args: map[string]string{"users": "U0NOBODY"}, code: "user_not_found"},
		{name: "open with no one named", method: "conversations.open", code: "users_list_not_supplied"},
	}
}

func messages() []step {
	to := map[string]string{"channel": "{sec_oncall}"}
	text := with(to, map[string]string{"text": "hello"})
	rich := with(text, map[string]string{"blocks": card, "metadata": `{"event_type":"case","event_payload":{"id":"c1"}}`})
	return []step{
		{name: "post", method: "chat.postMessage", args: text},
		{name: "post a card", method: "chat.postMessage", args: rich, keep: map[string]string{"ts": "ts"}},
		{name: "reply", method: "chat.postMessage", args: with(text, map[string]string{"thread_ts": "{ts}"})},
		{name: "post nothing", method: "chat.postMessage", args: to, code: "no_text"},
		{name: "post nowhere", method: "chat.postMessage", args: with(text, map[string]string{"channel": "C0NOWHERE"}), code: "channel_not_found"},
		{name: "post to the archive", method: "chat.postMessage", args: with(text, map[string]string{"channel": "{closed}"}), code: "is_archived"},
		{name: "51 blocks", method: "chat.postMessage", args: with(text, map[string]string{"blocks": many(`{"type":"section","text":{"type":"plain_text","text":"x"}}`, 51)}), code: "invalid_blocks", laxer: "no limits of blocks"},
		{name: "a long section", method: "chat.postMessage", args: with(text, map[string]string{"blocks": `[{"type":"section","text":{"type":"mrkdwn","text":"` + strings.Repeat("x", 3001) + `"}}]`}), code: "invalid_blocks", laxer: "no limits of text"},
		{name: "no blocks at all", method: "chat.postMessage", args: with(text, map[string]string{"blocks": "{"}), code: "invalid_blocks_format", laxer: "another code", theirs: "invalid_blocks"},
		{name: "a long text", method: "chat.postMessage", args: with(to, map[string]string{"text": strings.Repeat("x", 40_001)}), code: "msg_too_long", laxer: "it cuts the text, as Slack does with some"},
		{name: "update", method: "chat.update", args: with(text, map[string]string{"ts": "{ts}", "blocks": card})},
		{name: "update what is not there", method: "chat.update", args: with(text, map[string]string{"ts": "1.000001"}), code: "message_not_found"},
		{name: "update another's", method: "chat.update", args: with(text, map[string]string{"ts": "{said}"}), code: "cant_update_message"},
		{name: "update with nothing", method: "chat.update", args: with(to, map[string]string{"ts": "{ts}"}), code: "no_text"},
		{name: "to one alone", method: "chat.postEphemeral", args: with(text, map[string]string{"user": "{alice}"})},
		{name: "to nobody alone", method: "chat.postEphemeral", args: with(text, map[string]string{"user": "U0NOBODY"}), code: "user_not_in_channel", laxer: "another code", theirs: "user_not_found"},
		{name: "nothing to one alone", method: "chat.postEphemeral", args: with(to, map[string]string{"user": "{alice}"}), code: "no_text"},
	}
}

func reading() []step {
	to := map[string]string{"channel": "{sec_oncall}"}
	return []step{
		{name: "link", method: "chat.getPermalink", args: with(to, map[string]string{"message_ts": "{ts}"})},
		{name: "no link", method: "chat.getPermalink", args: with(to, map[string]string{"message_ts": "1.000001"}), code: "message_not_found"},
		{name: "link to nowhere", method: "chat.getPermalink", args: map[string]string{"channel": "C0NOWHERE", "message_ts": "{ts}"}, code: "channel_not_found"},
		{name: "history", method: "conversations.history", args: with(to, map[string]string{"include_all_metadata": "true"})},
		{name: "history of nowhere", method: "conversations.history", args: map[string]string{"channel": "C0NOWHERE"}, code: "channel_not_found"},
		{name: "thread", method: "conversations.replies", args: with(to, map[string]string{"ts": "{ts}"})},
	}
}

func views() []step {
	open := map[string]string{"trigger_id": "{trigger}", "view": modal}
	return []step{
		{name: "open a view", method: "views.open", args: open, trigger: true, keep: map[string]string{"view": "view.id", "hash": "view.hash"}},
		{name: "open it twice", method: "views.open", args: open, code: "exchanged_trigger_id"},
		{name: "open by a forgery", method: "views.open", args: with(open, map[string]string{"trigger_id": "1.2.3"}), code: "invalid_trigger_id"},
		{name: "update a view", method: "views.update", args: map[string]string{"view_id": "{view}", "hash": "{hash}", "view": modal}},
		{name: "update it late", method: "views.update", args: map[string]string{"view_id": "{view}", "hash": "{hash}", "view": modal}, code: "hash_conflict"},
		{name: "update none", method: "views.update", args: map[string]string{"view_id": "V0NONE", "view": modal}, code: "not_found"},
	}
}

func files() []step {
	share := map[string]string{"files": `[{"id":"{file}","title":"Egress"}]`, "channel_id": "{sec_oncall}", "thread_ts": "{ts}"}
	return []step{
		{name: "announce nothing", method: "files.getUploadURLExternal", code: "invalid_arguments"},
		{name: "announce", method: "files.getUploadURLExternal", args: map[string]string{"filename": "a.png", "length": "3", "alt_txt": "x"}, keep: map[string]string{"upload_url": "upload_url", "file": "file_id"}},
		{name: "share too early", method: "files.completeUploadExternal", args: share, code: "file_not_found"},
		{name: "send", args: map[string]string{"bytes": "png"}},
		{name: "share nowhere", method: "files.completeUploadExternal", args: with(share, map[string]string{"channel_id": "C0NOWHERE"}), code: "channel_not_found"},
		{name: "share", method: "files.completeUploadExternal", args: share},
		{name: "share none", method: "files.completeUploadExternal", args: with(share, map[string]string{"files": `[{"id":"F0NONE"}]`}), code: "file_not_found"},
	}
}

// Command mockslack writes to its standard output what GoAlert's mockslack, a
// Slack for tests that other people wrote, sends and answers: a signed click,
// and its answers to some mistakes. The recording is compared with our own Slack
// for tests. It is a module by itself, so that the product does not take part in
// what GoAlert needs.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"

	"github.com/target/goalert/devtools/mockslack"
)

// Recording is what is kept.
type Recording struct {
	Secret      string `json:"secret"`
	Timestamp   string `json:"timestamp"`
	Signature   string `json:"signature"`
	ContentType string `json:"content_type"`
	// Body is written in base64: it holds what looks like a credential.
	Body    []byte                     `json:"body"`
	Answers map[string]json.RawMessage `json:"answers"`
}

const card = `[{"blocks":[{"type":"actions","block_id":"a1","elements":[{"type":"button","action_id":"approve","value":"v",` +
	`"text":{"type":"plain_text","text":"Approve"}}]}]}]`

func main() {
	log.SetOutput(io.Discard) // mockslack logs every request.
	r, err := record(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// record lets a person press a button, and makes some mistakes.
func record(ctx context.Context) (*Recording, error) {
	r := &Recording{Secret: "8f742231b10e8888abcd99yyyzzz85a5", Answers: map[string]json.RawMessage{}}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return // Then nothing is recorded, which is seen.
		}
		r.Timestamp, r.Signature = q.Header.Get("X-Slack-Request-Timestamp"), q.Header.Get("X-Slack-Signature")
		r.ContentType, r.Body = q.Header.Get("Content-Type"), body
	}))
	defer receiver.Close()
	mock := mockslack.NewServer()
	srv := httptest.NewServer(mock)
	defer srv.Close()
	mock.SetURLPrefix(srv.URL)
	app, err := mock.InstallStaticApp(mockslack.AppInfo{Name: "stanch", SigningSecret: r.Secret, ActionURL: receiver.URL}, "bot")
	if err != nil {
		return nil, err
	}
	user, channel := mock.NewUser("alice"), mock.NewChannel("sec-oncall")
	if _, err := call(ctx, srv.URL, "chat.postMessage", url.Values{"token": {app.AccessToken}, "channel": {channel.ID}, "attachments": {card}}); err != nil {
		return nil, err
	}
	if err := mock.PerformActionAs(user.ID, mock.Messages(channel.ID)[0].Actions[0]); err != nil {
		return nil, err
	}
	for name, args := range mistakes(app.AccessToken, user.AuthToken, channel.ID) {
		method, _, _ := strings.Cut(name, " ")
		if r.Answers[name], err = call(ctx, srv.URL, method, args); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// mistakes are calls that are refused, by their method and what is wrong.
func mistakes(bot, person, channel string) map[string]url.Values {
	return map[string]url.Values{
		"chat.postMessage without a token": {"channel": {channel}, "text": {"x"}},
		"chat.postMessage nowhere":         {"token": {bot}, "channel": {"C0NOWHERE"}, "text": {"x"}},
		"chat.postMessage too long":        {"token": {bot}, "channel": {channel}, "text": {strings.Repeat("x", 40_001)}},
		"conversations.info nowhere":       {"token": {bot}, "channel": {"C0NOWHERE"}},
		"users.info of nobody":             {"token": {bot}, "user": {"U0NOBODY"}},
		"usergroups.list without a scope":  {"token": {person}},
	}
}

func call(ctx context.Context, base, method string, args url.Values) (json.RawMessage, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/"+method, strings.NewReader(args.Encode()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

package crosscheck_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// world is one of the two Slacks, and what the steps so far have found there.
type world struct {
	api   string
	token string
	vars  map[string]string
	// trigger returns what may open a modal for the person.
	trigger func(t *testing.T) string
}

// step is one call that both get. Words in braces are what earlier steps kept.
type step struct {
	name   string
	method string
	args   map[string]string
	token  string
	// keep says under which names parts of the answer are kept, by their path.
	keep map[string]string
	// trigger asks for a new trigger before the call.
	trigger bool
	// code is the error that both give; empty: none.
	code string
	// laxer says what the other Slack lets pass, or has another code for, in
	// theirs: then the codes differ.
	laxer  string
	theirs string
}

// do makes the step's call and returns the answer.
func (w *world) do(t *testing.T, s step) map[string]any {
	t.Helper()
	if s.trigger {
		w.vars["trigger"] = w.trigger(t)
	}
	address, token, body := w.api+s.method, w.token, ""
	if s.token != "" {
		token = s.token
	}
	contentType := "application/x-www-form-urlencoded"
	v := url.Values{}
	for k, arg := range s.args {
		v.Set(k, w.fill(arg))
	}
	if body = v.Encode(); s.method == "" {
		address = w.vars["upload_url"]
		body, contentType = upload(t, s.args["bytes"])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if token != "none" && s.method != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.answer(t, s, r)
}

func (w *world) answer(t *testing.T, s step, r *http.Request) map[string]any {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s.method == "" {
		return map[string]any{"ok": resp.StatusCode == http.StatusOK}
	}
	var o map[string]any
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatalf("%s answered %d %q: %v", s.method, resp.StatusCode, data, err)
	}
	for name, path := range s.keep {
		w.vars[name] = pick(t, o, path)
	}
	return o
}

func (w *world) fill(arg string) string {
	var pairs []string
	for k, v := range w.vars {
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(arg)
}

// pick returns a string of an answer by its path.
func pick(t *testing.T, v any, path string) string {
	t.Helper()
	at := v
	for key := range strings.SplitSeq(path, ".") {
		o, _ := at.(map[string]any)
		at = o[key]
	}
	s, ok := at.(string)
	if !ok {
		t.Fatalf("no string at %q in %v", path, v)
	}
	return s
}

// triggerOf returns the trigger of an interaction.
func triggerOf(t *testing.T, payload []byte) string {
	t.Helper()
	var o any
	if err := json.Unmarshal(payload, &o); err != nil {
		t.Fatal(err)
	}
	return pick(t, o, "trigger_id")
}

// upload is the form in which a client sends the bytes of a file.
func upload(t *testing.T, data string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "a.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, data); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), form.FormDataContentType()
}

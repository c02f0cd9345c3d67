package slackfake

import (
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Object is a JSON object as it came.
type Object = map[string]any

// Call is a request to a method, and what became of it.
type Call struct {
	Method string
	// Args are the arguments without the token. Of a JSON body, what is no
	// string is given as JSON.
	Args url.Values
	// ContentType is that of the body, without its parameters.
	ContentType string
	At          time.Time
	// Status is what was answered, or 0 when nothing was; Error is Slack's code.
	Status int
	Error  string
}

// method is a method of the Web API.
type method struct {
	run func(*call) (Object, *refusal)
	// scopes is what the token needs, one of them.
	scopes []string
	// app reports whether the method wants the app-level token.
	app bool
}

type call struct {
	method string
	args   url.Values
	token  string
}

// refusal is an answer with ok: false.
type refusal struct {
	code     string
	messages []string
	needed   string
	provided string
}

func refuse(code string, messages ...string) *refusal {
	return &refusal{code: code, messages: messages}
}

// webAPI is every method that this Slack has.
func (s *Server) webAPI() map[string]method {
	chat := []string{"chat:write"}
	list := []string{"channels:read", "groups:read", "im:read", "mpim:read"}
	history := []string{"channels:history", "groups:history", "im:history", "mpim:history"}
	groups := []string{"usergroups:read"}
	files := []string{"files:write"}
	return map[string]method{
		"auth.test":                    {run: s.authTest},
		"apps.connections.open":        {run: s.connectionsOpen, app: true},
		"chat.postMessage":             {run: s.postMessage, scopes: chat},
		"chat.update":                  {run: s.updateMessage, scopes: chat},
		"chat.postEphemeral":           {run: s.postEphemeral, scopes: chat},
		"chat.getPermalink":            {run: s.permalink},
		"conversations.list":           {run: s.conversationsList, scopes: list},
		"conversations.info":           {run: s.conversationsInfo, scopes: list},
		"conversations.history":        {run: s.history, scopes: history},
		"conversations.replies":        {run: s.replies, scopes: history},
		"conversations.open":           {run: s.conversationsOpen, scopes: []string{"im:write"}},
		"users.info":                   {run: s.usersInfo, scopes: []string{"users:read"}},
		"users.list":                   {run: s.usersList, scopes: []string{"users:read"}},
		"users.lookupByEmail":          {run: s.lookupByEmail, scopes: []string{"users:read.email"}},
		"usergroups.list":              {run: s.groupsList, scopes: groups},
		"usergroups.users.list":        {run: s.groupUsers, scopes: groups},
		"views.open":                   {run: s.viewsOpen},
		"views.update":                 {run: s.viewsUpdate},
		"files.getUploadURLExternal":   {run: s.uploadURL, scopes: files},
		"files.completeUploadExternal": {run: s.completeUpload, scopes: files},
	}
}

func everyScope(methods map[string]method) []string {
	scopes := map[string]bool{"chat:write.public": true}
	for _, m := range methods {
		for _, scope := range m.scopes {
			scopes[scope] = true
		}
	}
	return slices.Sorted(maps.Keys(scopes))
}

// maxBody bounds what a request may hold.
const maxBody = 4 << 20

func (s *Server) serveMethod(w http.ResponseWriter, r *http.Request) {
	c, contentType, err := readCall(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	record := s.begin(c, contentType)
	fault, failing := s.fault(c.method)
	if failing && s.failBefore(w, r, fault, record) {
		return
	}
	answer, no, wait := s.run(c)
	switch {
	case failing && fault.after():
		s.finish(record, 0, "")
		breakOff(w, r, fault, s.closing)
		return
	case wait > 0:
		s.finish(record, http.StatusTooManyRequests, "ratelimited")
		throttle(w, wait)
		return
	case no != nil:
		answer = no.object()
	}
	s.finish(record, http.StatusOK, code(no))
	if m, ok := s.methods[c.method]; ok && !m.app {
		w.Header().Set("X-OAuth-Scopes", strings.Join(s.granted(), ","))
		w.Header().Set("X-Accepted-OAuth-Scopes", strings.Join(m.scopes, ","))
	}
	writeJSON(w, http.StatusOK, answer)
}

// run does what a call asks. A wait is for how long there were too many.
func (s *Server) run(c *call) (Object, *refusal, time.Duration) {
	m, ok := s.methods[c.method]
	if !ok {
		return nil, refuse("unknown_method"), 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := s.authorize(m, c.token); no != nil {
		return nil, no, 0
	}
	if c.method == "chat.postMessage" && !s.unlimited {
		if wait := s.limitPosts(c.arg("channel")); wait > 0 {
			return nil, nil, wait
		}
	}
	answer, no := m.run(c)
	if no != nil {
		return nil, no, 0
	}
	answer["ok"] = true
	s.change()
	return answer, nil, 0
}

// authorize checks the token and its scopes. The lock must be held.
func (s *Server) authorize(m method, token string) *refusal {
	switch token {
	case "":
		return refuse("not_authed")
	case s.BotToken, s.AppToken:
	default:
		return refuse("invalid_auth")
	}
	if (token == s.AppToken) != m.app {
		return refuse("not_allowed_token_type")
	}
	if len(m.scopes) == 0 || slices.ContainsFunc(m.scopes, s.hasScope) {
		return nil
	}
	return &refusal{code: "missing_scope", needed: strings.Join(m.scopes, ","), provided: strings.Join(s.scopes, ",")}
}

func (s *Server) hasScope(scope string) bool { return slices.Contains(s.scopes, scope) }

func (s *Server) granted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scopes
}

func (s *Server) begin(c *call, contentType string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{Method: c.method, Args: c.args, ContentType: contentType, At: s.now()})
	s.change()
	return len(s.calls) - 1
}

func (s *Server) finish(record, status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[record].Status, s.calls[record].Error = status, code
	s.change()
}

// Calls returns the requests to a method, in order. Posts to a response_url
// count as the method "response_url", the bytes of a file as "upload".
func (s *Server) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Call
	for _, c := range s.calls {
		if c.Method == method {
			calls = append(calls, c)
		}
	}
	return calls
}

// readCall reads a request's arguments. A token counts in the Authorization
// header, and in a form's body; in a JSON body and in the URL it does not.
func readCall(w http.ResponseWriter, r *http.Request) (*call, string, error) {
	c := &call{method: r.PathValue("method"), args: url.Values{}}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if contentType == "application/json" {
		if err := readJSON(r.Body, c.args); err != nil {
			return nil, "", err
		}
	} else {
		if err := r.ParseMultipartForm(maxBody); err != nil && contentType == "multipart/form-data" {
			return nil, "", err
		}
		maps.Copy(c.args, r.Form)
		c.token = r.PostForm.Get("token")
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.token = bearer
	}
	c.args.Del("token")
	return c, contentType, nil
}

// readJSON reads a JSON body's members as arguments.
func readJSON(body io.Reader, args url.Values) error {
	data, err := io.ReadAll(body)
	if err != nil || len(data) == 0 {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for k, v := range members {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		args.Set(k, text)
	}
	return nil
}

func (c *call) arg(name string) string { return c.args.Get(name) }

func (c *call) flag(name string) bool {
	on, err := strconv.ParseBool(c.arg(name))
	return err == nil && on
}

// object is what a refusal looks like.
func (r *refusal) object() Object {
	o := Object{"ok": false, "error": r.code}
	if len(r.messages) > 0 {
		o["response_metadata"] = Object{"messages": r.messages}
	}
	if r.needed != "" {
		o["needed"], o["provided"] = r.needed, r.provided
	}
	return o
}

func code(r *refusal) string {
	if r == nil {
		return ""
	}
	return r.code
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // A client that went away hears nothing.
}

// authTest says whose token it is.
func (s *Server) authTest(*call) (Object, *refusal) {
	return Object{
		"url": "https://" + s.Team.Domain + ".slack.com/", "team": s.Team.Name, "user": "stanch",
		"team_id": s.Team.ID, "user_id": s.Team.BotUser, "bot_id": s.Team.Bot, "is_enterprise_install": false,
	}, nil
}

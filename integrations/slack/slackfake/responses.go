package slackfake

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"
)

const (
	responseLife = 30 * time.Minute
	responseUses = 5
)

// responseURL lets an app speak where somebody pressed something: without a
// token, and without being there.
type responseURL struct {
	channel string
	user    string
	until   time.Time
	used    int
}

// newResponseURL makes an address for a message. The lock must be held.
func (s *Server) newResponseURL(u User, m *Message) string {
	ticket := random()
	s.responses[ticket] = &responseURL{channel: m.Channel, user: u.ID, until: s.now().Add(responseLife)}
	return s.http.URL + "/actions/" + ticket
}

// response is what an app posts there, for the one person alone: the client
// neither replaces a message that way nor speaks to all.
type response struct {
	Text    string          `json:"text"`
	Blocks  json.RawMessage `json:"blocks"`
	Type    string          `json:"response_type"`
	Replace bool            `json:"replace_original"`
	Delete  bool            `json:"delete_original"`
	Thread  string          `json:"thread_ts"`
}

func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	var v response
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&v)
	record := s.begin(&call{method: "response_url", args: url.Values{
		"text": {v.Text}, "blocks": {string(v.Blocks)}, "response_type": {v.Type},
	}}, mediaType(r))
	fault, failing := s.fault("response_url")
	if failing && s.failBefore(w, r, fault, record) {
		return
	}
	status, no := http.StatusBadRequest, refuse("invalid_payload")
	if err == nil {
		status, no = s.respond(r.PathValue("ticket"), v)
	}
	if failing {
		s.finish(record, 0, "")
		breakOff(w, r, fault, s.closing)
		return
	}
	s.finish(record, status, code(no))
	if no != nil {
		writeJSON(w, status, no.object())
		return
	}
	writeJSON(w, status, Object{"ok": true})
}

// respond does what a response asks.
func (s *Server) respond(ticket string, v response) (int, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.responses[ticket]
	switch {
	case to == nil:
		return http.StatusNotFound, refuse("invalid_url")
	case s.now().After(to.until):
		return http.StatusNotFound, refuse("expired_url")
	case to.used >= responseUses:
		return http.StatusNotFound, refuse("used_url")
	}
	said, no := s.responseContent(v)
	if no == nil && (v.Type != "ephemeral" || v.Replace || v.Delete) {
		no = refuse("unsupported_response")
	}
	if no != nil {
		return http.StatusBadRequest, no
	}
	s.whisper(s.channelByID(to.channel), to.user, v.Thread, said)
	to.used++
	s.change()
	return http.StatusOK, nil
}

func (s *Server) responseContent(v response) (content, *refusal) {
	said := content{text: v.Text, gaveText: true, gaveBlocks: true}
	if utf8.RuneCountInString(v.Text) > maxText {
		return said, refuse("msg_too_long")
	}
	if len(v.Blocks) > 0 && string(v.Blocks) != "null" {
		blocks, no := readBlocks(string(v.Blocks))
		if no != nil {
			return said, no
		}
		said.blocks = s.complete(blocks)
	}
	if v.Text == "" && len(said.blocks) == 0 {
		return said, refuse("no_text")
	}
	return said, nil
}

package slackfake

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// File is a file that was shared in a channel.
type File struct {
	ID      string
	Name    string
	Title   string
	AltText string
	// Channel, TS and Thread are the message that shows it.
	Channel string
	TS      string
	Thread  string
	Data    []byte
}

// upload is a file on its way: announced, then sent, then completed.
type upload struct {
	File
	length    int
	sent      bool
	completed bool
}

func (s *Server) uploadURL(c *call) (Object, *refusal) {
	length, err := strconv.Atoi(c.arg("length"))
	switch {
	case c.arg("filename") == "" || err != nil || length <= 0:
		return nil, refuse("invalid_arguments")
	case utf8.RuneCountInString(c.arg("alt_txt")) > maxAltText:
		return nil, refuse("alt_txt_too_large")
	}
	u := &upload{File: File{ID: s.id("F"), Name: c.arg("filename"), AltText: c.arg("alt_txt")}, length: length}
	ticket := random()
	s.uploads[ticket] = u
	return Object{"upload_url": s.http.URL + "/upload/" + ticket, "file_id": u.ID}, nil
}

// serveUpload takes the bytes of a file as a form's file. The address itself is
// the credential.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	record := s.begin(&call{method: "upload", args: url.Values{}}, mediaType(r))
	fault, failing := s.fault("upload")
	if failing && s.failBefore(w, r, fault, record) {
		return
	}
	data, err := fileBytes(r)
	if err != nil {
		s.finish(record, http.StatusBadRequest, "")
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	status := s.takeFile(r.PathValue("file"), data)
	if failing {
		s.finish(record, 0, "")
		breakOff(w, r, fault, s.closing)
		return
	}
	s.finish(record, status, "")
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	_, _ = io.WriteString(w, "OK - "+strconv.Itoa(len(data))) // A client that went away hears nothing.
}

// takeFile keeps the bytes, which must be as many as were announced.
func (s *Server) takeFile(ticket string, data []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[ticket]
	switch {
	case u == nil || u.completed:
		return http.StatusNotFound
	case len(data) != u.length:
		return http.StatusBadRequest
	}
	u.Data, u.sent = data, true
	s.change()
	return http.StatusOK
}

func mediaType(r *http.Request) string {
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t
}

func fileBytes(r *http.Request) ([]byte, error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := reader.NextPart()
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" {
			return io.ReadAll(part)
		}
	}
}

// completeUpload shares files that were sent. Without a channel they stay the
// bot's own.
func (s *Server) completeUpload(c *call) (Object, *refusal) {
	var wanted []struct{ ID, Title string }
	if json.Unmarshal([]byte(c.arg("files")), &wanted) != nil || len(wanted) == 0 {
		return nil, refuse("invalid_arguments")
	}
	var files []*upload
	for _, w := range wanted {
		u := s.uploaded(w.ID)
		if u == nil {
			return nil, refuse("file_not_found")
		}
		u.Title = or(w.Title, u.Name)
		files = append(files, u)
	}
	shareTo, no := s.destination(c)
	if no != nil {
		return nil, no
	}
	if shareTo != nil {
		s.share(shareTo, c, files)
	}
	list := []Object{}
	for _, u := range files {
		u.completed = true
		list = append(list, s.fileObject(u.File))
	}
	return Object{"files": list}, nil
}

// uploaded finds a file that was sent and is not completed.
func (s *Server) uploaded(id string) *upload {
	for _, u := range s.uploads {
		if u.ID == id && u.sent && !u.completed {
			return u
		}
	}
	return nil
}

// destination is the channel that files go to; nil: they stay the bot's own.
func (s *Server) destination(c *call) (*channel, *refusal) {
	if c.arg("channel_id") == "" {
		return nil, nil
	}
	ch, no := s.visible(c.arg("channel_id"))
	switch {
	case no != nil:
		return nil, no
	case ch.WithoutBot:
		return nil, refuse("not_in_channel")
	case ch.Archived:
		return nil, refuse("is_archived")
	}
	return ch, nil
}

// share posts a message with files.
func (s *Server) share(ch *channel, c *call, files []*upload) {
	m := &Message{
		Channel: ch.ID, TS: s.stamp(), Thread: ch.thread(c.arg("thread_ts")),
		User: s.Team.BotUser, Bot: s.Team.Bot, Text: c.arg("initial_comment"),
	}
	for _, u := range files {
		f := u.File
		f.Channel, f.TS, f.Thread = m.Channel, m.TS, m.Thread
		m.Files = append(m.Files, f)
	}
	ch.messages = append(ch.messages, m)
}

func (s *Server) fileObject(f File) Object {
	ext := strings.TrimPrefix(path.Ext(f.Name), ".")
	o := Object{
		"id": f.ID, "name": f.Name, "title": f.Title, "user": s.Team.BotUser, "user_team": s.Team.ID, "size": len(f.Data),
		"filetype": ext, "mimetype": or(mime.TypeByExtension("."+ext), "application/octet-stream"), "mode": "hosted",
		"created": 1600000000, "timestamp": 1600000000, "is_external": false, "is_public": f.Channel != "",
		"permalink":   "https://" + s.Team.Domain + ".slack.com/files/" + s.Team.BotUser + "/" + f.ID + "/" + url.PathEscape(f.Name),
		"url_private": "https://files.slack.com/files-pri/" + s.Team.ID + "-" + f.ID + "/" + url.PathEscape(f.Name),
	}
	if f.AltText != "" {
		o["alt_txt"] = f.AltText
	}
	return o
}

// Files returns the files that were shared in a channel, in order.
func (s *Server) Files(channel string) []File {
	var files []File
	for _, m := range s.Messages(channel) {
		files = append(files, m.Files...)
	}
	return files
}

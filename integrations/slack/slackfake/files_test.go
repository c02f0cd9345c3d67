package slackfake_test

import (
	"net/http"
	"testing"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
)

func picture(change func(*slack.UploadFileParameters)) slack.UploadFileParameters {
	p := slack.UploadFileParameters{
		Filename: "egress.png", FileSize: 3, Content: "png", Channel: secops, Title: "Egress", AltTxt: "egress fell at 03:10",
	}
	if change != nil {
		change(&p)
	}
	return p
}

func TestUpload(t *testing.T) {
	s, api := start(t, nil)
	root := post(t, api, secops, text("root"))
	f, err := api.UploadFileContext(t.Context(), picture(func(p *slack.UploadFileParameters) { p.ThreadTimestamp = root }))
	if err != nil {
		t.Fatal(err)
	}
	files := s.Files(secops)
	if len(files) != 1 || files[0].ID != f.ID || f.Title != "Egress" {
		t.Fatalf("answered %+v, shared %+v", f, files)
	}
	if g := files[0]; g.Name != "egress.png" || g.AltText != "egress fell at 03:10" || g.Thread != root || string(g.Data) != "png" {
		t.Errorf("shared %+v", g)
	}
	messages, _, _, err := api.GetConversationRepliesContext(t.Context(), &slack.GetConversationRepliesParameters{ChannelID: secops, Timestamp: root})
	if err != nil || len(messages) != 2 || len(messages[1].Files) != 1 || messages[1].Files[0].Mimetype != "image/png" || messages[1].Files[0].Title != "Egress" {
		t.Errorf("the thread shows %+v, %v", messages, err)
	}
}

func TestUploadOfBytes(t *testing.T) {
	s, api := start(t, nil)
	u, err := api.GetUploadURLExternalContext(t.Context(), slack.GetUploadURLExternalParameters{FileName: "a.bin", FileSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	send := func(body string) error {
		return api.UploadToURL(t.Context(), slack.UploadToURLParameters{UploadURL: u.UploadURL, Content: body, Filename: "a.bin"})
	}
	complete := func() error {
		_, err := api.CompleteUploadExternalContext(t.Context(), slack.CompleteUploadExternalParameters{Files: []slack.FileSummary{{ID: u.FileID}}, Channel: secops})
		return err
	}
	wantCode(t, complete(), "file_not_found")
	if err := send("too long"); err == nil {
		t.Error("another length than announced")
	}
	if err := send("four"); err != nil {
		t.Errorf("the bytes: %v", err)
	}
	if err := complete(); err != nil {
		t.Fatal(err)
	}
	if f := s.Files(secops); len(f) != 1 || f[0].Title != "a.bin" || string(f[0].Data) != "four" {
		t.Errorf("shared %+v", f)
	}
	wantCode(t, complete(), "file_not_found")
	if err := send("four"); err == nil {
		t.Error("after the end")
	}
	if len(s.Calls("upload")) != 3 {
		t.Errorf("%d uploads on record", len(s.Calls("upload")))
	}
}

func TestUploadRefuses(t *testing.T) {
	s, api := start(t, nil)
	for code, change := range map[string]func(*slack.UploadFileParameters){
		"alt_txt_too_large": func(p *slack.UploadFileParameters) { p.AltTxt = x(1001) },
		"channel_not_found": func(p *slack.UploadFileParameters) { p.Channel = "C0NOWHERE" },
		"not_in_channel":    func(p *slack.UploadFileParameters) { p.Channel = quiet },
		"is_archived":       func(p *slack.UploadFileParameters) { p.Channel = closed },
	} {
		_, err := api.UploadFileContext(t.Context(), picture(change))
		wantCode(t, err, code)
	}
	_, err := api.CompleteUploadExternalContext(t.Context(), slack.CompleteUploadExternalParameters{})
	wantCode(t, err, "invalid_arguments")
	if got := s.Files(secops); len(got) != 0 {
		t.Errorf("shared %+v", got)
	}
	if _, err := api.UploadFileContext(t.Context(), picture(func(p *slack.UploadFileParameters) { p.Channel = "" })); err != nil || len(s.Messages(secops)) != 0 {
		t.Errorf("without a channel: %v", err)
	}
	s.Fail("upload", 1, slackfake.Status(http.StatusInternalServerError))
	if _, err := api.UploadFileContext(t.Context(), picture(nil)); err == nil {
		t.Error("an upload went well that could not")
	}
	s.Fail("upload", 1, slackfake.Drop())
	if _, err := api.UploadFileContext(t.Context(), picture(nil)); err == nil {
		t.Error("an upload was answered whose answer was dropped")
	}
}

package slack

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/chart"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	maxTitle = 200
	// maxAlt is what Slack takes as the words for a picture.
	maxAlt = 1000
)

// Illustrate implements [integrations.Illustrator]. The picture is a file in
// the thread of the message. Its name holds the digest of the chart's key: the
// thread is searched for it first, as far as the app may read it. Slack shows a
// file a moment after it has taken it; who repeats a lost answer within that
// moment gets two.
func (a *App) Illustrate(ctx context.Context, at incident.Receipt, c integrations.Chart) (incident.Receipt, error) {
	r := writing("put a chart under %s", at.Ref)
	if c.Key == "" || len(c.Series) == 0 {
		return incident.Receipt{}, r.invalid("the chart needs a key and points")
	}
	channel, ts, err := splitRef(r, at.Ref)
	if err != nil {
		return incident.Receipt{}, err
	}
	d := a.drawn.of(c.Key, newDelivery)
	if err := d.take(ctx); err != nil {
		return incident.Receipt{}, r.failed(err)
	}
	defer d.give()
	if d.receipt.Ref != "" {
		again := d.receipt
		again.Rest = 0
		return again, nil
	}
	name := "egress-" + digest(c.Key) + ".png"
	thread := cmp.Or(a.thread(ctx, channel, ts), ts)
	file, err := a.hung(ctx, channel, thread, name)
	if err != nil {
		return incident.Receipt{}, err
	}
	if file.ID != "" {
		d.receipt = incident.Receipt{Ref: file.ID, At: file.Created.Time().UTC(), Detail: file.Permalink}
		return d.receipt, nil
	}
	picture, err := chart.Draw(c)
	if err != nil {
		return incident.Receipt{}, r.failed(err)
	}
	id, err := a.upload(ctx, r, picture, slack.UploadFileParameters{
		Filename: name, Title: safe(c.Title, maxTitle), AltTxt: safe(c.Alt, maxAlt), Channel: channel, ThreadTimestamp: thread,
	})
	if err != nil {
		return incident.Receipt{}, err
	}
	d.receipt = incident.Receipt{Ref: id, At: a.now().UTC(), Rest: restAfterPost}
	return d.receipt, nil
}

// digest replaces a key where everybody can read it.
func digest(key string) string {
	_, sum, _ := strings.Cut(incident.DigestOf([]byte(key)), ":")
	return sum
}

// hung returns the file of that name in the thread, or none. That there is no
// such message is an error; that the app may not look is no error.
func (a *App) hung(ctx context.Context, channel, ts, name string) (slack.File, error) {
	var file slack.File
	// All of the thread counts: a message is as old as it is.
	s := search{channel: channel, thread: ts, since: moment(ts).Add(-skew), pages: maxSearch}
	_, err := a.find(ctx, s, func(m slack.Message) bool {
		i := slices.IndexFunc(m.Files, func(f slack.File) bool { return f.Name == name })
		if i >= 0 {
			file = m.Files[i]
		}
		return i >= 0
	})
	if is(err, integrations.Denied) {
		return slack.File{}, nil
	}
	return file, err
}

// upload sends a picture in the three steps that Slack has for it. Only the
// last one shows it to people.
func (a *App) upload(ctx context.Context, r request, picture []byte, p slack.UploadFileParameters) (string, error) {
	unseen := reading("%s", r.op)
	to, err := a.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{
		FileName: p.Filename, FileSize: len(picture), AltTxt: p.AltTxt,
	})
	if err != nil {
		return "", unseen.failed(err)
	}
	if to.UploadURL == "" || to.FileID == "" {
		return "", integrations.Errorf(integrations.Unavailable, r.op, "the answer names no address to upload to")
	}
	err = a.api.UploadToURL(ctx, slack.UploadToURLParameters{
		UploadURL: to.UploadURL, Reader: bytes.NewReader(picture), Filename: p.Filename,
	})
	if err != nil {
		return "", unseen.failed(err)
	}
	done, err := a.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
		Files: []slack.FileSummary{{ID: to.FileID, Title: p.Title}}, Channel: p.Channel, ThreadTimestamp: p.ThreadTimestamp,
	})
	if err == nil && len(done.Files) != 1 {
		err = integrations.Errorf(integrations.Ambiguous, r.op, "the answer names %d files instead of one", len(done.Files))
	}
	if err != nil {
		return "", r.failed(err)
	}
	return to.FileID, nil
}

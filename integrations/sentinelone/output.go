package sentinelone

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// maxOutput bounds each of a script's outputs, and maxUnpacked what is unpacked of one
	// file, in bytes.
	maxOutput   = 256 << 10
	maxUnpacked = 16 << 20
)

// output adds to a script's state what it left.
func (c *Client) output(ctx context.Context, op string, p progress) (integrations.ScriptResult, error) {
	r := p.ScriptResult
	files, err := c.files(ctx, op, p.id)
	if err != nil {
		if r.State == integrations.ScriptFailed {
			// It may have failed before it left anything.
			r.Detail += ": " + err.Error()
			return r, nil
		}
		return integrations.ScriptResult{}, err
	}
	var out, errs strings.Builder
	for _, f := range files {
		if strings.Contains(strings.ToLower(f.name), "stderr") {
			errs.Write(f.content)
			continue
		}
		out.Write(f.content)
	}
	var cut [2]bool
	r.Stdout, cut[0] = tail(out.String())
	r.Stderr, cut[1] = tail(errs.String())
	if cut[0] || cut[1] {
		r.Detail += "; the output is longer than 256 KiB and was cut"
	}
	return r, nil
}

// tail is a text, its end where it is too long: there is what a script says last.
func tail(text string) (string, bool) {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) <= maxOutput {
		return text, false
	}
	return strings.ToValidUTF8(text[len(text)-maxOutput:], ""), true
}

// file is one that a script left.
type file struct {
	name    string
	content []byte
}

// files fetches what a script left. The links are to storage of another origin, and are
// secrets themselves: they are in no error, and no token goes along.
func (c *Client) files(ctx context.Context, op, id string) ([]file, error) {
	if !isID(id) {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the task has the id %q", httpx.Line(id))
	}
	type link struct {
		URL  string `json:"downloadUrl"`
		Name string `json:"fileName"`
		Task string `json:"taskId"`
	}
	type links struct {
		Links []link `json:"downloadLinks"`
		Older []link `json:"download_links"` // as others read it from answers
		// Errors are the tasks without a link.
		Errors []struct {
			Text string `json:"errorString"`
		} `json:"errors"`
	}
	body := map[string]any{"data": map[string][]string{"taskIds": {id}}}
	out, err := ask[links](ctx, c, call{op: op, method: http.MethodPost, path: scriptsPath + "/fetch-files", body: body})
	switch {
	case err != nil:
		return nil, err
	case len(out.Data.Errors) > 0:
		return nil, integrations.Errorf(integrations.Unavailable, op, "SentinelOne has no output: %q", httpx.Line(out.Data.Errors[0].Text))
	}
	var found []file
	for _, l := range append(out.Data.Links, out.Data.Older...) {
		if l.Task != "" && l.Task != id {
			continue
		}
		content, err := c.fetch(ctx, op, l.URL, l.Name)
		if err != nil {
			return nil, err
		}
		files, err := unpacked(file{l.Name, content})
		if err != nil {
			return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		found = append(found, files...)
	}
	if len(found) == 0 {
		return nil, integrations.Errorf(integrations.Unavailable, op, "SentinelOne links to no output")
	}
	return found, nil
}

func (c *Client) fetch(ctx context.Context, op, link, name string) ([]byte, error) {
	if !c.mayFetch(link) {
		return nil, integrations.Errorf(integrations.Denied, op, "the output is on %q: name the host in downloads if it may be fetched there", httpx.Line(hostOf(link)))
	}
	a, err := c.downloads.Do(ctx, httpx.Request{Op: op, Method: http.MethodGet, URL: link})
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusNotFound {
		// Not our credentials: the link has ended, and there is another for the asking.
		return nil, integrations.Errorf(integrations.Unavailable, op, "the storage refused the link to the output")
	}
	if err != nil {
		return nil, err
	}
	if archived := strings.HasSuffix(strings.ToLower(name), ".zip"); archived && !isArchive(a.Body) || strings.Contains(a.Header.Get("Content-Type"), "html") {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the storage answers with something else than the output %q", httpx.Line(name))
	}
	return a.Body, nil
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Host
}

// mayFetch reports whether a link leads to where output may be fetched from. In which storage
// a console keeps it is not documented; its clouds are Amazon's and Google's.
func (c *Client) mayFetch(link string) bool {
	u, err := url.Parse(link)
	if err != nil || u.User != nil {
		return false
	}
	if slices.Contains(c.config.Downloads, u.Host) || slices.Contains(c.config.Downloads, u.Hostname()) {
		return u.Scheme == "https" || u.Scheme == "http" && httpx.Loopback(u.Hostname())
	}
	host := strings.ToLower(u.Hostname())
	return u.Scheme == "https" && u.Port() == "" && (strings.HasSuffix(host, ".amazonaws.com") || host == "storage.googleapis.com" || strings.HasSuffix(host, ".storage.googleapis.com"))
}

func isArchive(content []byte) bool { return bytes.HasPrefix(content, []byte("PK\x03\x04")) }

// unpacked are the files of an archive, or the file itself where it is none. Which of both
// an output is, is not documented.
func unpacked(f file) ([]file, error) {
	if !isArchive(f.content) {
		return []file{f}, nil
	}
	archive, err := zip.NewReader(bytes.NewReader(f.content), int64(len(f.content)))
	if err != nil {
		return nil, fmt.Errorf("read the archive of the output: %w", err)
	}
	var found []file
	for _, in := range archive.File {
		if in.FileInfo().IsDir() {
			continue
		}
		reader, err := in.Open()
		if err != nil {
			return nil, fmt.Errorf("read the archive of the output: %w", err)
		}
		content, err := io.ReadAll(io.LimitReader(reader, maxUnpacked))
		_ = reader.Close()
		if err != nil {
			return nil, fmt.Errorf("read the archive of the output: %w", err)
		}
		found = append(found, file{in.Name, content})
	}
	return found, nil
}

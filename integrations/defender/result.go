package defender

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/entra"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// maxOutput bounds each of a script's outputs, in bytes.
const maxOutput = 256 << 10

// transcript is what a script left, as the file of a live response has it.
type transcript struct {
	Script string `json:"script_name"`
	Exit   *int   `json:"exit_code"`
	Output string `json:"script_output"`
	Errors string `json:"script_errors"`
}

// result is how far a script is, with its output where it has ended.
func (c *Client) result(ctx context.Context, op string, a action) (integrations.ScriptResult, error) {
	r := integrations.ScriptResult{Detail: a.String()}
	switch strings.ToLower(a.Status) {
	case "pending":
		r.State = integrations.ScriptQueued
		r.Detail += "; where the device is offline, Defender keeps it for 3 days"
		return r, nil
	case "timeout", "cancelled":
		r.State = integrations.ScriptFailed
		return r, nil
	case "succeeded":
		r.State = integrations.ScriptDone
	case "failed":
		r.State = integrations.ScriptFailed
	default:
		r.State = integrations.ScriptRunning
		return r, nil
	}
	t, err := c.transcript(ctx, op, a)
	if err != nil {
		if r.State == integrations.ScriptFailed {
			// It may have failed before it left anything.
			r.Detail += ": " + err.Error()
			return r, nil
		}
		return integrations.ScriptResult{}, err
	}
	r.Exit = t.Exit
	var cut [2]bool
	r.Stdout, cut[0] = bounded(t.Output)
	r.Stderr, cut[1] = bounded(t.Errors)
	if cut[0] || cut[1] {
		r.Detail += "; the output is longer than 256 KiB and was cut"
	}
	return r, nil
}

// transcribed begins the line that live response puts before a script's output.
const transcribed = "Transcript started, output file is "

// bounded is a script's own output, its end where it is too long: there is what it says
// last.
func bounded(text string) (string, bool) {
	// It ends with a line end and zeros that the script did not write.
	if trimmed := strings.TrimRight(text, "\x00"); trimmed != text {
		text = strings.TrimSuffix(trimmed, "\n")
	}
	text = strings.ReplaceAll(text, "\x00", "")
	if strings.HasPrefix(text, transcribed) {
		_, text, _ = strings.Cut(text, "\n")
	}
	if len(text) <= maxOutput {
		return text, false
	}
	return strings.ToValidUTF8(text[len(text)-maxOutput:], ""), true
}

// transcript fetches what a script left. The link is to storage of another origin, is good
// for half an hour, and is a secret itself: it is in no error, and no token goes along.
func (c *Client) transcript(ctx context.Context, op string, a action) (transcript, error) {
	if !entra.IsID(a.ID) {
		return transcript{}, integrations.Errorf(integrations.Unavailable, op, "the action has the id %s, which is not one of Defender's", httpx.Quote(a.ID))
	}
	var link struct {
		Value string `json:"value"`
	}
	path := "/api/machineactions/" + a.ID + "/GetLiveResponseResultDownloadLink(index=0)"
	if err := c.api.get(ctx, op, path, &link, "value"); err != nil {
		return transcript{}, err
	}
	if !c.mayFetch(link.Value) {
		return transcript{}, integrations.Errorf(integrations.Denied, op, "the output is on %s, which is not Azure's blob storage: name the host in downloads if it may be fetched there", httpx.Quote(hostOf(link.Value)))
	}
	var t transcript
	answer, err := c.downloads.JSON(ctx, httpx.Request{Op: op, Method: http.MethodGet, URL: link.Value, Members: []string{"script_name", "exit_code", "script_output", "script_errors"}}, nil, &t)
	if answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden || answer.Status == http.StatusNotFound {
		// Not our credentials: the link has ended, and there is another for the asking.
		return transcript{}, integrations.Errorf(integrations.Unavailable, op, "the storage refused the link to the output")
	}
	return t, err
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Host
}

// storage are the ends of the names of Azure's blob storage, and of its clouds.
func storage() []string {
	return []string{".blob.core.windows.net", ".blob.storage.azure.net", ".blob.core.usgovcloudapi.net"}
}

// mayFetch reports whether a link leads to where output may be fetched from. Of the host
// core.windows.net the documents have a sample, which is no name of a storage.
func (c *Client) mayFetch(link string) bool {
	u, err := url.Parse(link)
	if err != nil || u.User != nil {
		return false
	}
	if slices.Contains(c.config.Downloads, u.Host) || slices.Contains(c.config.Downloads, u.Hostname()) {
		return u.Scheme == "https" || u.Scheme == "http" && httpx.Loopback(u.Hostname())
	}
	return u.Scheme == "https" && u.Port() == "" && slices.ContainsFunc(storage(), func(end string) bool {
		return strings.HasSuffix(strings.ToLower(u.Hostname()), end)
	})
}

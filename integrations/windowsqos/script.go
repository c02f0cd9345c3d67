package windowsqos

import (
	"bytes"
	_ "embed" // the script
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations/httpx"
)

//go:embed stanch-netqos.ps1
var script string

// Script is the script that is to be put into the EDR's library.
func Script() string { return script }

// The script's actions.
const (
	doApply  = "apply"
	doVerify = "verify"
	doRemove = "remove"
)

const (
	// step is in what steps Windows may keep a rate, in bits per second; it rounds up.
	step    = 8192
	maxRate = 1_000_000_000_000
	// maxLine bounds the line that the script prints, in bytes.
	maxLine = 4096
)

// args are the script's arguments. None holds what an EDR, a shell or PowerShell gives a
// meaning to: the path, which may, goes as base64url.
func (l limit) args(action string) []string {
	args := []string{"-Action", action, "-Name", l.name}
	if action == doRemove {
		return args
	}
	args = append(args, "-AppPath", base64.RawURLEncoding.EncodeToString([]byte(l.program)), "-Bps", strconv.FormatInt(l.rate, 10))
	if l.remote.IsValid() {
		args = append(args, "-DstPrefix", fmt.Sprintf("%s/%d", l.remote, l.remote.BitLen()))
	}
	if l.port != 0 {
		args = append(args, "-DstPort", strconv.Itoa(l.port))
	}
	if l.protocol != "" {
		args = append(args, "-Protocol", l.protocol)
	}
	if action == doApply && l.until != 0 {
		args = append(args, "-Until", strconv.FormatInt(l.until, 10))
	}
	return args
}

// answer is the line that the script prints.
type answer struct {
	Stanch    int    `json:"stanch"`
	Action    string `json:"action"`
	Name      string `json:"name"`
	Result    result `json:"result"`
	Reason    string `json:"reason"`
	Changed   bool   `json:"changed"`
	Stands    bool   `json:"stands"`
	Differs   bool   `json:"differs"`
	Bps       int64  `json:"bps"`
	Other     bool   `json:"other"`
	OtherBps  int64  `json:"otherBps"`
	Competing int    `json:"competing"`
	Detail    string `json:"detail"`
}

// result is how the script ended.
type result string

const (
	done    result = "done"
	refused result = "refused"
	failed  result = "failed"
)

func (r result) exit() int {
	switch r {
	case done:
		return 0
	case refused:
		return 1
	case failed:
		return 2
	}
	return -1
}

// parse reads what the script printed: one line, the answer to what was asked of it. exit is
// nil where the EDR does not tell it.
func parse(stdout, action, name string, exit *int) (answer, error) {
	text := strings.TrimSpace(strings.TrimPrefix(stdout, "\ufeff"))
	switch {
	case text == "":
		return answer{}, errors.New("it printed nothing")
	case len(text) > maxLine || strings.ContainsAny(text, "\r\n") || !utf8.ValidString(text):
		return answer{}, errors.New("it printed something else than one line of JSON")
	}
	var a answer
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("it printed no JSON that is an answer: %s", httpx.Line(err.Error()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("it printed more than one answer")
	}
	switch {
	case a.Stanch != 1 || a.Result.exit() < 0 || a.Bps < 0 || a.OtherBps < 0 || a.Competing < 0 || a.Stands && a.Differs:
		return answer{}, errors.New("its answer makes no sense")
	case a.Result != refused && (a.Action != action || a.Name != name):
		return answer{}, errors.New("it answered to another order")
	case exit != nil && *exit != a.Result.exit():
		return answer{}, fmt.Errorf("it exited with %d and says %q", *exit, a.Result)
	}
	return a, nil
}

// words say why the script refused.
func (a answer) words() string {
	switch a.Reason {
	case "action", "arguments", "name", "rate", "port", "prefix", "protocol", "until", "path":
		return "the script on the device does not take the order (" + a.Reason + "): is it the one of this version?"
	case "forbidden":
		return "the program acts for many services of the device, or watches it, and is never limited"
	case "destination":
		return "the program runs scripts of all kinds: a limit without a destination would be on all of them"
	case "absent":
		return "the device has no such program any more"
	case "link":
		return "the program's path leads over a link, which a policy does not follow"
	case "late":
		return "by the device's clock the limit's time is over"
	case "outranked":
		return "a looser policy on the same traffic may go before ours, and is not ours to remove"
	case "unsupported":
		return "the device knows no QoS policies"
	case "readback":
		return "Windows did not keep the policy as it was asked for"
	}
	return "the script on the device could not do it"
}

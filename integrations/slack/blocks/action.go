package blocks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The action ids of a card's buttons. A click on Open needs no answer: Slack
// opens the page by itself and reports the click all the same.
const (
	ActionApprove  = "stanch.approve"
	ActionDeny     = "stanch.deny"
	ActionEvidence = "stanch.evidence"
	ActionOpen     = "stanch.open"
)

// The callback ids of the views. Only the reason's view is submitted.
const (
	CallbackReason   = "stanch.reason"
	CallbackEvidence = "stanch.evidence"
)

// Where the reason is in a submitted view's state: values[ReasonBlock][ReasonInput].
const (
	ReasonBlock = "reason"
	ReasonInput = "text"
)

// AnswerBlock is the id of the block that holds a card's buttons.
const AnswerBlock = "answer"

// MaxReason is how long a reason may be, in characters.
const MaxReason = 1000

// Slack's limits on what a button and a view carry, and ours on its parts, in
// characters. A case's id is an id of the engine, which takes 1000 bytes.
const (
	maxButtonValue = 2000
	maxMetadata    = 3000
	maxCaseID      = 1000
	maxApprovalID  = 255
	maxDigest      = 128
	maxGroup       = 100
	maxGroups      = 50
	maxMessageID   = 64
)

// Answer is what a button carries: which question of which case it answers, as
// the person saw it. It comes back from outside, so it says only what was shown
// and never who may answer.
type Answer struct {
	Case       string `json:"c"`
	Approval   string `json:"a,omitempty"`
	PlanDigest string `json:"d,omitempty"`
	Approve    bool   `json:"y,omitempty"`
	// Reason reports whether this answer needs a reason in words.
	Reason bool `json:"r,omitempty"`
	// Groups are the product's groups that membership is asked of. They only
	// say where to look: who may answer is decided by the engine.
	Groups []string `json:"g,omitempty"`
	// Label is what approving does, to show it again where a reason is asked.
	Label string `json:"l,omitempty"`
}

// Encode returns the answer as a button carries it. It leaves out what does not
// fit, first the label and then groups: a vote that is not looked up counts for
// nobody. It is empty when not even the question fits, and such an answer
// cannot be given by a button.
func (a Answer) Encode() string { return a.encode(maxButtonValue) }

func (a Answer) encode(limit int) string {
	if a.check() != nil {
		return ""
	}
	a.Label = cut(a.Label, maxButtonText)
	for {
		data, err := compact(a)
		if err != nil {
			return ""
		}
		switch {
		case width(data) <= limit:
			return data
		case a.Label != "":
			a.Label = ""
		case len(a.Groups) > 0:
			a.Groups = a.Groups[:len(a.Groups)-1]
		default:
			return ""
		}
	}
}

// ParseAnswer reads what a button carried. It comes from outside: everything
// that [Answer.Encode] would not write is refused.
func ParseAnswer(value string) (Answer, error) {
	var a Answer
	if err := parseStrict(value, maxButtonValue, &a); err != nil {
		return Answer{}, fmt.Errorf("read an answer: %w", err)
	}
	if err := a.check(); err != nil {
		return Answer{}, fmt.Errorf("read an answer: %w", err)
	}
	return a, nil
}

func (a Answer) check() error {
	if a.Case == "" {
		return errors.New("it names no case")
	}
	if len(a.Groups) > maxGroups {
		return fmt.Errorf("it names %d groups, more than %d", len(a.Groups), maxGroups)
	}
	bounds := []struct {
		what, value string
		limit       int
	}{
		{"case", a.Case, maxCaseID},
		{"approval", a.Approval, maxApprovalID},
		{"plan digest", a.PlanDigest, maxDigest},
	}
	for _, b := range bounds {
		if err := checkText(b.what, b.value, b.limit); err != nil {
			return err
		}
	}
	for _, g := range a.Groups {
		if g == "" {
			return errors.New("a group has no name")
		}
		if err := checkText("group", g, maxGroup); err != nil {
			return err
		}
	}
	return nil
}

func checkText(what, value string, limit int) error {
	if len(value) > limit {
		return fmt.Errorf("the %s is %d bytes long, more than %d", what, len(value), limit)
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("the %s is not UTF-8", what)
	}
	return nil
}

// Origin is what a view carries: the answer that it asks a reason for, and the
// message whose button opened it.
type Origin struct {
	Answer  Answer `json:"answer"`
	Channel string `json:"channel"`
	Message string `json:"message"`
}

// Encode returns the origin as a view's private metadata, or nothing when it
// does not fit.
func (o Origin) Encode() string {
	if o.check() != nil {
		return ""
	}
	o.Answer.Label = ""
	data, err := compact(o)
	if err != nil || width(data) > maxMetadata {
		return ""
	}
	return data
}

// ParseOrigin reads a view's private metadata, as strictly as [ParseAnswer].
func ParseOrigin(metadata string) (Origin, error) {
	var o Origin
	if err := parseStrict(metadata, maxMetadata, &o); err != nil {
		return Origin{}, fmt.Errorf("read a view's metadata: %w", err)
	}
	if err := o.check(); err != nil {
		return Origin{}, fmt.Errorf("read a view's metadata: %w", err)
	}
	return o, nil
}

func (o Origin) check() error {
	if err := checkText("channel", o.Channel, maxMessageID); err != nil {
		return err
	}
	if err := checkText("message", o.Message, maxMessageID); err != nil {
		return err
	}
	return o.Answer.check()
}

// compact encodes without HTML escapes, which only cost room.
func compact(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func parseStrict(text string, limit int, v any) error {
	if n := width(text); n > limit {
		return fmt.Errorf("it is %d characters long, more than %d", n, limit)
	}
	if !utf8.ValidString(text) {
		return errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("unexpected data after the value")
	}
	return nil
}

package interact

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
)

// The replies to clicks. Names of cases are quoted: their subjects come from
// alerts.
const (
	notUnderstood = "This button cannot be read, so nothing was recorded. It may be of another version of Stanch: " +
		"look for a newer card of the case, or use the terminal: stanch case list"
	formNotUnderstood = "This form cannot be read, so nothing was recorded. Close it and press the card's button again."
	formNotOpened     = "Slack did not open the form, so nothing was recorded. Click again."
)

// notAdmitted says why somebody is shown nothing.
func notAdmitted(err error) string {
	e, ok := errors.AsType[*integrations.Error](err)
	if ok && e.Kind == integrations.Denied && e.Err != nil {
		return "The evidence is not shown to you: " + e.Err.Error()
	}
	return "The evidence is not shown: Slack could not be asked in time who you are. Click again."
}

// noEvidence says why a case cannot be shown, without the desk's own words.
func noEvidence(err error) string {
	if integrations.KindOf(err) == integrations.NotFound {
		return "There is no such case any more."
	}
	return "The case could not be read in time. Close this and press the button again."
}

func recorded(c integrations.Click, label string) string {
	did := "denied"
	if c.Approve {
		did = "approved"
	}
	what := fmt.Sprintf("case %q", c.Case)
	if label != "" {
		what = fmt.Sprintf("%q for %s", label, what)
	}
	return fmt.Sprintf("Recorded: you %s %s. The card shows it as soon as the engine has accepted it.", did, what)
}

// notRecorded must not say that it surely was not: the desk may have kept a
// click whose answer was lost.
func notRecorded(c integrations.Click) string {
	return "Your answer could not be recorded in time. Click again, which counts once, or use the terminal: " + command(c)
}

// command is the line that gives the same answer in a terminal.
func command(c integrations.Click) string {
	verb := "deny"
	if c.Approve {
		verb = "approve"
	}
	if !plain(c.Case) {
		return "stanch case list"
	}
	return "stanch case " + verb + " " + c.Case
}

// plain reports whether a shell takes a word without quotes.
func plain(word string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return word != "" && word[0] != '-' && strings.Trim(word, letters+"._/-") == ""
}

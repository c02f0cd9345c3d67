package ocsf

import (
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// updates is the activity that updates a finding, and closes the one that closes it.
const updates, closes = 2, 3

// The words of the schema that are read, each in the place of its number.
//
// https://schema.ocsf.io/classes/detection_finding
func statuses() []string {
	return []string{"unknown", "new", "in progress", "suppressed", "resolved", "archived", "deleted"}
}

func verdicts() []string {
	return []string{"unknown", "false positive", "true positive", "disregard", "suspicious", "benign", "test"}
}

// numbered reads a value that the schema gives as a number, with a word beside it. The word
// counts where there is no number, and where that says nothing: 0 is unknown, and 99 another.
func numbered(r *alerts.Reader, number, word string, words []string) (n int64, text string) {
	f := fields()
	n, _ = r.Integer(f.Of(number)...).Get()
	if n != 0 && n != 99 {
		return n, ""
	}
	text, _ = r.Text(f.Of(word)...).Get()
	plain := strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(text), "_", " "), "-", " ")
	if at := slices.Index(words, plain); at > 0 {
		return int64(at), ""
	}
	return n, text
}

// readState reads the state of the finding, and what people made of it.
func readState(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	status, word := numbered(r, "status", "status word", statuses())
	switch status {
	case 3:
		r.Silence(incident.NotAlerting, "the finding is suppressed")
	case 4:
		a.Status = incident.Resolved
	case 5:
		r.Silence(incident.NotAlerting, "the finding is archived")
	case 6:
		r.Silence(incident.NotAlerting, "the finding is deleted")
	}
	if s, known := alerts.StatusOf(word); known {
		a.Status = s
	}
	if activity(r) == closes {
		a.Status = incident.Resolved
	}
	switch verdict, _ := numbered(r, "verdict", "verdict word", verdicts()); verdict {
	case 1:
		r.Silence(incident.NotAlerting, "the verdict is that it is a false positive")
	case 3, 5:
		r.Silence(incident.NotAlerting, "the verdict is that it is benign, or to be disregarded")
	case 6:
		r.Silence(incident.Sample, "the verdict is that it is a test")
	}
	if title, _ := r.Text(f.Of("title")...).Get(); strings.HasPrefix(title, "[SAMPLE]") {
		r.Silence(incident.Sample, "it is a sample finding, as its title says")
	}
	if is, known := r.Flag(f.Of("is alert")...).Get(); known && !is {
		r.Silence(incident.NotAlerting, "the finding says that it is no alert")
	}
}

// activity is what the event does with the finding, 0 where nothing says it. The type of an
// event is its class and its activity in one number.
func activity(r *alerts.Reader) int64 {
	f := fields()
	if n, known := r.Integer(f.Of("activity")...).Get(); known {
		return n
	}
	if kind, _ := r.Integer(f.Of("type")...).Get(); kind/100 == detectionFinding {
		return kind % 100
	}
	return 0
}

package api

import "github.com/stanch-soar/stanch/playbooks/incident"

// Preview is what a body of a source would become. Nothing of it was kept, and nothing was
// started.
type Preview struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
	// Wrong is why the body as a whole is not understood.
	Wrong *Wrong `json:"wrong,omitempty"`
	// Alerts are those of the body, in its order.
	Alerts []PreviewedAlert `json:"alerts"`
}

// Wrong is what is wrong with a body, or with one alert of it.
type Wrong struct {
	// Path is the field as messages name it; Pointer finds it in the body as RFC 6901 has
	// it, where the body is JSON and one field is to blame.
	Path    string `json:"path,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	Problem string `json:"problem"`
}

// PreviewedAlert is what one alert would become.
type PreviewedAlert struct {
	// Index is its place in the body, from 0.
	Index int `json:"index"`
	// Alert is what was read, each value with where it is from or why it is not known. The
	// document is left out.
	Alert incident.Alert `json:"alert"`
	// Wrong is why it would be rejected and kept.
	Wrong *Wrong `json:"wrong,omitempty"`
	// Case is the id of its case: a firing alert opens it or joins it, any other is only
	// told to one that is open. Playbook is the one that takes it; it is empty where none
	// does, and then the case tells people so.
	Case     string `json:"case,omitempty"`
	Playbook string `json:"playbook,omitempty"`
	// Triggers are the playbooks in force, each with what its trigger says of the alert.
	Triggers []TriggerVerdict `json:"triggers,omitempty"`
}

// TriggerVerdict is whether the trigger of a playbook holds for an alert.
type TriggerVerdict struct {
	Playbook string `json:"playbook"`
	// Holds is true, false or unknown.
	Holds string `json:"holds"`
	Match string `json:"match"`
	// Missing are the values that the answer needs and the alert does not have, each with
	// the reason.
	Missing []string `json:"missing,omitempty"`
	// Error is why the trigger could not be evaluated.
	Error string `json:"error,omitempty"`
}

package protocol

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// BudgetID is the id of the one budget workflow of an environment.
const BudgetID = "budget"

// Limit is a limit guardrail as the budget needs it.
type Limit struct {
	Guardrail string          `json:"guardrail"`
	Action    incident.Action `json:"action"`
	Per       string          `json:"per"`
	Max       int             `json:"max"`
	Window    time.Duration   `json:"window"`
	// Then is the approval that may exceed it; empty: none may.
	Then string `json:"then,omitempty"`
	// Key is the value that the limit counts by, such as the site's name.
	// KeyMissing says that it is unknown, which counts as reached.
	Key        string `json:"key"`
	KeyMissing string `json:"key_missing,omitempty"`
}

// ReserveRequest asks the budget for one action on one host.
type ReserveRequest struct {
	// ID identifies the reservation: asking again reserves nothing more.
	ID     string          `json:"id"`
	Action incident.Action `json:"action"`
	// Device is the id of the host that the action is on.
	Device string  `json:"device,omitempty"`
	Limits []Limit `json:"limits,omitempty"`
	// Keys are counted, by what they count per.
	Keys []BudgetKey `json:"keys,omitempty"`
	// Waived names the approvals that people have given for this action.
	Waived []string `json:"waived,omitempty"`
	// Keep is until when the reservation is remembered though no limit counts
	// it: for as long as an attempt may have to be told of an earlier one.
	Keep time.Time `json:"keep,omitzero"`
	// Use is the integration that is to isolate the device, unless people were told
	// that its agent was not heard the last time: then it is empty.
	Use string `json:"use,omitempty"`
}

// PerHost is the [BudgetKey] by which a limit counts for one host.
const PerHost = "host"

// BudgetKey is one key that limits count by.
type BudgetKey struct {
	Per string `json:"per"`
	Key string `json:"key"`
}

// ReserveAnswer is the budget's answer.
type ReserveAnswer struct {
	Granted bool `json:"granted"`
	// Paused is set when the kill switch holds everything back.
	Paused *incident.Pause `json:"paused,omitempty"`
	// Exceeded is the limit that was reached, with how many it counted.
	Exceeded *Limit `json:"exceeded,omitempty"`
	Counted  int    `json:"counted,omitempty"`
	// Unheard is set where the device's agent was not heard the last time that it was
	// isolated.
	Unheard *Unheard `json:"unheard,omitempty"`
}

// Unheard is a device whose isolation was undone because its agent was not heard.
type Unheard struct {
	// Use is the integration that had isolated it, Device its id there.
	Use    string `json:"use"`
	Device string `json:"device"`
	// Isolated is when the isolation was in place, Within how long the agent was waited
	// for.
	Isolated time.Time     `json:"isolated"`
	Within   time.Duration `json:"within"`
	// Until is when it is forgotten.
	Until time.Time `json:"until"`
}

// BudgetState is the budget's whole state; it crosses continue-as-new.
type BudgetState struct {
	Paused       *incident.Pause `json:"paused,omitempty"`
	Reservations []Reservation   `json:"reservations,omitempty"`
	// Windows say for how long which actions are counted by some limit.
	Windows []CountedWindow `json:"windows,omitempty"`
	// Changes counts the pauses and resumptions, Resumed is the last resumption.
	Changes int             `json:"changes,omitempty"`
	Resumed *incident.Pause `json:"resumed,omitempty"`
	// Watchers are the cases that are told of the next.
	Watchers []Watcher `json:"watchers,omitempty"`
	// GivenUp are requests that are refused, until they cannot come any more.
	GivenUp []GivenUpReservation `json:"given_up,omitempty"`
	// Unheard are devices that are not isolated again before people were asked.
	Unheard []Unheard `json:"unheard,omitempty"`
}

// GivenUpReservation is a request that its case has given up, and whether it had
// been reserved.
type GivenUpReservation struct {
	ID       string    `json:"id"`
	Reserved bool      `json:"reserved,omitempty"`
	Until    time.Time `json:"until"`
}

// CountedWindow is the longest window in which a limit counts an action.
type CountedWindow struct {
	Action incident.Action `json:"action"`
	Window time.Duration   `json:"window"`
}

// Reservation is one action that counts against limits.
type Reservation struct {
	ID     string          `json:"id"`
	Action incident.Action `json:"action"`
	// Device is the host that it is on. One that was kept before devices were
	// has none, and counts as a host of its own.
	Device string      `json:"device,omitempty"`
	Keys   []BudgetKey `json:"keys"`
	At     time.Time   `json:"at"`
	Keep   time.Time   `json:"keep,omitzero"`
}

// Watcher is a case that is told when containment is paused and resumed.
type Watcher struct {
	// Case is its workflow id, Run its run: another case of the same subject is
	// not told.
	Case string `json:"case"`
	Run  string `json:"run"`
	// Until is when it need not be told any more.
	Until time.Time `json:"until"`
}

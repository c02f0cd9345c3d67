package edrtest

import (
	"slices"
	"time"
)

// Kind is what an action does.
type Kind string

// The actions that the products know.
const (
	Isolate   Kind = "isolate"
	Release   Kind = "release"
	RunScript Kind = "run_script"
	Kill      Kind = "kill"
)

// State is how far an action is.
type State string

// The states. A product has its own words for them.
const (
	AwaitsApproval State = "awaits_approval" // somebody must approve it at the product
	Pending        State = "pending"
	Running        State = "running"
	Done           State = "done"
	Failed         State = "failed"
	Cancelled      State = "cancelled"
	Expired        State = "expired"
)

// Action is one that was ordered on a device.
type Action struct {
	ID      string
	Kind    Kind
	Host    string
	By      string
	Comment string
	// Script and Input are those of a RunScript, and of an isolation or release that
	// the product has a script of ours do; PID is that of a Kill.
	Script, Input    string
	PID              int64
	Created, Updated time.Time
	// Expires is when the product gives an action up that its device has not carried
	// out; zero is never.
	Expires time.Time
	State   State
	// Sticks keeps the action open in the product's eyes after it was carried out.
	Sticks bool
	// Result is a script's.
	Result Result
}

// Result is what a script left.
type Result struct {
	Exit           int
	Stdout, Stderr string
	// Ends are the processes that it ended, by their ids.
	Ends []int64
}

// Open reports whether it has not ended in the product's eyes.
func (a Action) Open() bool {
	return a.State == Pending || a.State == Running || a.State == AwaitsApproval
}

// OnScript sets what scripts do on a device.
func (w *World) OnScript(run func(h Host, name, input string) Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.script = run
}

// Order takes an action on: it is pending until it is carried out by
// [World.CarryOut] or [World.Settle]. An isolation or release counts as an effect.
func (w *World) Order(a Action) Action {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.ID, a.Created, a.Updated = w.nextID(), w.Now(), w.Now()
	if a.State == "" {
		a.State = Pending
	}
	if a.Kind == Isolate || a.Kind == Release {
		w.effects[a.Host]++
		for _, o := range w.actions {
			if w.oneAtATime && o.Host == a.Host && o.Open() && (o.Kind == Isolate || o.Kind == Release) {
				w.tb.Errorf("%s of %s was ordered while %s %s is %s", a.Kind, a.Host, o.Kind, o.ID, o.State)
			}
		}
	}
	w.actions = append(w.actions, &a)
	return a
}

// OneAtATime has the test fail when an isolation or release is ordered while
// another is open on the device: products carry them out in any order.
func (w *World) OneAtATime() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.oneAtATime = true
}

// Prompt has the devices carry out what is open whenever a product looks at it: at
// [World.Actions], [World.Open] and [World.Action].
func (w *World) Prompt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prompt = true
}

// look is what happens by itself before actions are looked at. The lock must be held.
func (w *World) look() {
	w.expire()
	if !w.prompt {
		return
	}
	for _, a := range w.actions {
		w.carryOut(a)
	}
}

// Actions are all actions of a device, or of all for an empty id, oldest first.
func (w *World) Actions(host string) []Action {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	var out []Action
	for _, a := range w.actions {
		if host == "" || a.Host == host {
			out = append(out, *a)
		}
	}
	return out
}

// Action returns the action with an id.
func (w *World) Action(id string) (Action, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	if a := w.action(id); a != nil {
		return *a, true
	}
	return Action{}, false
}

// expire ends the actions that are given up by now. The lock must be held.
func (w *World) expire() {
	for _, a := range w.actions {
		if a.Open() && !a.Expires.IsZero() && !w.Now().Before(a.Expires) {
			a.State, a.Updated = Expired, a.Expires
		}
	}
}

// Open are the actions of a device that have not ended, of these kinds, or of all
// for none, oldest first.
func (w *World) Open(host string, kinds ...Kind) []Action {
	return slices.DeleteFunc(w.Actions(host), func(a Action) bool {
		return !a.Open() || len(kinds) > 0 && !slices.Contains(kinds, a.Kind)
	})
}

// Count is how many actions of a kind were ordered, on all devices.
func (w *World) Count(k Kind) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, a := range w.actions {
		if a.Kind == k {
			n++
		}
	}
	return n
}

// Kills are how often devices carried out the end of a process.
func (w *World) Kills() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, a := range w.actions {
		if a.State == Done && (a.Kind == Kill && a.PID != 0 || len(a.Result.Ends) > 0) {
			n++
		}
	}
	return n
}

// Runs reports whether a process with an id runs on a device.
func (w *World) Runs(host string, pid int64) bool {
	h, _ := w.Host(host)
	return slices.ContainsFunc(h.Processes, func(p *Process) bool { return p.PID == pid && p.End.IsZero() })
}

func (w *World) action(id string) *Action {
	at := slices.IndexFunc(w.actions, func(a *Action) bool { return a.ID == id })
	if at < 0 {
		return nil
	}
	return w.actions[at]
}

// ChangeAction changes an action: it fails, expires, sticks, is approved.
func (w *World) ChangeAction(id string, change func(*Action)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire()
	a := w.action(id)
	if a == nil {
		w.tb.Errorf("change an action: there is no %s", id)
		return
	}
	change(a)
	a.Updated = w.Now()
}

// CarryOut has the device carry an action out now, whatever its place among the
// others, and reports whether it did: an offline device does nothing, and what has
// ended or awaits approval is not carried out.
func (w *World) CarryOut(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire()
	return w.carryOut(w.action(id))
}

func (w *World) carryOut(a *Action) bool {
	if a == nil || a.State != Pending && a.State != Running {
		return false
	}
	h := w.find(a.Host)
	if h == nil || h.Offline {
		return false
	}
	w.perform(h, a)
	a.Updated = w.Now()
	if !a.Sticks {
		if a.State != Failed {
			a.State = Done
		}
	}
	return true
}

func (w *World) perform(h *Host, a *Action) {
	switch a.Kind {
	case Isolate, Release:
		// A script that fails changes nothing.
		if a.Script != "" && w.script != nil {
			a.Result = w.script(*h, a.Script, a.Input)
		}
		if a.Result.Exit == 0 {
			w.isolated[h.ID] = a.Kind == Isolate
		}
	case RunScript:
		if w.script == nil {
			a.State = Failed
			return
		}
		a.Result = w.script(*h, a.Script, a.Input)
		for _, pid := range a.Result.Ends {
			h.end(pid, w.Now())
		}
	case Kill:
		h.end(a.PID, w.Now())
	}
}

// end ends the running process with an id. What readers hold of the device is left
// as it was: its processes are copied.
func (h *Host) end(pid int64, now time.Time) {
	copies := map[*Process]*Process{}
	var copied func(p *Process) *Process
	copied = func(p *Process) *Process {
		if p == nil || copies[p] != nil {
			return copies[p]
		}
		c := *p
		copies[p] = &c
		c.Parent = copied(p.Parent)
		return &c
	}
	h.Processes = slices.Clone(h.Processes)
	for i, p := range h.Processes {
		h.Processes[i] = copied(p)
		if p.PID == pid && p.End.IsZero() {
			h.Processes[i].End = now
		}
	}
	h.Connections = slices.Clone(h.Connections)
	for i := range h.Connections {
		h.Connections[i].Process = copied(h.Connections[i].Process)
	}
}

// Settle carries out all that is open, oldest first; what sticks stays open.
func (w *World) Settle() {
	for _, a := range w.Open("") {
		w.CarryOut(a.ID)
	}
}

// SettleSome carries out some of what is open, in any order: intn returns a number
// from 0 to below n.
func (w *World) SettleSome(intn func(n int) int) {
	for _, a := range w.Open("") {
		if intn(2) == 0 {
			w.CarryOut(a.ID)
		}
	}
}

// SettleBy carries out all that is open, in the order that choose gives: of n open
// actions it returns the index of the next.
func (w *World) SettleBy(choose func(n int) int) {
	open := w.Open("")
	for len(open) > 0 {
		i := choose(len(open))
		w.CarryOut(open[i].ID)
		open = slices.Delete(open, i, i+1)
	}
}

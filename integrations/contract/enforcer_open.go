package contract

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

// Products carry out what is open in any order: a second write could be overtaken
// by the first.
func checkOneAtATime(t testing.TB, w trial) {
	if !w.Unordered {
		return
	}
	o := w.order(w.action, "stanch-key-1")
	_, err := w.Apply(t.Context(), o)
	w.fine(t, "apply", err)
	if s, err := w.Read(t.Context(), o); err != nil || !s.Pending || s.Key != o.Key {
		t.Errorf("read %s while it is open: %+v, %v; want it pending, with our key", w.action, s, err)
	}
	_, err = w.Undo(t.Context(), o)
	w.want(t, "undo while the containment is open", err, integrations.Conflict)
	w.effects(t, "after an undo that had to wait", 1)
	w.settle()
	_, err = w.Undo(t.Context(), o)
	w.fine(t, "undo", err)
	if s, err := w.Read(t.Context(), o); err != nil || !s.Pending {
		t.Errorf("read %s while its end is open: %+v, %v; want it pending", w.action, s, err)
	}
	_, err = w.Apply(t.Context(), o)
	w.want(t, "apply while the end of the last one is open", err, integrations.Conflict)
	w.effects(t, "after an apply that had to wait", 2)
	w.settle()
	w.reads(t, o, false)
}

func checkLostAnswer(t testing.TB, w trial) {
	if w.Break == nil {
		w.unbreakable(t)
	}
	o := w.order(w.action, "stanch-key-1")
	w.Break(LoseAnswer)
	_, err := w.Apply(t.Context(), o)
	w.want(t, "apply "+string(w.action), err, integrations.Ambiguous)
	w.Break(Works)
	w.settle()
	w.reads(t, o, true)
	w.apply(t, o)
	w.effects(t, "after a lost answer and a second apply", 1)
	w.Break(LoseAnswer)
	_, err = w.Undo(t.Context(), o)
	w.want(t, "undo "+string(w.action), err, integrations.Ambiguous)
	w.Break(Works)
	w.settle()
	w.reads(t, o, false)
	w.undo(t, o)
	w.effects(t, "after a lost answer and a second undo", 2)
}

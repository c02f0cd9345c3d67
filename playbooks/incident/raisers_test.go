package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func raisedBy(id string) Alert { return Alert{RaisedBy: Known(id, FromAlert)} }

func TestRaisersForgetNobody(t *testing.T) {
	long := strings.Repeat("x", 5000)
	var r, other Raisers
	for _, id := range []string{"bob", "Alice", " alice ", long, ""} {
		r.Note(raisedBy(id))
	}
	r.Note(Alert{})
	other.Note(raisedBy("carol"))
	r.Join(other)
	for _, id := range []string{"alice", "ALICE", "bob", "carol", long} {
		if !r.Has(id) {
			t.Errorf("%.20q is forgotten", id)
		}
	}
	for _, id := range r.IDs {
		if len(id) > raiserLength {
			t.Errorf("a name of %d bytes is kept", len(id))
		}
	}
	if r.Has("dave") || r.Has("") || len(r.IDs) != 4 || !slices.IsSorted(r.IDs) {
		t.Errorf("the raisers are %q", r.IDs)
	}
}

// At the bound everybody may have raised an alert: nobody is let through
// because their name was not kept.
func TestTooManyRaisersAreEverybody(t *testing.T) {
	var r, merged Raisers
	for i := range raisersKept {
		r.Note(raisedBy(fmt.Sprintf("person-%d", i)))
	}
	if r.More || r.Has("alice") {
		t.Fatalf("%d raisers are more than are kept: %t", len(r.IDs), r.More)
	}
	r.Note(raisedBy("alice"))
	if !r.Has("alice") || !r.Has("bob") || len(r.IDs) != raisersKept {
		t.Errorf("of %d raisers alice is none", len(r.IDs)+1)
	}
	merged.Join(r)
	merged.Join(Raisers{IDs: []string{"carol"}})
	data, err := json.Marshal(merged)
	if err != nil {
		t.Fatal(err)
	}
	var read Raisers
	if err := json.Unmarshal(data, &read); err != nil || !read.Has("alice") {
		t.Errorf("handed over, alice is no raiser any more (%v)", err)
	}
	if len(data) > raisersKept*(raiserLength+3)+100 {
		t.Errorf("they take %d bytes", len(data))
	}
}

package incident

import "fmt"

// DriftKind says how a product differs from the leases that stand.
type DriftKind string

// The closed set of differences.
const (
	DriftGone   DriftKind = "gone"   // it is not in place, and should be
	DriftRate   DriftKind = "rate"   // it is in place with another rate
	DriftKey    DriftKind = "key"    // somebody else's is in place instead
	DriftCopies DriftKind = "copies" // it is in place more than once
	DriftUnread DriftKind = "unread" // the product could not be read
	DriftStray  DriftKind = "stray"  // it is in place with a key of ours, and no lease stands for it
)

// Drift is one difference between a product and the leases that stand.
type Drift struct {
	// Lease is the id of the lease, or the key of a stray.
	Lease string `json:"lease,omitempty"`
	Use   string `json:"use"`
	// Host is the device's name; empty where only the product knows of it.
	Host   string    `json:"host,omitempty"`
	Kind   DriftKind `json:"kind"`
	Detail string    `json:"detail"`
}

// Drift lists how what was read at the product differs from the lease, worst first. A
// lease that is being applied or undone differs in nothing: what is in place is about to
// change.
func (l Lease) Drift(r Reading) []Drift {
	if l.Phase != Holding && l.Phase != Confirmed {
		return nil
	}
	var found []Drift
	differs := func(kind DriftKind, format string, args ...any) {
		found = append(found, Drift{Lease: l.ID, Use: l.Use, Host: l.Order.Target.Name(), Kind: kind, Detail: fmt.Sprintf(format, args...)})
	}
	switch what := l.Order.Action.noun(); {
	case !r.Stands && r.Pending && l.Phase == Holding:
		return nil // It was accepted, and is not carried out yet.
	case !r.Stands && r.Pending && r.Key == l.Order.Key && !l.Adopted:
		differs(DriftGone, "the %s is not in force at %s, or not all of it", what, l.Use)
		return found
	case !r.Stands:
		differs(DriftGone, "the %s is gone from %s", what, l.Use)
		return found
	case l.Adopted:
		return nil // It never was ours: whoever made it may change it.
	case r.Key != l.Order.Key:
		differs(DriftKey, "the %s that is in place at %s is somebody else's", what, l.Use)
	}
	if l.Order.Rate > 0 && !sameRate(r.Rate, l.Order.Rate) {
		differs(DriftRate, "its rate is %s, not %s", FormatRate(r.Rate), FormatRate(l.Order.Rate))
	}
	if r.Copies > 1 {
		differs(DriftCopies, "it is in place %d times", r.Copies)
	}
	return found
}

// sameRate reports whether a product holds a rate as well as it can: some count in bytes
// or kilobits and round it.
func sameRate(got, want int64) bool { return (got-want)*100 <= want && (want-got)*100 <= want }

// noun is what stands after the action.
func (a Action) noun() string {
	switch a {
	case RateLimit:
		return "limit"
	case Block:
		return "block"
	case Isolate:
		return "isolation"
	case Notify, Collect, KillProcess:
	}
	return "containment"
}

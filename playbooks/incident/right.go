package incident

// Right is what a person of the configuration may do. Answering an approval
// needs none: only its approvers may.
type Right string

// The closed set of rights.
const (
	MayRead    Right = "read"
	MayRelease Right = "release"
	MayExtend  Right = "extend"
	MayPause   Right = "pause"
	MayRetry   Right = "retry"
)

// Allows says in words what a right lets a person do.
func (r Right) Allows() string {
	switch r {
	case MayRead:
		return "look at cases, evidence, leases, the budget and rejected alerts"
	case MayRelease:
		return "give a containment back or close a case"
	case MayExtend:
		return "ask that a lease stands longer"
	case MayPause:
		return "stop new containment or resume it"
	case MayRetry:
		return "have a rejected alert read again"
	}
	return ""
}

// Rights lists the rights, the least first.
func Rights() []Right { return []Right{MayRead, MayRetry, MayExtend, MayRelease, MayPause} }

package protocol

// Search attributes by which cases, leases and rejected alerts are listed.
const (
	AttrKind     = "StanchKind" // case, lease, budget, rejected, channel, click, claim, outbox
	AttrPlaybook = "StanchPlaybook"
	AttrSubject  = "StanchSubject"
	AttrStatus   = "StanchStatus"
	AttrOutcome  = "StanchOutcome"
	AttrSeverity = "StanchSeverity"
	AttrRule     = "StanchRule"
	AttrAction   = "StanchAction"
	AttrTarget   = "StanchTarget"
)

// Attributes lists all search attributes; each is a keyword.
func Attributes() []string {
	return []string{
		AttrKind, AttrPlaybook, AttrSubject, AttrStatus, AttrOutcome,
		AttrSeverity, AttrRule, AttrAction, AttrTarget,
	}
}

package flowmath

// Egress is the ending of the name of a sensor that sees what leaves a router. It
// is distinct from the one that sees what enters, so that a flow that both recorded
// counts once.
const Egress = " egress"

// EgressWords are the values of NetFlow, IPFIX and the collectors for outgoing
// traffic, in small letters.
func EgressWords() []string { return []string{"1", "egress", "out", "output", "outbound", "e", "true"} }

package flowmath

// Egress is the ending of the name of a sensor that looks at what leaves a router:
// it is one beside that which looks at what enters, so that a flow that both
// recorded counts once.
const Egress = " egress"

// EgressWords are what NetFlow, IPFIX and the collectors write for what leaves, in
// small letters.
func EgressWords() []string { return []string{"1", "egress", "out", "output", "outbound", "e", "true"} }

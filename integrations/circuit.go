package integrations

// Circuit says whether a product is asked, from a closed set.
type Circuit string

// The closed set of circuits.
const (
	CircuitClosed   Circuit = "closed"    // it is asked
	CircuitHalfOpen Circuit = "half_open" // one call tries whether it is back
	CircuitOpen     Circuit = "open"      // it failed several times in a row, and is not asked for a while
)

// Circuits lists all circuits.
func Circuits() []Circuit { return []Circuit{CircuitClosed, CircuitHalfOpen, CircuitOpen} }

// Breaker is an integration that does not ask its product for a while when it has failed
// several times in a row.
type Breaker interface {
	Circuit() Circuit
}

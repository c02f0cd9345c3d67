// Package traffic evaluates flows and connections: which process sent what (join),
// the role of a host's traffic (role), which ports amplify, and the limits of the
// roles. It is arithmetic on the types of incident: no I/O, and the same result for
// the same input in any order.
package traffic

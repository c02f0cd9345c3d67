// Package traffic computes what flows and connections say: which process sent
// what (join), what a host's traffic looks like (role), which ports amplify, and
// the limits by which the role is told. It is arithmetic on the nouns of incident:
// no I/O, and the same answer for the same input in any order.
package traffic

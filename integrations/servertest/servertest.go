// Package servertest is what tests of integrations with real servers share: a
// free port, a way to a server that can be cut, and a comparison of an adapter
// with the bare question.
package servertest

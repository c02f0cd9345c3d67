// Package servertest is what tests of integrations with real servers share: a
// free port, a proxy to a server that can be cut, an SSH server, routers, and a
// comparison of an adapter with the bare query.
package servertest

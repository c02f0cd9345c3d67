// Package estate invents a company's hosts, a month of their traffic as sensors at its
// exits record it, and the truth about both. Nothing in it is real. The same configuration
// makes the same estate, byte for byte; another seed makes another one.
//
// It is there to prove and to measure what looks for hosts that send too much, says whether
// an estate can answer for what leaves it, and reviews what may leave: those see the records,
// the inventory, the answers of an EDR and the firewall's rules, and are then compared with
// [Truth], which is summed up from the flows as they were made.
//
//	e, err := estate.New(estate.Config{Seed: 1})      // 2,000 hosts, 30 days, 10 million records
//	for r := range e.Records() { ... }                // in the order of their beginnings
//	inventory := e.InventoryYAML()                    // as the inventory of kind file reads it
//	connections, err := e.Connections(host, from, to) // as an EDR tells them
//	truth := e.Truth(e.Start(), e.End())
//
// Everything is made an hour at a time from numbers that depend on the seed, the host and
// the hour only: [Estate.Between] and the others make a window without what was before it,
// and nothing is held in memory but that hour. [Small] is a twentieth, for tests.
//
// # What is in it
//
// Hosts of eight roles at four places: zurich, boston and singapore, each in its own time
// zone, and the cloud. Some change their address during the month and get that of another
// host, some have IPv6 too, some share the address of a NAT. They leave directly, through a
// proxy, a VPN or the cloud's gateway, and some by a line that no sensor watches. Agents of
// the EDR answer, are silent since some day, or were never installed.
//
// Sensors: a firewall in zurich and, for part of its flows, a second sensor beside it; a
// proxy that logs client, device and user, and whose own connections the firewall sees
// again; a firewall in boston that restarts once and then counts the whole day again, in one
// minute and for all hosts; routers in singapore that sample one packet in 64 and one in
// 4,096; a gateway of the VPN whose clock is ahead; a cloud sensor that records each
// direction by itself.
//
// Traffic: heavy tails of bytes by role, hosts with habits of their own, working hours,
// weekends, nightly jobs and the second Tuesday's patches. The tails have bounds, so that
// what is far beyond them was planted. Planted are attacks of each kind, benign heavy senders
// with the reason why they are, and for some the [Allow] that says so or once did, and
// openings: what leaves on ports and ways that it should not. The seed moves them to other
// hosts and times. Attacks are in the last third, so that there are usual days before them,
// four of them in the last quarter of an hour.
//
// What a client sends through the proxy is explained where the connection to the proxy is,
// from the port that the proxy logs; what comes from the address of a NAT never is.
//
// Addresses of the outside are from the ranges for benchmarks and documentation,
// 198.18.0.0/15 and 2001:db8:f000::/36; [Estate.Networks] is what the company's own are.
package estate

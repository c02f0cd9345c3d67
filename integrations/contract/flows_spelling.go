package contract

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Spelled are collectors' spellings of one IPv4 and one IPv6 address, each with the
// most frequent one first.
func Spelled() (four, six []string) {
	four = []string{
		"10.20.4.43", "::ffff:10.20.4.43", "::FFFF:10.20.4.43", "::ffff:a14:42b", "::FFFF:A14:42B", "0:0:0:0:0:ffff:10.20.4.43",
		"0000:0000:0000:0000:0000:ffff:0a14:042b", "10.20.4.43/32", "10.20.4.43/24", "::ffff:10.20.4.43/128", " 10.20.4.43", "10.20.4.43 ",
	}
	six = []string{
		"2001:db8:20::42", "2001:DB8:20::42", "2001:db8:20:0:0:0:0:42", "2001:0db8:0020:0000:0000:0000:0000:0042", "2001:0DB8:0020:0000:0000:0000:0000:0042",
		"2001:db8:20::42/128", "2001:db8:20::42/64", " 2001:db8:20::42", "2001:db8:20::42 ",
	}
	return four, six
}

// Spellings checks that a store that keeps addresses as they are written finds a host
// by each of the spellings, which are some of [Spelled], and that invalid addresses
// do not affect other hosts' answers. Broken are the invalid values that its column
// can hold.
func Spellings(t *testing.T, open func(t testing.TB, records []Seen) integrations.Flows, four, six, broken []string) {
	t.Helper()
	records := []Seen{spelledFlow("192.0.2.99", "203.0.113.1", 0, 1)} // the store is up to date
	for _, host := range [][]string{four, six} {
		for i, address := range host {
			records = append(records, spelledFlow(address, "203.0.113.9", 1000+i, 1000))
		}
		// Two sensors write the address, and the peer's, differently.
		twice := spelledFlow(host[0], "203.0.113.9", 40_000, 1000)
		records = append(records, twice)
		twice.SrcIP, twice.Sensor = host[1], "south"
		if slices.Contains(four, "::ffff:10.20.4.43") {
			twice.DstIP = "::ffff:203.0.113.9"
		}
		records = append(records, twice)
	}
	for i, address := range broken {
		records = append(records, spelledFlow(address, "203.0.113.9", 2000+i, 5_000_000), spelledFlow(four[0], address, 2000+i, 1000))
	}
	store := open(t, records)
	want := map[string]int64{four[0]: int64(1000 * (len(four) + len(broken) + 1)), six[0]: int64(1000 * (len(six) + 1))}
	peers := map[string]int64{four[0]: int64(1 + min(1, len(broken))), six[0]: 1}
	for address, bytes := range want {
		checkSpelled(t, store, address, bytes, peers[address])
	}
	hunter, ok := store.(integrations.Hunter)
	if !ok {
		return
	}
	q := Quarter()
	hosts, err := hunter.Hosts(t.Context(), integrations.HostsQuery{From: q.From, To: q.To, Networks: []string{"10.0.0.0/8", "2001:db8:20::/48"}, Top: 10})
	if err != nil {
		t.Fatalf("hosts: %v", err)
	}
	if len(hosts) != len(want) {
		t.Errorf("there are %d hosts with egress, %+v, want %d", len(hosts), hosts, len(want))
	}
	for _, h := range hosts {
		if n, ok := h.BytesOut.Get(); !ok || n != want[h.IP] {
			t.Errorf("%s sent %v, want %d", h.IP, h.BytesOut, want[h.IP])
		}
	}
}

func spelledFlow(src, dst string, port int, bytes int64) Seen {
	f := Second(time.Minute, bytes, 1)
	if bytes == 1 {
		f = Second(-time.Minute, bytes, 1)
	}
	f.Tuple = incident.Tuple{SrcIP: src, SrcPort: port, DstIP: dst, DstPort: 443, Transport: "tcp"}
	return f
}

func checkSpelled(t *testing.T, store integrations.Flows, address string, bytes, peers int64) {
	t.Helper()
	q := Quarter()
	q.IPs = []string{address}
	got, err := store.Traffic(t.Context(), q)
	if err != nil {
		t.Fatalf("traffic of %s: %v", address, err)
	}
	is(t, "bytes_out of "+address, got.BytesOut, bytes)
	is(t, "destinations of "+address, got.Destinations, peers)
	points, err := store.Series(t.Context(), q)
	if err != nil {
		t.Fatalf("series of %s: %v", address, err)
	}
	var sum int64
	for _, p := range points {
		sum += p.BytesOut
	}
	if sum != bytes {
		t.Errorf("the series of %s adds up to %d, want %d", address, sum, bytes)
	}
}

package routertest

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// octets turns hexadecimal text with spaces into bytes.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReadRule reads what RFC 8955 (4.3) and RFC 8956 have as examples, without
// their length, and rules of the kind that a limit is made of.
func TestReadRule(t *testing.T) {
	for _, tt := range []struct {
		name, octets string
		ipv6         bool
		want         []string
	}{
		{"RFC 8955, example 1: to a network, and a port of TCP", "01 18 c0 00 02 03 81 06 04 81 19", false, []string{
			"meta nfproto ipv4 ip daddr 192.0.2.0/24 meta l4proto { 6 } meta l4proto { 6, 17 } th dport { 25 }",
			"meta nfproto ipv4 ip daddr 192.0.2.0/24 meta l4proto { 6 } meta l4proto { 6, 17 } th sport { 25 }",
		}},
		{"RFC 8955, example 2: a range of ports or one", "01 18 c0 00 02 02 18 cb 00 71 04 03 89 45 8b 91 1f 90", false, []string{
			"meta nfproto ipv4 ip daddr 192.0.2.0/24 ip saddr 203.0.113.0/24 meta l4proto { 6, 17 } th dport { 137-139, 8080 }",
			"meta nfproto ipv4 ip daddr 192.0.2.0/24 ip saddr 203.0.113.0/24 meta l4proto { 6, 17 } th sport { 137-139, 8080 }",
		}},
		{"one host", "02 20 0a 14 04 2a", false, []string{"meta nfproto ipv4 ip saddr 10.20.4.42/32"}},
		{"one host of IPv6", "02 80 00 20 01 0d b8 00 20 00 00 00 00 00 00 00 00 00 42", true, []string{"meta nfproto ipv6 ip6 saddr 2001:db8:20::42/128"}},
		{"one host, DNS", "02 20 0a 14 04 2a 03 81 11 05 81 35", false, []string{"meta nfproto ipv4 ip saddr 10.20.4.42/32 meta l4proto { 17 } meta l4proto { 6, 17 } th dport { 53 }"}},
		{"a source port of two bytes", "06 91 9c 65", false, []string{"meta nfproto ipv4 meta l4proto { 6, 17 } th sport { 40037 }"}},
		{"anything of IPv6", "01 00 00", true, []string{"meta nfproto ipv6"}},
		{"anything of IPv4", "01 00", false, []string{"meta nfproto ipv4"}},
		{"what is beyond a prefix's length", "01 09 0a ff", false, []string{"meta nfproto ipv4 ip daddr 10.128.0.0/9"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := readRule(tt.ipv6, octets(t, tt.octets))
			if err != nil {
				t.Fatal(err)
			}
			if got := conditions(r); !slices.Equal(got, tt.want) {
				t.Errorf("it is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReadRuleRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, octets string
		ipv6         bool
		want         string
	}{
		{"nothing", "", false, "without components"},
		{"RFC 8955, example 3: fragments", "01 20 c0 00 02 01 0c 80 05", false, "component 12: a type that"},
		{"RFC 8956, example 1: an offset", "01 20 00 20 01 0d b8 02 68 40 12 34 56 78 9a 03 81 06", true, "component 2: an offset of 64 bits"},
		{"RFC 8956, example 2: an offset within a byte", "01 20 00 20 01 0d b8 02 68 41 24 68 ac f1 34", true, "component 2: an offset of 65 bits"},
		{"an unknown type", "ff 00", false, "component 255: a type that"},
		{"type zero", "00 00", false, "component 0: a type that"},
		{"components out of order", "03 81 06 01 18 c0 00 02", false, "component 1 after component 3"},
		{"a component twice", "03 81 06 03 81 11", false, "component 3 after component 3"},
		{"a prefix that is too long", "01 21 c0 00 02 01 00", false, "33 bits"},
		{"a prefix without its end", "01 20 c0 00 02", false, "32 bits in 3 bytes"},
		{"a prefix of nothing", "01", false, "without a length"},
		{"IPv6 without an offset", "01 20", true, "without a length"},
		{"operators without an end", "03 01 06", false, "without an end"},
		{"an operator without a value", "05 91 35", false, "2 bytes, of which 1"},
		{"a port that no packet has", "05 a1 00 01 00 00", false, "holds for no value"},
		{"never", "03 80 06", false, "holds for no value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := readRule(tt.ipv6, octets(t, tt.octets))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("it is %v, %v, want an error with %q", r, err, tt.want)
			}
		})
	}
}

func TestReadNumbers(t *testing.T) {
	for _, tt := range []struct{ name, octets, want string }{
		{"equal", "81 06", "{ 6 }"},
		{"one or another", "01 06 81 11", "{ 6, 17 }"},
		{"below", "84 06", "{ 0-5 }"},
		{"at most", "85 06", "{ 0-6 }"},
		{"above", "82 06", "{ 7-255 }"},
		{"at least", "83 06", "{ 6-255 }"},
		{"another", "86 06", "{ 0-5, 7-255 }"},
		{"always", "87 06", "{ 0-255 }"},
		{"AND binds tighter than OR", "01 01 03 0a c5 14", "{ 1, 10-20 }"},
		{"AND of the first means nothing", "c1 06", "{ 6 }"},
		{"a reserved bit means nothing", "89 06", "{ 6 }"},
		{"spans that touch", "01 06 01 07 81 08", "{ 6-8 }"},
		{"a value of 8 bytes", "b1 00 00 00 00 00 00 00 06", "{ 6 }"},
		{"below a value that is above all", "94 ff ff", "{ 0-255 }"},
		{"a range and its hole", "03 0a 45 14 c6 0f", "{ 10-14, 16-20 }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, rest, err := readNumbers(append(octets(t, tt.octets), 0xaa), 255)
			if err != nil || got.String() != tt.want || len(rest) != 1 {
				t.Errorf("it is %s, %x, %v, want %s", got, rest, err, tt.want)
			}
		})
	}
}

func TestReadAction(t *testing.T) {
	for _, tt := range []struct{ name, communities, want, refused string }{
		{"1,250,000 bytes a second", "80 06 fd e8 49 98 96 80", "limit rate over 1250000 bytes/second burst 156250 bytes counter name c_dropped drop", ""},
		{"discard", "80 06 00 00 00 00 00 00", "counter name c_dropped drop", ""},
		{"less than nothing", "80 06 00 00 c9 98 96 80", "counter name c_dropped drop", ""},
		{"1,000 packets a second", "80 0c 00 00 44 7a 00 00", "limit rate over 1000 /second burst 125 packets counter name c_dropped drop", ""},
		{"both", "80 0c 00 00 44 7a 00 00 80 06 00 00 49 98 96 80", "limit rate over 1250000 bytes/second burst 156250 bytes counter name c_dropped drop, limit rate over 1000 /second burst 125 packets counter name c_dropped drop", ""},
		{"no action", "", "", "no rate"},
		{"a second rate", "80 06 00 00 49 98 96 80 80 06 00 00 00 00 00 00", "", "a second rate"},
		{"not a number", "80 06 00 00 7f c0 00 00", "", "a rate of NaN"},
		{"without end", "80 06 00 00 7f 80 00 00", "", "a rate of +Inf"},
		{"half a byte", "80 06 00 00 3f 00 00 00", "", "neither whole nor none"},
		{"redirect", "80 08 fd e8 00 00 00 01", "", "does not know"},
		{"sample", "80 07 00 00 00 00 00 02", "", "does not know"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var communities [][]byte
			for c := range slices.Chunk(octets(t, tt.communities), 8) {
				communities = append(communities, c)
			}
			a, err := readAction(communities)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("it is %+v, %v, want an error with %q", a, err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, l := range does(installed{chain: "c", act: a}) {
				lines = append(lines, strings.TrimPrefix(l, "add rule "+table+" c "))
			}
			if got, want := strings.Join(lines, ", "), tt.want+", counter name c_passed accept"; got != want {
				t.Errorf("it does %q, want %q", got, want)
			}
		})
	}
}

// TestPrecedence puts rules in the order in which the RFC has them asked.
func TestPrecedence(t *testing.T) {
	want := []string{
		"01 20 c0 00 02 01 02 20 0a 14 04 2a", // the longer destination within another
		"01 18 c0 00 02 02 20 0a 14 04 2a",    // a source, too
		"01 18 c0 00 02",
		"01 18 c0 00 03",                      // a higher address
		"02 20 0a 14 04 2a 03 81 06 05 81 50", // more conditions
		"02 20 0a 14 04 2a 03 81 06",
		"02 20 0a 14 04 2a 03 81 11", // a higher number
		"02 20 0a 14 04 2a",
		"02 18 0a 14 04",       // a shorter source
		"05 91 1f 90",          // a higher type
		"05 91 1f 91",          // a higher value
		"06 01 50 01 51 81 52", // 0x01 is before 0x81
		"06 81 50",
	}
	var rules []rule
	for _, text := range want {
		r, err := readRule(false, octets(t, text))
		if err != nil {
			t.Fatal(text, err)
		}
		rules = append(rules, r)
	}
	for i, a := range rules {
		for j, b := range rules {
			got := precedence(a, b)
			if i < j && got >= 0 || i > j && got <= 0 || i == j && got != 0 {
				t.Errorf("%q and %q compare as %d", want[i], want[j], got)
			}
		}
	}
}

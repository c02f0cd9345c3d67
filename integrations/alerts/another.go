package alerts

import (
	"strconv"
	"strings"
)

// Another is the Example as one of many alerts: {n}, {host} and {ip} stand for what differs,
// which [Fill] puts there.
func (s Spec) Another() string { return strings.NewReplacer(s.Varies...).Replace(s.Example) }

// Fill makes the body of an alert of what [Spec.Another] gives. The number has seven digits, of
// which the first is not 0.
func Fill(another string, n int, host, ip string) []byte {
	return []byte(strings.NewReplacer("{n}", strconv.Itoa(n), "{host}", host, "{ip}", ip).Replace(another))
}

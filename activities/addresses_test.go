package activities

import (
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What is no address by which a network knows one device is left out of a plan, and
// the others stand there as all products write them.
func TestOnlyAddressesOfADeviceCount(t *testing.T) {
	t.Parallel()
	facts := incident.Facts{Endpoint: incident.Endpoint{IP: incident.Known([]string{
		"2001:DB8:0::42", "10.20.4.42", "100.64.0.7", "::ffff:10.20.4.42", "10.20.4.42",
		"fe80::1", "fe80::2%eth0", "2001:db8::9%eth0", "127.0.0.1", "::1", "169.254.7.7", "224.0.0.5", "239.1.2.3", "ff02::1",
		"255.255.255.255", "0.0.0.0", "::", "::ffff:0:0", "::ffff:127.0.0.1", "10.20.0.0/16", "10.20.4.42/32", "10.20.4.1-10.20.4.9",
		"10.20.4.42 ", "10.20.4.42\n", "010.020.004.042", "ws-042", "",
	}, incident.FromEDR)}}
	own, problem := ownAddresses(facts, nil)
	if want := []string{"10.20.4.42", "100.64.0.7", "2001:db8::42"}; !slices.Equal(own, want) || problem != "" {
		t.Errorf("the device has the addresses %v (%s), want %v", own, problem, want)
	}
}

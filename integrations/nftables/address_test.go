package nftables

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An address is one, however it is written: the order of two spellings is the same one.
// What is no address of a single host everywhere is refused.
func TestAnAddressIsOneHostInAnySpelling(t *testing.T) {
	t.Parallel()
	g, err := open(t.Context(), &Config{Networks: []string{"192.0.2.0/24", "2001:db8::/32", "fe80::/10", "ff00::/8", "169.254.0.0/16", "::/128"}, MaxLimits: 1})
	require.NoError(t, err)
	check := func(addresses ...string) (Scope, error) {
		return g.(*Gateway).check("check", incident.Order{Target: order(t, "key", "192.0.2.2").Target, Action: incident.RateLimit, Rate: 8_000_000, Addresses: addresses})
	}
	plain, err := check("192.0.2.2", "2001:db8::42")
	require.NoError(t, err)
	spelt, err := check("2001:0db8:0000:0000:0000:0000:0000:0042", "::ffff:192.0.2.2", "2001:DB8::42", "192.0.2.2", "2001:db8:0:0::0.0.0.66")
	require.NoError(t, err)
	assert.Equal(t, plain, spelt)
	for _, text := range []string{
		"fe80::1", "fe80::1%lan", "2001:db8::42%lan", "::", "::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "169.254.7.7", "0.0.0.0",
		"255.255.255.255", "2001:db8::/64", "2001:db8::42/128", "192.0.2.2/32", "192.0.2.2-192.0.2.9", "192.000.002.002", " 192.0.2.2", "2001:db8::42 ", "[2001:db8::42]", "",
	} {
		_, err := check("192.0.2.2", text)
		refused(t, err, integrations.Invalid, "invalid address")
	}
	_, err = check("192.0.2.2", "2001:db9::42")
	refused(t, err, integrations.NotFound, "in none of the networks")
}

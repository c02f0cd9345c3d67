package lab

import (
	"errors"
	"slices"
	"testing"
)

func TestMissingPrograms(t *testing.T) {
	without := func(gone ...string) func(string) (string, error) {
		return func(program string) (string, error) {
			if slices.Contains(gone, program) {
				return "", errors.New("not found")
			}
			return "/usr/bin/" + program, nil
		}
	}
	if err := missing(without()); err != nil {
		t.Error(err)
	}
	const want = "not installed: hping3, ip, tc, nfcapd; on Debian: RUNLEVEL=1 apt-get install --no-install-recommends hping3 iproute2 nfdump"
	if err := missing(without("tc", "hping3", "nfcapd", "ip")); err == nil || err.Error() != want {
		t.Errorf("it says %v, want %s", err, want)
	}
}

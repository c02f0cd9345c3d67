package flowlog

import (
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestAddressIsTheSameInEverySpelling(t *testing.T) {
	four, six := contract.Spelled()
	for _, list := range [][]string{four, six} {
		for _, text := range list {
			if a, err := parseAddr([]byte(text)); err != nil || a.String() != list[0] {
				t.Errorf("%q is read as %s (%v), want %s", text, a, err, list[0])
			}
		}
	}
	for _, text := range []string{"", "-", "10.20.4.", "999.20.4.43", "010.20.4.43", "1:2:3", "10.20.4.43/33", "10.20.4.43 x"} {
		if a, err := parseAddr([]byte(text)); err == nil {
			t.Errorf("%q is read as %s", text, a)
		}
	}
}

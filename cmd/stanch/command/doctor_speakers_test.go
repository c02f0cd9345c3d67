package command

import (
	"strings"
	"testing"
)

// There must be one process that speaks, and doctor is not it: it names the one.
func TestDoctorNamesWhoSpeaks(t *testing.T) {
	t.Parallel()
	for want, at := range map[string][]string{
		"process 7 of bgp1 carries it out":                              {"process 7 of bgp1"},
		"no process has the role speaker":                               nil,
		"process 7 of bgp1 and process 8 of bgp2 have the role speaker": {"process 7 of bgp1", "process 8 of bgp2"},
	} {
		f := checkSpeakers("flowspec", at)
		if f.OK != (len(at) > 0) || f.Warning != (len(at) > 1) || !strings.Contains(f.What, want) || f.About != "integration flowspec" || len(at) != 1 && f.Fix == "" {
			t.Errorf("of %q it finds %+v", at, f)
		}
	}
}

package contract

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// checkAlertAnother checks that the Spec makes many alerts of many hosts of its Example.
func checkAlertAnother(t testing.TB, h AlertsHarness) {
	another := h.Spec.Another()
	read := func(n int, host, ip string) incident.Alert {
		return h.only(t, "another alert", alerts.Fill(another, n, host, ip))
	}
	first, second, third := read(2000001, "pc-1", "10.20.1.1"), read(2000002, "pc-1", "10.20.1.1"), read(2000003, "pc-2", "10.20.1.2")
	if first.Prints[0] == second.Prints[0] {
		t.Errorf("two alerts have one occurrence, by Varies: %s", another)
	}
	for _, a := range []struct {
		alert incident.Alert
		of    []string
	}{{first, []string{"pc-1", "pc-1.corp.example", "10.20.1.1"}}, {second, []string{"pc-1", "pc-1.corp.example", "10.20.1.1"}}, {third, []string{"pc-2", "pc-2.corp.example", "10.20.1.2"}}} {
		if id, _ := a.alert.Host.ID.Get(); a.alert.Status != incident.Firing || !slices.Contains(a.of, id) || (len(a.alert.Host.Doubts) > 0) != (h.Doubtful != "") {
			t.Errorf("another alert is read as %s; want one that fires, of one of %v", strings.Join(AlertLines(a.alert), "\n"), a.of)
		}
	}
	example := h.only(t, "the example", []byte(h.Spec.Example))
	for _, text := range append(ipsOf(example), example.Host.Name.String()) {
		if strings.Contains(another, text) {
			t.Errorf("another alert has %s, which is of the example's host: %s", text, another)
		}
	}
}

func ipsOf(a incident.Alert) []string {
	ips, _ := a.Host.IP.Get()
	return ips
}

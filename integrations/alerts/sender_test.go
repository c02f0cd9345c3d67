package alerts

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Which machine sends is decided by the addresses, then by the direction, then by
// who sent more; where that is not enough the host is in doubt, and so no action is
// taken on it. A sensor is never the host without a doubt.
func TestWhoSends(t *testing.T) {
	const watching, other, far = "10.20.2.10", "10.20.4.42", "203.0.113.7"
	const unsaid = -1
	at := func(field, ip string, sent int64) End {
		e := End{Field: field}
		if ip != "" {
			e.IPs = []string{ip}
		}
		if sent != unsaid {
			e.Bytes = incident.Known(sent, incident.FromAlert)
		}
		return e
	}
	// reports is the machine that reports, with its address where it is given.
	reports := func(ips ...string) incident.AlertHost { return Named([]string{"srv-1"}, ips, "") }
	for name, c := range map[string]struct {
		host            incident.AlertHost
		sensor, inbound bool
		source, dest    End
		// want is the name or else the address of the host; from is its end.
		want, from      string
		isHost, doubted bool
	}{
		"several machines report":              {several([]string{"a", "b"}), true, false, at("source", other, 9), at("dest", far, 7), "", "source", true, true},
		"it is the source":                     {reports(watching), false, false, at("source", watching, 9), at("dest", far, 7), "srv-1", "source", true, false},
		"it is the source of what came in":     {reports(watching), true, true, at("source", watching, 9), at("dest", far, 70), "srv-1", "source", true, false},
		"nobody else is named":                 {reports(watching), false, false, at("source", "", unsaid), at("dest", "", unsaid), "srv-1", "source", true, false},
		"only the far end is named":            {reports(watching), false, false, at("source", "", unsaid), at("dest", far, unsaid), "srv-1", "source", true, false},
		"only one end of what came in":         {reports(watching), false, true, at("source", "", unsaid), at("dest", other, unsaid), other, "dest", false, true},
		"a sensor, and only the far end":       {reports(watching), true, false, at("source", "", unsaid), at("dest", far, unsaid), "srv-1", "source", false, true},
		"a sensor, and nobody":                 {reports(), true, false, at("source", "", unsaid), at("dest", "", unsaid), "srv-1", "source", false, true},
		"a sensor without addresses":           {reports(), true, false, at("source", other, unsaid), at("dest", far, unsaid), other, "source", false, false},
		"two others":                           {reports(watching), false, false, at("source", other, 9), at("dest", far, 7000), other, "source", false, false},
		"it has no address":                    {reports(), false, false, at("source", other, 9), at("dest", far, 7), "srv-1", "source", true, false},
		"it has no address, and it came in":    {reports(), false, true, at("source", other, 9000), at("dest", watching, 7), other, "source", false, false},
		"it is sent to, and answers with more": {reports(watching), false, true, at("source", far, 7), at("dest", watching, 9000), "srv-1", "dest", true, false},
		"it alone is counted":                  {reports(watching), false, false, at("source", far, unsaid), at("dest", watching, 9), "srv-1", "dest", true, false},
		"it is sent more":                      {reports(watching), false, false, at("source", other, 9000), at("dest", watching, 7), other, "source", false, false},
		"both sent as much":                    {reports(watching), false, false, at("source", other, 7), at("dest", watching, 7), other, "source", false, false},
		"it is sent to, and nobody counted":    {reports(watching), false, false, at("source", other, unsaid), at("dest", watching, unsaid), "srv-1", "dest", true, true},
		"it is sent to by nobody knows whom":   {reports(watching), false, false, at("source", "", 9000), at("dest", watching, unsaid), "srv-1", "dest", true, true},
		"it answers with nothing":              {reports(watching), false, false, at("source", other, unsaid), at("dest", watching, 0), "srv-1", "dest", true, true},
		"seen coming in, answered with more":   {reports(watching), true, true, at("source", far, 7), at("dest", other, 9000), other, "dest", false, false},
		"seen coming in, answered with less":   {reports(watching), true, true, at("source", far, 9000), at("dest", other, 7), far, "source", false, false},
		"seen coming in, as much both ways":    {reports(watching), true, true, at("source", far, 7), at("dest", other, 7), far, "source", false, false},
		"seen coming in, nobody counted":       {reports(watching), true, true, at("source", far, unsaid), at("dest", other, unsaid), other, "dest", false, true},
		"seen coming in from nobody knows":     {reports(watching), true, true, at("source", "", 9000), at("dest", other, 7), other, "dest", false, true},
		"seen coming in to nobody knows whom":  {reports(watching), true, true, at("source", other, 9), at("dest", "", 9000), other, "source", false, false},
		"seen going out, answered with more":   {reports(watching), true, false, at("source", other, 7), at("dest", far, 9000), other, "source", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			host, from, isHost := Connection{Source: c.source, Destination: c.dest, Host: c.host, HostName: "srv-1", Inbound: c.inbound, Sensor: c.sensor}.Sender()
			got, named := host.Name.Get()
			if ips, _ := host.IP.Get(); !named && len(ips) == 1 {
				got = ips[0]
			}
			if got != c.want || from.Field != c.from || isHost != c.isHost || len(host.Doubts) > 0 != c.doubted {
				t.Errorf("%q sends, from its %s; it reports: %t; doubts: %q", got, from.Field, isHost, host.Doubts)
			}
		})
	}
}

func TestWordsThatSayThatItCameIn(t *testing.T) {
	said := func(word string) incident.Value[string] { return incident.Said(word, incident.FromAlert) }
	for _, word := range []string{"inbound", "Inbound", "INGRESS", "incoming", "in", "received", "receive", "rx"} {
		if !Inbound(said(word), said("")) {
			t.Errorf("%q does not say that it came in", word)
		}
	}
	for _, word := range []string{"false", "False", "0", "no"} {
		if !Inbound(said("outbound"), said(word)) {
			t.Errorf("initiated %q does not say that it came in", word)
		}
	}
	for _, pair := range [][2]string{{"", ""}, {"outbound", ""}, {"unknown", "true"}, {"egress", "1"}, {"internal", "yes"}, {"", "n/a"}, {"to in", ""}} {
		if Inbound(said(pair[0]), said(pair[1])) {
			t.Errorf("direction %q and initiated %q say that it came in", pair[0], pair[1])
		}
	}
}
